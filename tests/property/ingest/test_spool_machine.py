"""The spool against a plain list: whatever is appended, drained, crashed or torn, what was answered comes out in order.

A torn write stands for a crash in the middle of one: bytes behind the last answer that are no whole record.
"""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from typing_extensions import override

from services.ingest.collector.spool import NotSpooled, Spool
from services.ingest.collector.spool_disk import Disk
from services.ingest.collector.spool_records import Spooled, packed

BYTES_MAX = 4_000


class QuickDisk(Disk):
    """Syncs nothing: a process that crashes leaves what it wrote, and a busy disk is another test's."""

    @override
    def sync(self, descriptor: int) -> None:
        return

    @override
    def sync_folder(self, folder: Path) -> None:
        return


class SpoolMachine(RuleBasedStateMachine):
    """`kept` is all that was answered, `waiting` the end of it that is not acknowledged: the whole truth, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory(prefix="baton-spool-")
        self.kept: list[Spooled] = []
        self.waiting: list[Spooled] = []
        self.number = 0
        self.spool = self._opened()

    @rule(sizes=st.lists(st.integers(0, 600), min_size=1, max_size=5))
    def append_some_at_once(self, sizes: list[int]) -> None:
        records = [self._record(size) for size in sizes]
        for record, is_kept in zip(records, self.runner.run(self._ends(records)), strict=True):
            if is_kept:
                self.kept.append(record)
                self.waiting.append(record)

    @rule(records_max=st.integers(1, 4))
    def drain_a_window(self, records_max: int) -> None:
        found = self.runner.run(self.spool.oldest(records_max=records_max))
        assert found == self.waiting[: len(found)]
        assert bool(found) == bool(self.waiting)
        if found:
            self.runner.run(self.spool.acknowledge())
            del self.waiting[: len(found)]

    @rule(tear=st.binary(max_size=40))
    def crash_and_open_again(self, tear: bytes) -> None:
        """The next process sends again what was acknowledged of a segment that was not yet deleted."""
        self.runner.run(self.spool.close())
        files = sorted(Path(self.folder.name).glob("*.spool"))
        if files:
            with files[-1].open("ab") as file:
                file.write(tear)
        self.spool = self._opened()
        assert self.spool.records >= len(self.waiting), "what was answered is there"
        self.waiting = self.kept[len(self.kept) - self.spool.records :]

    @invariant()
    def the_bound_holds_on_disk(self) -> None:
        held = sum(file.stat().st_size for file in Path(self.folder.name).glob("*.spool"))
        assert held == self.spool.bytes_held <= BYTES_MAX

    @override
    def teardown(self) -> None:
        self.runner.run(self.spool.close())
        self.runner.close()
        self.folder.cleanup()

    def _record(self, size: int) -> Spooled:
        self.number += 1
        return Spooled(f"id-{self.number}", "key", [("ce_id", b"%d" % self.number)], b"x" * size)

    async def _ends(self, records: list[Spooled]) -> list[bool]:
        ends = await asyncio.gather(*(self.spool.append(record) for record in records), return_exceptions=True)
        for end in ends:
            assert end is None or (isinstance(end, NotSpooled) and end.slug == "spool_full")
        return [end is None for end in ends]

    def _opened(self) -> Spool:
        spool = Spool(Path(self.folder.name), bytes_max=BYTES_MAX, disk=QuickDisk())
        self.runner.run(spool.open())
        return spool


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_the_bound_leaves_room_for_several_records() -> None:
    assert len(packed(Spooled("id-1", "key", [], b"x" * 600))) * 4 < BYTES_MAX
