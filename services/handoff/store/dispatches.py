"""Dispatches: written in the transaction of what they tell of, withdrawn when that is no longer so, emptied on erasure.

One webhook dispatch per event and endpoint that wants it, one mail per notice. Bodies hold no personal data: names are
asked of ingest at each attempt.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, BigInteger, Uuid, bindparam, text

from services.handoff.domain.endpoints import OFFERED_TYPES, Subscription, wants
from services.handoff.domain.notices import Notice
from services.handoff.outbound.webhook import render
from services.handoff.store.rows import Put
from services.handoff.tables.dispatches import INGEST_LANE, MAIL_LANE, dispatch
from shared.contracts.envelope import Event
from shared.db.engine import ReadTx, Tx
from shared.db.standing import Due
from shared.ids import derived_id

__all__ = [
    "dispatches_standing",
    "end_dispatches_of_leads",
    "next_due",
    "prune_dispatches",
    "put_dispatches",
    "wake_loop",
    "when_written",
    "withdraw_notices",
]

# How long what is done stays readable in the attempt log.
KEPT_DAYS = 30
_PRUNE_AT_ONCE = 5000

_listeners: list[Callable[[], None]] = []


def when_written(wake: Callable[[], None]) -> None:
    """Call this after every commit of this process that wrote dispatches: the loop need not wait for its next look."""
    if wake not in _listeners:
        _listeners.append(wake)


def wake_loop(tx: Tx) -> None:
    """Wake the loop of this process once this transaction has committed."""
    tx.after_commit.extend(_listeners)


async def put_dispatches(
    tx: Tx, notices: Sequence[Notice], events: Sequence[Event[Any]], subscriptions: Sequence[Subscription]
) -> Put:
    """Tell of these events and notices: one dispatch for each endpoint that wants an event, one mail for each notice.

    To be written before the outbox, in the transaction of the events, with the leads' locks held. The same event or
    notice again adds nothing.
    """
    rows = [_told(notice) for notice in notices]
    offered = [event for event in events if event.type in OFFERED_TYPES] if subscriptions else []
    if offered:
        rows += await _webhooks(tx, offered, subscriptions)
    if rows:
        wake_loop(tx)
    return Put(dispatch, rows, "once")


_LEADS = text("select id, is_erased, consents from lead where id = any(:ids)").bindparams(
    bindparam("ids", type_=ARRAY(Uuid))
)
_POOLS = text("select id, pool from handoff where id = any(:ids)").bindparams(bindparam("ids", type_=ARRAY(Uuid)))
_LANES = text("select id from lane where id = any(:ids) order by id for key share").bindparams(
    bindparam("ids", type_=ARRAY(Uuid))
)
_VERSIONS = text(
    """
    insert into lead_version as held (lead_id, version)
    select * from unnest(:ids, :counts) as news (lead_id, version) order by lead_id
    on conflict (lead_id) do update set version = held.version + excluded.version
    returning lead_id, version
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)), bindparam("counts", type_=ARRAY(BigInteger)))


async def _webhooks(
    tx: Tx, events: Sequence[Event[Any]], subscriptions: Sequence[Subscription]
) -> list[dict[str, Any]]:
    pools = await _pools(tx, events) if any(each.pools for each in subscriptions) else {}
    consents = await _consents(tx, events)
    versions = await _next_versions(tx, events)
    rows: list[dict[str, Any]] = []
    for event, version in zip(events, versions, strict=True):
        data = orjson.loads(event.payload.to_json())
        pool = data.get("pool") or pools.get(_uuid(data.get("handoff_id")))
        is_erased, allowed = consents.get(_uuid(data.get("lead_id")), (False, {}))
        takers = [
            each
            for each in subscriptions
            if wants(each, event.type, data, pool=pool, consents=allowed, is_erased=is_erased)
        ]
        if takers:
            body = render(event_type=event.type, occurred_at=event.occurred_at, data=data, lead_version=version)
            rows += [_webhook(event, data, body.decode(), each, now=tx.now) for each in takers]
    return await _to_lanes_that_stand(tx, rows)


