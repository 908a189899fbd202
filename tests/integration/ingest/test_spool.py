"""The spool on a real file system: what it answered for is there after a crash, and no answer goes before the sync."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.ingest.collector.spool import NotSpooled, Spool
from services.ingest.collector.spool_disk import Disk
from services.ingest.collector.spool_records import Spooled, packed
from shared.clock import sleep
from shared.errors import Fatal
from tests.integration.ingest.disks import HELD_SECONDS, FailingDisk, HeldDisk, NotingDisk, SlowDisk

ROOM = 1024 * 1024


def record(number: int, *, size: int = 100) -> Spooled:
    """Delivery number n."""
    body = b"%06d" % number + b"x" * size
    return Spooled(f"id-{number}", f"key-{number % 3}", [("ce_id", b"%d" % number), ("request", b"{}")], body)


@asynccontextmanager
async def opened(folder: Path, *, bytes_max: int = ROOM, disk: Disk | None = None) -> AsyncIterator[Spool]:
    spool = Spool(folder, bytes_max=bytes_max, disk=disk)
    await spool.open()
    try:
        yield spool
    finally:
        await spool.close()


async def drained(spool: Spool, *, records_max: int = 3) -> list[Spooled]:
    """Everything that waits, acknowledged as it comes."""
    found: list[Spooled] = []
    while records := await spool.oldest(records_max=records_max):
        assert len(records) <= records_max
        found += records
        await spool.acknowledge()
    return found


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


def bytes_on_disk(folder: Path) -> int:
    return sum(file.stat().st_size for file in segments(folder))


async def test_what_was_appended_comes_out_in_order_and_leaves_nothing(swift_folder: Path) -> None:
    sent = [record(n, size=size) for n, size in enumerate([10, 2_000_000, 0, 300, 1, 2, 3])]
    async with opened(swift_folder, bytes_max=8 * ROOM) as spool:
        for one in sent:
            await spool.append(one)
        assert spool.bytes_held == sum(len(packed(one)) for one in sent)
        assert spool.records == len(sent)
        assert await drained(spool) == sent
        assert (spool.bytes_held, spool.records, spool.fill) == (0, 0, 0)
        assert segments(swift_folder) == []
        await spool.append(sent[0])
        assert await drained(spool) == sent[:1]


async def test_files_are_for_us_alone(swift_folder: Path) -> None:
    folder = swift_folder / "door" / "spool"
    async with opened(folder) as spool:
        await spool.append(record(1))
        modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
        assert (folder.stat().st_mode & 0o777, modes) == (0o700, {0o600})


async def test_all_who_wait_share_one_sync(swift_folder: Path) -> None:
    disk = SlowDisk()
    async with opened(swift_folder, disk=disk) as spool, asyncio.TaskGroup() as group:
        tasks = [group.create_task(spool.append(record(0)))]
        assert await asyncio.to_thread(disk.has_begun.wait, 10)
        tasks += [group.create_task(spool.append(record(n))) for n in range(1, 40)]
        await asyncio.wait(tasks, timeout=0)
        assert not any(task.done() for task in tasks), "nobody is answered before the sync"
        disk.may_sync.set()
        await asyncio.wait(tasks)
        assert disk.syncs == 2
        assert len(await drained(spool)) == 40


async def test_a_crash_loses_nothing_that_was_answered(swift_folder: Path) -> None:
    spool = Spool(swift_folder, bytes_max=ROOM)
    await spool.open()
    for n in range(20):
        await spool.append(record(n))
    assert len(await spool.oldest(records_max=5)) == 5
    await spool.acknowledge()  # not yet deleted: its segment holds more
    await spool.close()  # the next one knows nothing of this one's memory
    async with opened(swift_folder) as after:
        assert after.records == 20
        await after.append(record(20))
        assert await drained(after) == [record(n) for n in range(21)]


@pytest.mark.parametrize("cut", [1, 50, 150])
async def test_a_half_written_tail_is_cut_at_start(swift_folder: Path, cut: int) -> None:
    async with opened(swift_folder) as spool:
        for n in range(3):
            await spool.append(record(n))
    (file,) = segments(swift_folder)
    whole = file.read_bytes()
    file.write_bytes(whole[:-cut] + b"\0" * (cut // 2))
    async with opened(swift_folder) as after:
        assert after.bytes_held == file.stat().st_size
        assert await drained(after) == [record(0), record(1)]


async def test_the_files_never_exceed_their_bound_and_full_is_told(swift_folder: Path) -> None:
    one = len(packed(record(0)))
    async with opened(swift_folder, bytes_max=10 * one) as spool:
        kept = 0
        refused: set[str] = set()
        for n in range(25):
            try:
                await spool.append(record(n))
                kept += 1
            except NotSpooled as error:
                refused.add(error.slug)
            assert bytes_on_disk(swift_folder) <= 10 * one
        assert (kept, refused, spool.fill) == (10, {"spool_full"}, 1.0)
        await spool.oldest(records_max=4)
        await spool.acknowledge()
        await spool.append(record(25))  # a drained segment gives its room back before the spool is empty
        assert [int(found.body[:6]) for found in await drained(spool)][-1] == 25


async def test_a_burst_cannot_pass_the_bound_together(swift_folder: Path) -> None:
    one = len(packed(record(0)))
    async with opened(swift_folder, bytes_max=10 * one) as spool:
        ends = await asyncio.gather(*(spool.append(record(n)) for n in range(30)), return_exceptions=True)
        assert [end is None for end in ends] == [True] * 10 + [False] * 20
        assert spool.bytes_held == 10 * one


async def test_after_a_failed_sync_nothing_is_taken_until_restart(swift_folder: Path) -> None:
    disk = FailingDisk()
    async with opened(swift_folder, disk=disk) as spool:
        await spool.append(record(0))
        disk.is_sync_failing = True
        ends = await asyncio.gather(*(spool.append(record(n)) for n in range(1, 6)), return_exceptions=True)
        assert [getattr(end, "slug", None) for end in ends] == ["spool_broken"] * 5
        disk.is_sync_failing = False
        syncs = disk.syncs
        with pytest.raises(NotSpooled, match="spool_broken"):
            await spool.append(record(7))
        assert (spool.is_usable, disk.syncs) == (False, syncs), "a failed sync is never repeated"
        assert await drained(spool) == [record(0)], "what was synced before goes on to Kafka"
    async with opened(swift_folder) as after:
        assert after.is_usable
        await after.append(record(8))


async def test_a_full_disk_is_refused_leaves_no_half_record_and_heals(swift_folder: Path) -> None:
    disk = FailingDisk()
    async with opened(swift_folder, disk=disk) as spool:
        await spool.append(record(0))
        disk.is_write_failing = True
        for n in (1, 2):
            with pytest.raises(NotSpooled, match="spool_full"):
                await spool.append(record(n))
        assert bytes_on_disk(swift_folder) == spool.bytes_held
        disk.is_write_failing = False
        await spool.append(record(3))
        assert await drained(spool) == [record(0), record(3)]
        disk.is_write_failing = disk.is_cut_failing = True
        with pytest.raises(NotSpooled, match="spool_broken"):
            await spool.append(record(4))


async def test_a_disk_slower_than_a_second_is_told_and_what_left_is_not_written(swift_folder: Path) -> None:
    disk = SlowDisk()
    async with opened(swift_folder, disk=disk) as spool:
        first = asyncio.gather(spool.append(record(0)), return_exceptions=True)
        assert await asyncio.to_thread(disk.has_begun.wait, 10)
        ends = await asyncio.gather(*(spool.append(record(n)) for n in (1, 2)), return_exceptions=True)
        assert [getattr(end, "slug", None) for end in (*await first, *ends)] == ["spool_slow"] * 3
        disk.may_sync.set()
        await spool.append(record(3))
        assert await drained(spool) == [record(0), record(3)], "1 and 2 were told 503 before they were written"


async def test_two_processes_never_share_a_folder(swift_folder: Path) -> None:
    async with opened(swift_folder):
        other = Spool(swift_folder, bytes_max=ROOM)
        opening = asyncio.gather(other.open(), return_exceptions=True)
        await asyncio.wait([opening], timeout=0)
        assert not other.is_open
        with pytest.raises(NotSpooled, match="spool_off"):
            await other.append(record(1))
    assert list(await opening) == [None], "the next one waits for the last one to end"
    await other.close()


async def test_a_new_folder_s_own_name_lies_on_the_medium_before_a_record_does(swift_folder: Path) -> None:
    disk, folder = NotingDisk(), swift_folder / "door" / "spool"
    spool = Spool(folder, bytes_max=ROOM, disk=disk)
    await spool.open()
    assert disk.synced_folders == [swift_folder, swift_folder / "door"]
    await spool.append(record(1))
    assert disk.synced_folders[2:] == [folder]
    await spool.close()


async def test_a_folder_that_cannot_be_used_ends_the_process(swift_folder: Path) -> None:
    (swift_folder / "file").write_text("")
    spool = Spool(swift_folder / "file" / "spool", bytes_max=ROOM)
    with pytest.raises(Fatal, match="cannot be used"):
        await spool.open()


async def test_a_segment_damaged_while_it_waits_does_not_stop_the_others(swift_folder: Path) -> None:
    one = len(packed(record(0)))
    async with opened(swift_folder, bytes_max=8 * one) as spool:  # one record a segment
        for n in range(4):
            await spool.append(record(n))
        first = segments(swift_folder)[0]
        first.write_bytes(bytes(one))
        assert await drained(spool) == [record(n) for n in (1, 2, 3)]


async def test_what_is_written_while_all_before_it_is_drained_is_neither_lost_nor_damage(tmp_path: Path) -> None:
    disk = HeldDisk()
    async with opened(tmp_path / "spool", disk=disk) as spool:
        await spool.append(record(1))
        assert [one.delivery_id for one in await spool.oldest(records_max=1)] == ["id-1"]
        disk.may_sync.clear()
        disk.is_syncing.clear()
        disk.has_read.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(spool.append(record(2)))
            assert await asyncio.to_thread(disk.is_syncing.wait, HELD_SECONDS)
            await spool.acknowledge()
            waiting = group.create_task(spool.oldest(records_max=9))
            await sleep(0)
            disk.may_sync.set()
            disk.has_read.wait(0.5)  # the loop is held up while the thread syncs, and reads what it was asked to before
        found = waiting.result() or await spool.oldest(records_max=9)
        assert [one.delivery_id for one in found] == ["id-2"]
