"""A consumer among its like: opening, taking over, refusing a log that is not ours, and the watchdog."""

import asyncio
import os
import signal
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from shared.contracts.envelope import Event
from shared.contracts.leads import LeadErased
from shared.db.engine import Tx
from shared.db.locks import LockNotGot, session_lock
from shared.errors import Fatal
from shared.stream.consumer import Consumer
from shared.stream.log_ends import end_offsets
from shared.stream.membership import CONSUMER_SETTINGS
from shared.stream.progress import first_positions
from shared.stream.topics import check_topics, create_topics
from shared.stream.watchdog import Patience
from shared.telemetry import Step, install_hook
from tests.integration.shared.stage import PARTITIONS, PATIENCE_SECONDS, Stage, running, until


def leaves_of(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in leaves_of(one)]
    return [error]


async def test_two_workers_share_the_partitions_and_each_event_is_applied_once(stage: Stage) -> None:
    first, second = stage.consumer(instance="0"), stage.consumer(instance="1")

    async def both_read() -> bool:
        return first.is_ready and second.is_ready

    async def read_all() -> bool:
        return first.handled + second.handled >= 400 and await stage.applied() == 400

    async with running(first, second):
        await until(both_read)
        await stage.send(range(400))
        await until(read_all)
    assert await stage.one("select sum(next_offset) from progress where topic = 'leads'") == 400
    assert await stage.one("select count(distinct event_id) from applied") == 400


async def test_a_position_beyond_the_log_stops_that_partition_for_every_restart(stage: Stage) -> None:
    await stage.send(range(100))
    await first_positions(stage.database, "scoring", {("leads", 0): 1_000_000, ("leads", 1): 0})
    for _ in range(2):
        consumer = stage.consumer()

        async def has_stopped() -> bool:
            rows = await stage.rows("select partition from progress where stopped_because like 'not the log we read%'")
            reached = await stage.one("select next_offset from progress where partition = 1")
            ends = await end_offsets(
                stage.settings.kafka_bootstrap_servers,
                {"leads": PARTITIONS},
                topic_prefix=stage.settings.topic_prefix,
            )
            return [row[0] for row in rows] == [0] and reached == ends["leads", 1]

        async with running(consumer):
            await until(has_stopped)
    assert await stage.one("select next_offset from progress where partition = 0") == 1_000_000


async def test_a_partition_that_a_person_released_is_read_again(stage: Stage) -> None:
    await stage.send(range(50))
    await first_positions(stage.database, "scoring", {("leads", 0): 0, ("leads", 1): 0})
    async with stage.database.engine.begin() as connection:
        await connection.execute(text("update progress set stopped_because = 'by hand'"))
    stopped = stage.consumer()

    async def is_member() -> bool:
        return stopped.is_ready

    async with running(stopped):
        await until(is_member)
    assert await stage.applied() == 0
    async with stage.database.engine.begin() as connection:
        await connection.execute(text("update progress set stopped_because = null"))
    released = stage.consumer()

    async def read_all() -> bool:
        return await stage.applied() == 50

    async with running(released):
        await until(read_all)


async def test_a_consumer_whose_events_all_fail_stops_and_is_not_ready(stage: Stage) -> None:
    async def always_fails(_: Tx, __: Sequence[Event[LeadErased]]) -> None:
        raise ValueError

    await stage.send(range(200))
    consumer = stage.consumer(usecase=always_fails)

    async def has_stopped() -> bool:
        return consumer.stopped_because is not None

    async with running(consumer):
        await until(has_stopped)
        assert not consumer.is_ready
    assert int(await stage.one("select count(*) from parked")) <= 21 + PARTITIONS


async def test_standing_still_before_waiting_records_ends_the_process(stage: Stage) -> None:
    await stage.send(range(10))

    async def hangs(step: Step) -> None:
        if step == "partition:after_open":
            await asyncio.Event().wait()

    consumer = Consumer(
        stage.settings,
        stage.handlers(),
        stage.database,
        patience=Patience(no_progress=0.5, nothing_assigned=60, look_every=0.1),
    )
    install_hook(hangs)
    try:
        with pytest.raises(BaseExceptionGroup) as caught:
            await consumer.run(asyncio.Event())
    finally:
        install_hook(None)
    assert any(isinstance(one, Fatal) and "nothing moved" in str(one) for one in leaves_of(caught.value))


async def test_a_second_process_with_one_instance_id_does_not_get_in(stage: Stage) -> None:
    consumer = stage.consumer()

    async def is_member() -> bool:
        return consumer.is_ready

    async with running(consumer):
        await until(is_member)
        with pytest.raises(LockNotGot):
            async with session_lock(stage.database, "instance scoring-consumer-0", wait_seconds=0.1):
                pass


async def test_a_lost_lock_is_noticed(stage: Stage) -> None:
    async with session_lock(stage.database, "some lock", wait_seconds=1) as lock:
        await stage.one(
            """
            select bool_or(pg_terminate_backend(pid)) from pg_stat_activity
             where application_name = 'baton-lock some lock'
            """
        )
        async with asyncio.timeout(30):
            await lock.lost()


async def test_a_lock_lost_in_a_stall_of_the_server_is_free_after_it(stage: Stage) -> None:
    async with session_lock(stage.database, "stalled", wait_seconds=1) as lock:
        backend = await stage.one("select pid from pg_stat_activity where application_name = 'baton-lock stalled'")
        os.kill(backend, signal.SIGSTOP)
        try:
            await lock.lost(answer_seconds=0.2)
        finally:
            os.kill(backend, signal.SIGCONT)
        async with session_lock(stage.database, "stalled", wait_seconds=PATIENCE_SECONDS):
            pass


async def test_topics_are_made_once_and_missing_ones_refuse_the_start(stage: Stage) -> None:
    servers = stage.settings.kafka_bootstrap_servers
    made = await create_topics(servers, partitions=2, replication=1, topic_prefix=stage.settings.topic_prefix)
    assert made == []
    counts = await check_topics(servers, ["leads", "models"], topic_prefix=stage.settings.topic_prefix)
    assert counts == {"leads": PARTITIONS, "models": 1}
    with pytest.raises(Fatal, match="do not exist"):
        await check_topics(servers, ["leads"], topic_prefix="nobody.")


def test_the_client_is_set_as_proven() -> None:
    expected = {
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "session_timeout_ms": 10_000,
        "heartbeat_interval_ms": 2_000,
        "rebalance_timeout_ms": 10_000,
        "max_poll_interval_ms": 60_000,
        "request_timeout_ms": 11_000,
        "isolation_level": "read_committed",
        "max_partition_fetch_bytes": 12 * 1024 * 1024,
    }
    assert {name: CONSUMER_SETTINGS[name] for name in expected} == expected
