"""One partition on a real database, records handed in as values.

Fence, inbox, parking, crash loops, breaker, openings.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from shared.contracts.envelope import Event, headers_of
from shared.contracts.leads import LeadErased
from shared.db.engine import Database, Tx, reading
from shared.errors import Busy, NotFound, Refused
from shared.ids import derived_id
from shared.stream import parked
from shared.stream.batch import Fenced, Position, apply_batch, mark_start
from shared.stream.decode import receive
from shared.stream.flow import Breaker
from shared.stream.handlers import Handlers, ParkError, UseCase
from shared.stream.partition import Health, Partition
from shared.stream.progress import first_positions, read_positions
from tests.integration.shared.stage import INSERT, TABLES, erased, until

WHERE = Position("scoring", "leads", 0, "worker-a")


@dataclass(frozen=True)
class Row:
    """A fetched record as a value."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def row(offset: int, number: int | None = None) -> Row:
    event = erased(offset if number is None else number)
    return Row(offset, event.key.encode(), event.payload.to_json(), headers_of(event))


def rows(*offsets: int) -> list[Row]:
    return [row(offset) for offset in offsets]


@dataclass
class Bench:
    """A database with the rows of progress, and use cases that note or fail."""

    database: Database
    failing: dict[UUID, Callable[[], Exception]] = field(default_factory=dict)

    async def note(self, tx: Tx, received: Sequence[Event[LeadErased]]) -> None:
        for event in received:
            if event.id in self.failing:
                failure = self.failing[event.id]()
                raise failure
        await tx.execute(
            INSERT, {"leads": [event.payload.lead_id for event in received], "events": [event.id for event in received]}
        )

    def handlers(self, usecase: UseCase | None = None) -> Handlers:
        return Handlers("scoring", {LeadErased: usecase or self.note})

    def partition(self, health: Health | None = None) -> Partition:
        return Partition(
            WHERE,
            self.handlers(),
            database=self.database,
            slots=asyncio.Semaphore(4),
            health=health or Health(Breaker()),
        )

    async def one(self, sql: str, **values: object) -> object:
        async with reading(self.database) as tx:
            return (await tx.execute(sql, values)).scalar_one()

    async def stands_at(self) -> int:
        return (await read_positions(self.database, "scoring"))["leads", 0].next_offset

    async def apply(self, *offsets: int, worker: str = "worker-a") -> None:
        place = Position("scoring", "leads", 0, worker)
        received = [receive(self.handlers(), one, place=place.place) for one in rows(*offsets)]
        await apply_batch(self.database, place, received)


@pytest_asyncio.fixture
async def bench(empty_database: str) -> AsyncIterator[Bench]:
    database = Database(empty_database, pool_size=8)
    async with database.engine.begin() as connection:
        for statement in TABLES:
            await connection.execute(text(statement))
    await first_positions(database, "scoring", {("leads", 0): 0})
    yield Bench(database)
    await database.close()


@asynccontextmanager
async def applying(partition: Partition) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        group.create_task(partition.run())
        yield
        partition.close()


async def carry_out(bench: Bench, partition: Partition, records: Sequence[Row], *, until_offset: int) -> None:
    async def is_there() -> bool:
        return await bench.stands_at() == until_offset

    partition.open_at(await bench.stands_at())
    async with applying(partition):
        assert partition.fetched(records)
        await until(is_there)


async def test_a_zombie_matches_no_row_and_nothing_of_its_batch_stays(bench: Bench) -> None:
    await bench.apply(0, 1, worker="worker-b")
    with pytest.raises(Fenced):
        await bench.apply(0, 1, 2)
    assert await bench.stands_at() == 2
    assert await bench.one("select count(*) from applied") == 2


async def test_of_two_workers_at_once_one_commits(bench: Bench) -> None:
    ended = await asyncio.gather(
        *(bench.apply(0, 1, 2, worker=f"worker-{number}") for number in range(6)), return_exceptions=True
    )
    assert sum(isinstance(one, Fenced) for one in ended) == 5
    assert await bench.one("select count(*) from applied") == 3


