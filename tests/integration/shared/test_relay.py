"""From the outbox to the topic: in commit order per key, at least once, nothing lost whatever breaks in between."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from sqlalchemy import text

from shared.contracts.envelope import Event
from shared.contracts.leads import LeadErased, LeadLinked
from shared.db.engine import Database, transaction
from shared.ids import derived_id, jitter
from shared.stream.outbox import emit
from shared.stream.producer import PRODUCER_SETTINGS, REQUEST_BYTES, Producer, TooLargeToSend, Unacked
from shared.stream.relay import ROUND_ROWS, Relay, outbox_waiting
from shared.telemetry import Step, install_hook
from tests.integration.shared.stage import AT, PARTITIONS, Stage, erased, until

WRITERS, ROUNDS, LEADS = 8, 40, 5


class BrokenError(Exception):
    """What a hook raises in the middle of a round."""


async def read_all(stage: Stage) -> list[tuple[str, UUID, bytes]]:
    """Key, event id and value of each record of the topic `leads`, in log order per partition."""
    client = AIOKafkaConsumer(bootstrap_servers=stage.settings.kafka_bootstrap_servers, auto_offset_reset="none")
    await client.start()
    try:
        where = [TopicPartition(stage.settings.topic_prefix + "leads", number) for number in range(PARTITIONS)]
        client.assign(where)
        ends = await client.end_offsets(where)
        for one in where:
            client.seek(one, 0)
        records: list[ConsumerRecord] = []
        while len(records) < sum(ends.values()):
            for batch in (await client.getmany(timeout_ms=200)).values():
                records.extend(batch)
        return [(one.key.decode(), UUID(dict(one.headers)["ce_id"].decode()), one.value) for one in records]
    finally:
        await client.stop()


@asynccontextmanager
async def relaying(*relays: Relay) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for relay in relays:
            group.create_task(relay.run(stop))
        yield
        stop.set()


def is_empty(stage: Stage) -> Callable[[], Awaitable[bool]]:
    async def waiting() -> bool:
        return bool(await stage.one("select count(*) = 0 from outbox"))

    return waiting


async def write(stage: Stage, writer: int) -> None:
    """One writer: locks a lead's row, raises its version, and emits it, again and again."""
    for number in range(ROUNDS):
        lead = derived_id("lead", int(jitter() * LEADS))
        async with transaction(stage.database, "periodic") as tx:
            raised = await tx.execute(
                "update versions set version = version + 1 where lead_id = :lead returning version", {"lead": lead}
            )
            version = raised.scalar_one()
            payload = LeadLinked(
                lead_id=lead, account_id=derived_id("account"), link_version=version, by="domain", is_target=False
            )
            event_id = derived_id("linked", writer, number)
            emit(tx, Event.first(payload, source="/baton/ingest", occurred_at=AT, recorded_at=AT, id=event_id))


async def prepare(stage: Stage) -> None:
    async with stage.database.engine.begin() as connection:
        await connection.exec_driver_sql("create table versions (lead_id uuid primary key, version int default 0)")
        for number in range(LEADS):
            lead = derived_id("lead", number)
            await connection.execute(text("insert into versions (lead_id) values (:lead)"), {"lead": lead})


def first_occurrences(records: list[tuple[str, UUID, bytes]]) -> dict[str, list[int]]:
    """Versions per lead, each event's first record alone: what a reader with an inbox sees."""
    seen: set[UUID] = set()
    versions: dict[str, list[int]] = defaultdict(list)
    for key, event_id, value in records:
        if event_id not in seen:
            seen.add(event_id)
            versions[key].append(LeadLinked.model_validate_json(value).link_version)
    return versions


async def test_commit_order_per_lead_is_the_order_of_the_log_with_eight_writers(stage: Stage) -> None:
    await prepare(stage)
    relay = Relay(stage.settings, stage.database)
    async with relaying(relay):
        await asyncio.gather(*(write(stage, writer) for writer in range(WRITERS)))
        await until(is_empty(stage))
    versions = first_occurrences(await read_all(stage))
    assert sum(map(len, versions.values())) == WRITERS * ROUNDS
    for listed in versions.values():
        assert listed == list(range(1, len(listed) + 1))
    assert await stage.one("select count(*) from outbox_sent") == WRITERS * ROUNDS


async def test_two_relays_take_turns_and_lose_nothing(stage: Stage) -> None:
    await prepare(stage)
    async with relaying(Relay(stage.settings, stage.database), Relay(stage.settings, stage.database)):
        await asyncio.gather(*(write(stage, writer) for writer in range(4)))
        await until(is_empty(stage))
    assert sum(map(len, first_occurrences(await read_all(stage)).values())) == 4 * ROUNDS