async def _to_lanes_that_stand(tx: Tx, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those for endpoints that were deleted since we began; the others' cannot be until the commit."""
    lane_ids = sorted({row["lane_id"] for row in rows})
    if not lane_ids:
        return rows
    standing = frozenset((await tx.execute(_LANES, {"ids": lane_ids})).scalars())
    return [row for row in rows if row["lane_id"] in standing]


async def _pools(tx: Tx, events: Sequence[Event[Any]]) -> dict[UUID | None, str]:
    ids = {getattr(event.payload, "handoff_id", None) for event in events} - {None}
    return {row.id: row.pool for row in await tx.execute(_POOLS, {"ids": sorted(ids)}) if row.pool}


async def _consents(tx: Tx, events: Sequence[Event[Any]]) -> dict[UUID | None, tuple[bool, Mapping[str, bool]]]:
    """Per lead whether it is erased, and per purpose whether it is allowed."""
    ids = {getattr(event.payload, "lead_id", None) for event in events} - {None}
    return {
        row.id: (row.is_erased, {purpose: held[1] for purpose, held in row.consents.items()})
        for row in await tx.execute(_LEADS, {"ids": sorted(ids)})
    }


async def _next_versions(tx: Tx, events: Sequence[Event[Any]]) -> list[int | None]:
    """lead_version of each event: the lead's count goes up by one with every event, in their order."""
    leads = [getattr(event.payload, "lead_id", None) for event in events]
    counts = Counter(lead for lead in leads if lead is not None)
    ids = sorted(counts)
    found = await tx.execute(_VERSIONS, {"ids": ids, "counts": [counts[one] for one in ids]})
    following = {row.lead_id: row.version - counts[row.lead_id] for row in found}
    versions: list[int | None] = []
    for lead in leads:
        if lead is not None:
            following[lead] += 1
        versions.append(None if lead is None else following[lead])
    return versions


def _webhook(
    event: Event[Any], data: Mapping[str, Any], body: str, taker: Subscription, *, now: datetime
) -> dict[str, Any]:
    """A waiting row; for a disabled endpoint one that has failed already, so that it can be resent after enabling."""
    return _row(
        id=derived_id("dispatch", event.id, taker.id),
        lane_id=taker.id,
        event_id=event.id,
        type=event.type,
        lead_id=data.get("lead_id"),
        handoff_id=data.get("handoff_id"),
        body=body,
        made_at=now,
        state="waiting" if taker.is_enabled else "failed",
        ended_at=None if taker.is_enabled else now,
    )


def _told(notice: Notice) -> dict[str, Any]:
    card = {
        "what": notice.what,
        "audience": notice.audience,
        "queue": notice.queue,
        "due_at": notice.due_at,
        "level": notice.level,
        "reasons": notice.reasons,
        "details": dict(notice.details),
    }
    return _row(
        id=notice.id,
        lane_id=INGEST_LANE if notice.audience == "ingest" else MAIL_LANE,
        event_id=notice.id,
        type=notice.what,
        lead_id=notice.lead_id,
        handoff_id=notice.handoff_id,
        recipient_id=notice.rep_id,
        recipient=notice.queue_owner if notice.audience == "queue_owner" else notice.audience,
        body=orjson.dumps(card).decode(),
        made_at=notice.made_at,
    )


def _row(**values: Any) -> dict[str, Any]:  # noqa: ANN401 - cells
    empty = {"recipient_id": None, "recipient": None, "state": "waiting", "attempts": 0, "attempts_before": 0}
    rest = {"is_repeat": False, "next_at": values["made_at"], "leased_until": None, "ended_at": None}
    return {**empty, **rest, **values}


def _uuid(value: str | None) -> UUID | None:
    return None if value is None else UUID(value)


async def next_due(tx: ReadTx) -> datetime | None:
    """The world time at which the next dispatch of an enabled lane becomes due; past while something is due now."""
    found: datetime | None = (
        await tx.execute(
            """
            select min(d.next_at) from dispatch d join lane l on l.id = d.lane_id
             where l.is_enabled and d.state in ('waiting', 'unknown')
            """
        )
    ).scalar()
    return found


async def dispatches_standing(tx: ReadTx) -> Due:
    """For the standing page: dispatches due and not settled, and the next moment one becomes due."""
    row = (
        await tx.execute(
            """
            select count(*) filter (where d.next_at <= baton_now()) as due,
                   min(d.next_at) filter (where d.next_at > baton_now()) as next_at
              from dispatch d join lane l on l.id = d.lane_id
             where l.is_enabled and d.state in ('waiting', 'unknown')
            """
        )
    ).one()
    return Due(row.due, row.next_at)


_WITHDRAW = text(
    """
    update dispatch d set state = 'withdrawn', ended_at = baton_now(), leased_until = null
      from lane l
     where l.id = d.lane_id and l.channel = 'mail' and d.state in ('waiting', 'unknown') and d.handoff_id = any(:ids)
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))


async def withdraw_notices(tx: Tx, handoff_ids: Sequence[UUID]) -> None:
    """Mails about these handoffs that have not left need not leave; webhooks are facts and stay."""
    await tx.execute(_WITHDRAW, {"ids": list(handoff_ids)})


_END = text(
    """
    update dispatch set state = 'withdrawn', ended_at = baton_now(), leased_until = null
     where lead_id = any(:ids) and state in ('waiting', 'unknown') and type <> 'baton.lead.erased.v1'
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))
_FORGET = text(
    """
    update attempt set answer = '' from dispatch d
     where d.id = attempt.dispatch_id and d.lead_id = any(:ids) and attempt.answer <> ''
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))


async def end_dispatches_of_leads(tx: Tx, lead_ids: Sequence[UUID]) -> None:
    """Erased people: end what waits about them, but the news of the erasure, and empty the answers kept."""
    await tx.execute(_END, {"ids": list(lead_ids)})
    await tx.execute(_FORGET, {"ids": list(lead_ids)})


async def prune_dispatches(tx: Tx) -> None:
    """Delete what ended longer than KEPT_DAYS ago, a bounded number at once; a use case of `every`."""
    await tx.execute(
        f"""
        delete from dispatch where id in (
            select id from dispatch where ended_at < baton_now() - interval '{KEPT_DAYS} days' limit {_PRUNE_AT_ONCE})
        """  # noqa: S608 - constants of ours
    )