async def test_an_id_seen_before_is_not_handled_again_at_a_new_offset(bench: Bench) -> None:
    partition = bench.partition()
    await carry_out(bench, partition, [row(0, 7), row(1, 7), row(2, 8), row(3, 7)], until_offset=4)
    assert await bench.one("select count(*) from applied") == 2
    assert await bench.one("select count(*) from inbox") == 2


async def test_a_failed_use_case_leaves_no_trace(bench: Bench) -> None:
    bench.failing[erased(1).id] = lambda: ValueError("no")
    with pytest.raises(ValueError, match="no"):
        await bench.apply(0, 1, 2)
    assert await bench.stands_at() == 0
    assert await bench.one("select count(*) from inbox") == 0


async def test_poison_is_parked_alone_and_the_rest_is_handled(bench: Bench) -> None:
    for number in (0, 37, 63):
        bench.failing[erased(number).id] = lambda: ValueError("ada@example.com is not allowed")
    await carry_out(bench, bench.partition(), rows(*range(64)), until_offset=64)
    assert await bench.one("select count(*) from applied") == 61
    assert await bench.one("select count(*) from parked where state = 'open'") == 3
    assert await bench.one("select count(*) from parked where detail like '%example%'") == 0


async def test_what_a_use_case_parks_keeps_its_reason_and_source(bench: Bench) -> None:
    blame = ParkError("no adapter reads it", "unreadable_body", is_ours=False, source="source-1")
    bench.failing[erased(1).id] = lambda: blame
    health = Health(Breaker())
    await carry_out(bench, bench.partition(health), rows(0, 1, 2), until_offset=3)
    async with reading(bench.database) as tx:
        (kept,) = await parked.list_rows(tx)
    assert (kept["reason"], kept["detail"], kept["source"]) == ("unreadable_body", "no adapter reads it", "source-1")
    assert health.breaker.recent == ()


async def test_a_record_that_is_no_event_is_parked(bench: Bench) -> None:
    broken = [
        Row(0, b"k", b"{}", [("ce_type", LeadErased.TYPE.encode()), ("ce_id", b"not an id")]),
        Row(1, b"k\x00\xff", b"\xff\x00", []),
        Row(2, b"k", b'{"lead_id": 5}', headers_of(erased(2))),
        Row(3, b"k", b"{}", [("ce_type", None), ("ce_id", None)]),
        Row(4, b"k", row(4).value, [*(dict(row(4).headers) | {"ce_time": b"0001-01-01T00:00:00+14:00"}).items()]),
        row(5),
    ]
    await carry_out(bench, bench.partition(), broken, until_offset=6)
    assert await bench.one("select count(*) from parked where reason = 'unreadable'") == 5
    assert await bench.one("select count(*) from applied") == 1


async def test_unknown_types_are_skipped_and_need_no_inbox(bench: Bench) -> None:
    other = headers_of(erased(0))
    other[3] = ("ce_type", b"baton.lead.merged.v1")
    await carry_out(bench, bench.partition(), [Row(0, b"k", b"{}", other), row(1)], until_offset=2)
    assert await bench.one("select count(*) from inbox") == 1


def foreign(*offsets: int) -> list[Row]:
    """Events of a type that nobody here handles."""
    headers = dict(headers_of(erased(0))) | {"ce_type": b"baton.lead.merged.v1"}
    return [Row(offset, b"k", b"{}", list(headers.items())) for offset in offsets]


async def test_a_batch_of_unknown_types_costs_nothing_and_the_position_learns_of_it(bench: Bench) -> None:
    partition = bench.partition()
    partition.open_at(0)

    async def is_told() -> bool:
        return await bench.stands_at() == 3

    async with applying(partition):
        partition.fetched(foreign(0, 1, 2))
        await until(is_told)
    assert partition.committed_offset == 3
    assert partition.skipped_to == 0, "progress knows of it"
    assert await bench.one("select count(*) from inbox") == 0
    assert await bench.one("select count(*) from batch_start") == 0