async def test_a_relay_leads_again_after_its_database_broke_its_connections(stage: Stage) -> None:
    own = Database(stage.database.url, pool_size=2, application_name="to be broken")
    async with relaying(Relay(stage.settings, own)):
        for number in range(3):
            async with transaction(stage.database, "periodic") as tx:
                emit(tx, erased(number))
            await until(is_empty(stage))
            await stage.one(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database()"
                " and (application_name like 'to be broken%' or application_name like 'baton-lock relay%')"
            )
    await own.close()
    assert {event_id for _, event_id, _ in await read_all(stage)} == {erased(number).id for number in range(3)}


@pytest.mark.parametrize("step", ["relay:after_read", "relay:mid_send", "relay:after_ack", "relay:before_move"])
async def test_a_round_broken_at_any_step_is_repeated_whole(stage: Stage, step: Step) -> None:
    async with transaction(stage.database, "periodic") as tx:
        emit(tx, *(erased(number) for number in range(50)))

    async def breaks(reached: Step) -> None:
        if reached == step:
            raise BrokenError

    relay = Relay(stage.settings, stage.database)
    await relay.start()
    install_hook(breaks)
    try:
        with pytest.raises(BrokenError):
            await relay.publish_round()
    finally:
        install_hook(None)
    assert await stage.one("select count(*) from outbox") == 50
    assert await relay.publish_round() == 50
    await relay.stop()
    ids = [event_id for _, event_id, _ in await read_all(stage)]
    assert set(ids) == {erased(number).id for number in range(50)}
    assert await stage.one("select count(*) from outbox_sent") == 50
    assert await stage.one("select count(*) from outbox") == 0


async def test_moving_a_round_reads_the_next_one_and_nothing_overtakes(stage: Stage) -> None:
    numbers = range(ROUND_ROWS + 20)
    async with transaction(stage.database, "periodic") as tx:
        emit(tx, *(erased(number, lead=1) for number in numbers))
    relay = Relay(stage.settings, stage.database)
    await relay.start()
    assert await relay.publish_round() == ROUND_ROWS
    async with transaction(stage.database, "periodic") as tx:
        emit(tx, erased(len(numbers), lead=1))
    assert [await relay.publish_round() for _ in range(3)] == [20, 1, 0]
    await relay.stop()
    expected = [erased(number).id for number in range(len(numbers) + 1)]
    assert [event_id for _, event_id, _ in await read_all(stage)] == expected
    assert await stage.one("select count(*) from outbox_sent") == len(expected)


async def test_a_rolled_back_transaction_emits_nothing(stage: Stage) -> None:
    with pytest.raises(BrokenError):
        await _emit_and_break(stage)
    assert await stage.one("select count(*) from outbox") == 0


async def test_what_waits_is_counted(stage: Stage) -> None:
    async with transaction(stage.database, "periodic") as tx:
        emit(tx, erased(1), erased(2))
        assert await outbox_waiting(tx) == 0  # written at the commit, after all locks
    async with transaction(stage.database, "periodic") as tx:
        assert await outbox_waiting(tx) == 2


async def test_a_send_nobody_acknowledges_is_unknown_at_its_deadline() -> None:
    producer = Producer("127.0.0.1:1", client_id="nobody")
    with pytest.raises(Unacked):
        await producer.send("leads", "k", b"{}", [])
    await producer.stop()


async def test_a_record_above_the_topic_s_bound_fails_and_the_producer_goes_on(stage: Stage) -> None:
    with pytest.raises(TooLargeToSend):
        await stage.producer.send("leads", "k", b"x" * (REQUEST_BYTES + 1), [])
    with pytest.raises(TooLargeToSend):
        await stage.producer.send("leads", "k", b"x" * (2 * 1024 * 1024), [], deadline_seconds=5)
    event = erased(1)
    await stage.producer.send("leads", event.key, event.payload.to_json(), [("ce_id", str(event.id).encode())])
    assert [event_id for _, event_id, _ in await read_all(stage)] == [event.id]


async def _emit_and_break(stage: Stage) -> None:
    async with transaction(stage.database, "periodic") as tx:
        emit(tx, erased(1))
        raise BrokenError


def test_the_producer_waits_for_all_replicas() -> None:
    assert PRODUCER_SETTINGS["acks"] == "all"
    assert PRODUCER_SETTINGS["enable_idempotence"] is True
    assert LeadErased.TYPE == "baton.lead.erased.v1"
