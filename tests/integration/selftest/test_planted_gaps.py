"""`baton verify` finds what is planted: one gap per part of the ledger, in databases that had none, named by its check.

Each gap is one statement of a careless hand, rolled back after it was looked at.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

import pytest
from sqlalchemy import text

from services.feedback.store.ledger import LEDGER as FEEDBACK
from services.handoff.store.attempts import DISPATCH_LEDGER, write_test
from services.handoff.store.ledger import LEDGER as HANDOFF
from services.handoff.tables.dispatches import MAIL_LANE
from services.ingest.store.results import LEDGER as INGEST
from shared.db.engine import Database, ReadTx, transaction
from shared.db.ledger import RUNTIME_CHECKS, LedgerCheck, find_gaps
from shared.ids import EndpointId, new_id
from shared.stream.outbox import emit
from tests.integration.feedback.desk import FeedbackDesk, feedback_desk
from tests.integration.handoff.world import crew, member, world_of
from tests.integration.ingest.stage import IngestStage, batch, page, raw_event
from tests.integration.shared.stage import erased
from tests.support.builders.feedback import START, days, lead_id, profile
from tests.support.builders.handoff import identified, qualified, rep_id
from tests.support.builders.handoff import lead_id as person

DatabaseOf = Callable[[str], Awaitable[str]]


@asynccontextmanager
async def deliveries(database_of: DatabaseOf) -> AsyncIterator[Database]:
    """Ingest after one delivery of two activities, and one event that waits to be published."""
    database = Database(await database_of("ingest"), pool_size=2)
    stage = await IngestStage(database).prepare()
    two = batch(page("/", anonymousId="a1"), page("/pricing", anonymousId="a1"))
    await stage.handle(raw_event(two, source_id=stage.source_id))
    async with transaction(database, "periodic") as tx:
        emit(tx, erased(1))
    yield database
    await database.close()


@asynccontextmanager
async def handoffs(database_of: DatabaseOf) -> AsyncIterator[Database]:
    """Handoff with one accepted handoff and one mail that waits."""
    async with world_of(database_of) as world:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(person("kim"))
        await world.accept(handoff.id, handoff.owner_id)
        async with transaction(world.database, "command") as tx:
            await write_test(tx, EndpointId(UUID(MAIL_LANE)), event_type="t", body="{}", event_id=new_id())
        yield world.database


@asynccontextmanager
async def outcomes(database_of: DatabaseOf) -> AsyncIterator[Database]:
    """Feedback with one deal that changed once."""
    desk: FeedbackDesk = await feedback_desk(await database_of("feedback"), at=START)
    await desk.feed(profile("kim"), at=days(3))
    for version, result in enumerate(("open", "won"), start=1):
        body = {
            "lead_id": str(lead_id("kim")),
            "result": result,
            "occurred_at": days(version).isoformat(),
            "object_version": version,
            "amount_minor": 1_000_00,
            "currency": "EUR",
        }
        answer = await desk.ask("PUT", "/v1/opportunities/crm/d-1", json=body)
        assert answer.is_success, answer.text
    await desk.tick()
    yield desk.database
    await desk.close()


Life = Callable[[DatabaseOf], AbstractAsyncContextManager[Database]]
_PARKED = """
    insert into parked (id, consumer, topic, partition, "offset", event_id, event_type, key, headers, payload, reason,
                        detail, is_ours)
    values (gen_random_uuid(), 'ingest', 'deliveries', 0, 1, gen_random_uuid(), 't', 'k', '{}', '', 'failed', '', true)
"""

_LATE_RUNG = """
    insert into escalation (clock_id, level, handoff_id, action, cause, fired_at, is_last, is_late_by_system)
    select id, 1, handoff_id, 'remind', 'late', ended_at + interval '1 second', false, false
      from clock where kind = 'accept'
"""

# What is planted where, and the part whose check must name it.
PLANTED: list[tuple[Life, str, str]] = [
    (deliveries, "deliveries", "update delivery_result set activities = activities - 1"),
    (deliveries, "deliveries", "insert into inbox (consumer, event_id) values ('ingest', gen_random_uuid())"),
    (deliveries, "deliveries", "delete from delivery_result"),
    (deliveries, "consumers", _PARKED),
    (deliveries, "outbox", "update outbox set written_at = written_at - interval '2 minutes'"),
    (
        deliveries,
        "outbox",
        "insert into outbox_sent select 0, id, topic, key, event_id, headers, payload from outbox",
    ),
    (handoffs, "handoffs", "update handoff set state = 'working'"),
    (handoffs, "handoffs", "delete from handoff_event"),
    (handoffs, "assignments", "update rep set load = load + 1"),
    (handoffs, "assignments", "update assignment set ended_at = baton_now(), ended_how = 'lost'"),
    (handoffs, "clocks", "delete from clock where state = 'armed'"),
    (
        handoffs,
        "clocks",
        "update clock set state = 'armed', ended_at = null where kind = 'accept'",
    ),
    (handoffs, "clocks", _LATE_RUNG),
    (handoffs, "clocks", "update clock set state = 'breached' where kind = 'accept'"),
    (handoffs, "dispatches", "update dispatch set attempts = 1"),
    (outcomes, "outcomes", "update outcome set recorded_at = recorded_at + interval '1 day' where supersedes is null"),
    (outcomes, "outcomes", "delete from credit where model = 'linear'"),
    (outcomes, "outcomes", "update credit set amount_minor = amount_minor - 1 where model = 'first'"),
]
_CHECKS: dict[Life, Sequence[LedgerCheck]] = {
    deliveries: INGEST,
    handoffs: (*HANDOFF, *DISPATCH_LEDGER),
    outcomes: FEEDBACK,
}


@pytest.mark.parametrize("life", [deliveries, handoffs, outcomes])
async def test_each_planted_gap_is_found_in_its_part_and_none_before(life: Life, database_of: DatabaseOf) -> None:
    checks = [*RUNTIME_CHECKS, *_CHECKS[life]]
    async with life(database_of) as database, database.connection() as connection:
        tx = ReadTx(connection, now=START)
        assert await find_gaps(tx, checks) == []
        for where, part, statement in PLANTED:
            if where is not life:
                continue
            await connection.begin()
            planted = await connection.execute(text(statement))
            assert planted.rowcount > 0, statement
            assert part in {gap.part for gap in await find_gaps(tx, checks)}, statement
            await connection.rollback()
        assert await find_gaps(tx, checks) == []