async def test_what_was_skipped_is_told_with_the_next_batch_and_at_the_end(bench: Bench) -> None:
    partition = bench.partition()
    await bench.apply(0)
    partition.open_at(1)
    async with applying(partition):
        partition.fetched([row(1), *foreign(2)])
        partition.fetched(foreign(3, 4))
        partition.fetched(rows(5))
        partition.fetched(foreign(6))

        async def is_past() -> bool:
            return partition.next_offset == 7

        await until(is_past)
        partition.stop("by a person")
        assert partition.skipped_to == 0, "what a person may set back is asked of progress alone"
    assert await bench.stands_at() == 7
    assert await bench.one("select count(*) from applied") == 3


async def test_a_zombie_that_only_skipped_is_fenced_too(bench: Bench) -> None:
    partition = bench.partition()
    partition.open_at(0)
    await bench.apply(0, 1, 2, worker="worker-b")

    async def is_lost() -> bool:
        return not partition.is_open

    async with applying(partition):
        partition.fetched(foreign(0, 1))
        await until(is_lost)
        partition.open_at(0)
        partition.fetched(foreign(0))
        partition.fetched(rows(1))
        await until(is_lost)
    assert await bench.stands_at() == 3
    assert await bench.one("select count(*) from applied") == 3


async def test_a_retryable_error_waits_and_is_never_parked(bench: Bench) -> None:
    left = [3]

    def busy() -> Exception:
        left[0] -= 1
        if left[0] == 0:
            bench.failing.clear()
        return Busy("the tree moved: read it again")

    bench.failing[erased(1).id] = busy
    partition = bench.partition()
    await carry_out(bench, partition, rows(0, 1, 2), until_offset=3)
    assert left == [0]
    assert await bench.one("select count(*) from parked") == 0
    assert await bench.one("select count(*) from applied") == 3


async def test_a_lost_connection_repeats_the_batch(bench: Bench) -> None:
    cut: list[int] = []

    async def cut_once(tx: Tx, received: Sequence[Event[LeadErased]]) -> None:
        if not cut:
            cut.append(1)
            await tx.execute("select pg_terminate_backend(pg_backend_pid())")
        await bench.note(tx, received)

    partition = Partition(
        WHERE,
        bench.handlers(cut_once),
        database=bench.database,
        slots=asyncio.Semaphore(1),
        health=Health(Breaker()),
    )
    await carry_out(bench, partition, rows(0, 1, 2), until_offset=3)
    assert await bench.one("select count(*) from applied") == 3
    assert await bench.one("select count(*) from parked") == 0


async def test_one_that_closes_in_an_outage_ends_without_a_word(bench: Bench) -> None:
    partition = Partition(
        WHERE,
        bench.handlers(),
        database=Database("postgresql:///none?host=/nowhere"),
        slots=asyncio.Semaphore(1),
        health=Health(Breaker()),
    )

    async def is_waiting() -> bool:
        return partition.is_waiting

    partition.open_at(0)
    async with applying(partition):
        partition.fetched(rows(0, 1))
        await until(is_waiting)
    assert await bench.stands_at() == 0


async def test_the_event_that_kills_the_process_is_parked_at_its_fifth_start(bench: Bench) -> None:
    await bench.apply(0)
    for _ in range(4):
        await mark_start(bench.database, WHERE, 1)  # four processes began here and died
    await carry_out(bench, bench.partition(), rows(1, 2, 3), until_offset=4)
    async with reading(bench.database) as tx:
        (kept,) = await parked.list_rows(tx)
    assert (kept["offset"], kept["reason"]) == (1, "crash_loop")
    assert await bench.one("select count(*) from applied") == 3


async def test_starts_are_counted_per_offset(bench: Bench) -> None:
    assert [await mark_start(bench.database, WHERE, offset) for offset in (5, 5, 5, 6, 5)] == [1, 2, 3, 1, 1]


async def test_too_many_of_our_failures_stop_the_partition_where_it_is(bench: Bench) -> None:
    for number in range(100):
        bench.failing[erased(number).id] = lambda: ValueError("bad release")
    health = Health(Breaker())
    partition = bench.partition(health)

    async def is_open() -> bool:
        return health.breaker.is_open

    partition.open_at(0)
    async with applying(partition):
        partition.fetched(rows(*range(100)))
        await until(is_open)
    assert await bench.one("select count(*) from parked") == 21
    assert await bench.stands_at() == 21


