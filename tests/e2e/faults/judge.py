"""Judges a storm from what is left: the client's receipts, the topics, the databases; never the services' metrics.

Every check works by id and returns what is wrong in words; an empty list means nothing was lost, doubled or out of
order.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from uuid import UUID

import asyncpg

from shared.config import SERVICES
from shared.contracts.activities import ActivityRecorded
from shared.contracts.envelope import Event, Payload
from shared.contracts.handoffs import HandoffAccepted, HandoffAssigned, HandoffEscalated, HandoffEvent, HandoffTouched
from shared.contracts.scores import LeadScored
from shared.ids import derived_id
from shared.stream.reader import read_topic
from tests.support.stack import BatonStack

__all__ = ["census", "findings"]

SHOWN = 5


async def findings(stack: BatonStack, *, source_id: UUID, kept: Mapping[str, str]) -> list[str]:
    """All that is wrong after the stack came to rest. kept: what got a 2xx, message id to type."""
    expected = {derived_id(source_id, message): message for message in kept}
    acts = {derived_id(source_id, message) for message, kind in kept.items() if kind != "identify"}
    found = await _receipts(stack, expected)
    found += await _activities(stack, expected, acts)
    found += await _handoffs(stack)
    found += await _scores(stack)
    for service in SERVICES:
        answer = await stack.calls.call(service, "GET", "/internal/verify", internal=True)
        found += [f"ledger of {service}: {gap}" for gap in answer["gaps"]]
    return found


async def census(stack: BatonStack) -> dict[str, int]:
    """How much of everything a storm went through: handoffs and clocks by state, rungs fired, inputs by verdict."""
    rows = await _rows(
        stack,
        "handoff",
        "select 'handoff ' || state as what, count(*) from handoff group by state"
        " union all select 'clock ' || state, count(*) from clock group by state"
        " union all select 'rung', count(*) from escalation"
        " union all select 'rung after ' || kind, count(*) from escalation join clock on id = clock_id group by kind"
        " union all select kind || ' ' || verdict, count(*) from handoff_event group by kind, verdict order by 1",
    )
    return {row["what"]: row["count"] for row in rows}


async def _receipts(stack: BatonStack, expected: dict[UUID, str]) -> list[str]:
    """Each message that got a 2xx is remembered by ingest once, or its delivery is parked."""
    rows = await _rows(stack, "ingest", "select activity_id from activity_seen_server")
    parked = await _rows(stack, "ingest", "select id from parked where state = 'open'")
    lost = expected.keys() - {row["activity_id"] for row in rows}
    return _complaint("answered with 2xx and nowhere to be found", sorted(expected[one] for one in lost)) + _complaint(
        "well-formed and parked", sorted(str(row["id"]) for row in parked)
    )


async def _activities(stack: BatonStack, expected: dict[UUID, str], acts: set[UUID]) -> list[str]:
    """Each act is on the topic once and in scoring's history once, and nothing is there that nobody sent."""
    emitted: Counter[UUID] = Counter()
    async for event in _topic(stack, "activities"):
        if isinstance(event.payload, ActivityRecorded):
            emitted[event.payload.activity_id] += 1
    history = await _rows(stack, "scoring", "select activity_id, count(*) as times from activity group by activity_id")
    applied = {row["activity_id"]: row["times"] for row in history}
    return (
        _complaint("emitted twice under different ids", [str(one) for one, times in emitted.items() if times > 1])
        + _complaint("in scoring's history twice", [str(one) for one, times in applied.items() if times > 1])
        + _complaint("emitted and not in scoring's history", [str(one) for one in emitted if one not in applied])
        + _complaint("in scoring's history and never emitted", [str(one) for one in applied if one not in emitted])
        + _complaint("answered with 2xx and never emitted", [expected[one] for one in acts if one not in emitted])
        + _complaint("an activity that nobody sent", [str(one) for one in emitted if one not in expected])
    )


async def _handoffs(stack: BatonStack) -> list[str]:
    """Every handoff's events come in the order of their number, with one owner at most, and no clock after its act."""
    last: dict[UUID, HandoffEvent] = {}
    accepted: set[UUID] = set()
    touched: set[UUID] = set()
    found: list[str] = []
    async for event in _topic(stack, "handoffs"):
        one = event.payload
        if not isinstance(one, HandoffEvent):
            continue
        before = last.get(one.handoff_id)
        if one.seq != (before.seq if before else 0) + 1:
            found.append(f"handoff {one.handoff_id}: number {one.seq} came after {before.seq if before else 0}")
        last[one.handoff_id] = one
        if isinstance(one, HandoffAssigned):
            accepted.discard(one.handoff_id)
            touched.discard(one.handoff_id)
        elif isinstance(one, HandoffAccepted):
            accepted.add(one.handoff_id)
        elif isinstance(one, HandoffTouched):
            accepted.add(one.handoff_id)
            touched.add(one.handoff_id)
        elif isinstance(one, HandoffEscalated):
            kinds = {clock.clock_id: clock.kind for clock in one.clocks}
            kind = kinds.get(one.clock_id)
            if (kind == "accept" and one.handoff_id in accepted) or (kind == "touch" and one.handoff_id in touched):
                found.append(f"handoff {one.handoff_id}: its {kind} clock fired after the act that stops it")
    owners = await _rows(
        stack,
        "handoff",
        "select handoff_id from assignment where ended_at is null group by handoff_id having count(*) > 1",
    )
    people = await _rows(
        stack,
        "handoff",
        "select root_lead_id from handoff where owner_id is not null group by root_lead_id, motion having count(*) > 1"
        " and count(*) filter (where closed_at is null) > 1",
    )
    return (
        found[:SHOWN]
        + _complaint("handoffs with two owners", [str(row["handoff_id"]) for row in owners])
        + _complaint("leads with two owners", [str(row["root_lead_id"]) for row in people])
    )


async def _scores(stack: BatonStack) -> list[str]:
    """Per lead the versions of its score only grow."""
    last: dict[str, int] = defaultdict(int)
    wrong: list[str] = []
    async for event in _topic(stack, "scores"):
        if isinstance(event.payload, LeadScored) and type(event.payload) is LeadScored:
            if event.payload.score_version <= last[event.key]:
                wrong.append(event.key)
            last[event.key] = event.payload.score_version
    return _complaint("scores out of order", wrong)


def _topic(stack: BatonStack, name: str) -> AsyncIterator[Event[Payload]]:
    kafka = stack.state.kafka
    assert kafka is not None
    return read_topic(kafka.address, f"baton.{name}")


async def _rows(stack: BatonStack, service: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(stack.database_url(service))
    try:
        rows: list[asyncpg.Record] = await connection.fetch(sql)
        return rows
    finally:
        await connection.close()


def _complaint(what: str, ids: list[str]) -> list[str]:
    return [f"{len(ids)} {what}: {', '.join(ids[:SHOWN])}"] if ids else []