async def test_records_that_do_not_follow_on_are_thrown_away_and_twice_is_a_gap(bench: Bench) -> None:
    partition = bench.partition()
    partition.open_at(0)
    assert not partition.fetched(rows(1, 2))
    assert not partition.is_open
    assert not partition.is_stopped
    partition.open_at(0)
    assert not partition.fetched(rows(0, 2))
    assert partition.is_stopped
    assert partition.stopped_because is not None
    assert partition.stopped_because.startswith("gap")


async def test_more_parked_than_a_person_can_look_at_stops_the_partition(bench: Bench) -> None:
    async with bench.database.engine.begin() as connection:
        await connection.execute(
            text(
                """
                insert into parked (id, consumer, topic, partition, "offset", event_id, event_type, key, headers,
                                    payload, reason, detail, is_ours)
                select gen_random_uuid(), 'scoring', 'leads', 0, n, gen_random_uuid(), 't', 'k', '{}',
                       '', 'failed', '', true
                  from generate_series(1, :most) as n
                """
            ),
            {"most": parked.OPEN_MOST},
        )
    bench.failing[erased(0).id] = lambda: ValueError("one more")
    partition = bench.partition()

    async def is_stopped() -> bool:
        return partition.is_stopped

    partition.open_at(0)
    async with applying(partition):
        partition.fetched(rows(0, 1))
        await until(is_stopped)
    assert await bench.stands_at() == 0


async def test_replay_applies_a_parked_event_once_through_the_same_use_case(bench: Bench) -> None:
    bench.failing[erased(1).id] = lambda: ValueError("not yet")
    await carry_out(bench, bench.partition(), rows(0, 1, 2), until_offset=3)
    parked_id = derived_id("parked", "scoring", erased(1).id)
    with pytest.raises(Refused, match="our own ValueError"):
        await parked.replay(bench.database, [bench.handlers()], parked_id, by="user:1")
    bench.failing.clear()
    await parked.replay(bench.database, [bench.handlers()], parked_id, by="user:1")
    assert await bench.one("select count(*) from applied") == 3
    with pytest.raises(Refused, match="replayed already"):
        await parked.replay(bench.database, [bench.handlers()], parked_id, by="user:1")
    with pytest.raises(Refused):
        await parked.discard(bench.database, parked_id, by="user:1", reason="no longer of use")
    with pytest.raises(NotFound):
        await parked.replay(bench.database, [bench.handlers()], derived_id("none"), by="user:1")
    assert await bench.one("select settled_by from parked") == "user:1"


async def test_discarding_keeps_the_reason(bench: Bench) -> None:
    bench.failing[erased(0).id] = lambda: ValueError("never")
    await carry_out(bench, bench.partition(), rows(0), until_offset=1)
    parked_id = derived_id("parked", "scoring", erased(0).id)
    await parked.discard(bench.database, parked_id, by="cli:cli", reason="a test event")
    async with reading(bench.database) as tx:
        shown = await parked.show_row(tx, parked_id)
        assert await parked.open_count(tx) == 0
    assert shown is not None
    assert (shown["state"], shown["settled_because"]) == ("discarded", "a test event")


async def test_only_so_many_open_ones_are_kept_of_one_source(bench: Bench) -> None:
    async with bench.database.engine.begin() as connection:
        await connection.execute(
            text(
                """
                insert into parked (id, consumer, topic, partition, "offset", event_id, event_type, key, source,
                                    headers, payload, reason, detail, is_ours)
                select gen_random_uuid(), 'scoring', 'leads', 0, n, gen_random_uuid(), 't', 'k', 's',
                       '{}', '', 'u', '', false
                  from generate_series(1, :most) as n
                """
            ),
            {"most": parked.OPEN_PER_SOURCE_MOST},
        )
    bench.failing[erased(0).id] = lambda: ParkError("unreadable", "u", is_ours=False, source="s")
    await carry_out(bench, bench.partition(), rows(0, 1), until_offset=2)
    assert await bench.one("select count(*) from parked") == parked.OPEN_PER_SOURCE_MOST
    assert await bench.one("select count(*) from inbox") == 2
