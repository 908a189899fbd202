"""Sending dispatches: claimed under a lease, settled by the attempt that still holds it, lanes kept healthy.

Each lane (an endpoint, or all mail) is claimed by one process at a time and holds at most IN_FLIGHT_MAX; a claim that
nobody settles stays `unknown` until its lease ends, then is claimed again. `next_at` is world time, leases are machine
time. Source: RELIABILITY 3.9.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Integer, Uuid, bindparam, text

from services.handoff.domain.dispatch import IN_FLIGHT_MAX, Answer, Judged, LaneHealth
from services.handoff.tables.dispatches import MAIL_LANE
from shared.db.engine import ReadTx, Tx
from shared.ids import DispatchId, EndpointId, HandoffId, LeadId, UserId, derived_id

__all__ = [
    "LEASE_SECONDS",
    "Claimed",
    "Reader",
    "claim_dispatches",
    "hasten_lane",
    "kept_answer",
    "lane_health",
    "reader_of",
    "save_lane_health",
    "settle_dispatch",
    "write_endpoint_mail",
]

# Longer than any attempt may take (20 s in all, and the names before it), so that a live one is never claimed twice.
LEASE_SECONDS = 45
# What is kept of an answer (SENDERS 9).
ANSWER_BYTES_MAX = 2048


@dataclass(frozen=True, slots=True)
class Claimed:
    """One dispatch in our hands: everything an attempt needs but names and secrets.

    attempt numbers all attempts; tries those since it was made or resent. rate is the lane's now, per machine second.
    """

    id: DispatchId
    lane_id: EndpointId
    channel: str
    attempt: int
    tries: int
    is_repeat: bool
    event_id: UUID
    type: str
    body: str
    rate: float
    lead_id: LeadId | None
    handoff_id: HandoffId | None
    recipient_id: UserId | None
    recipient: str | None


_CLAIM = text(
    f"""
    with budget as (
        select * from unnest(:lane_ids, :budgets) as budget (lane_id, places)
    ), open as (
        select l.id, l.channel, l.rate_per_second * l.rate_share as rate, coalesce(b.places, {IN_FLIGHT_MAX}) as places
          from lane l left join budget b on b.lane_id = l.id
         where l.is_enabled
           and exists (select from dispatch d where d.lane_id = l.id and d.state in ('waiting', 'unknown')
                          and d.next_at <= baton_now())
           for update of l skip locked
    ), picked as (
        select due.id, open.channel, open.rate
          from open cross join lateral (
            select d.id from dispatch d
             where d.lane_id = open.id and d.state in ('waiting', 'unknown') and d.next_at <= baton_now()
               and (d.leased_until is null or d.leased_until < now())
             order by d.next_at, d.number
             limit greatest(0, least(open.places, {IN_FLIGHT_MAX} - (
                select count(*) from dispatch f
                 where f.lane_id = open.id and f.state = 'unknown' and f.leased_until >= now())))
             for update skip locked
          ) due
    ), claimed as (
        update dispatch d
           set attempts = d.attempts + 1, is_repeat = d.is_repeat or d.state = 'unknown', state = 'unknown',
               leased_until = now() + make_interval(secs => {LEASE_SECONDS})
          from picked where d.id = picked.id
        returning d.*, picked.channel, picked.rate
    ), logged as (
        insert into attempt (dispatch_id, number, started_at, is_repeat)
        select id, attempts, baton_now(), is_repeat from claimed
    )
    select * from claimed order by number
    """  # noqa: S608 - constants of ours
).bindparams(bindparam("lane_ids", type_=ARRAY(Uuid)), bindparam("budgets", type_=ARRAY(Integer)))


async def claim_dispatches(tx: Tx, *, budgets: Mapping[EndpointId, int]) -> list[Claimed]:
    """Take what is due, oldest first in each lane, and note an attempt of each; the caller commits, then sends.

    budgets: how many more a lane may send now by its rate; a lane that is absent may send IN_FLIGHT_MAX.
    """
    ids = sorted(budgets)
    rows = await tx.execute(_CLAIM, {"lane_ids": ids, "budgets": [budgets[one] for one in ids]})
    return [
        Claimed(
            id=DispatchId(row.id),
            lane_id=EndpointId(row.lane_id),
            channel=row.channel,
            attempt=row.attempts,
            tries=row.attempts - row.attempts_before,
            is_repeat=row.is_repeat,
            event_id=row.event_id,
            type=row.type,
            body=row.body,
            rate=row.rate,
            lead_id=row.lead_id,
            handoff_id=row.handoff_id,
            recipient_id=row.recipient_id,
            recipient=row.recipient,
        )
        for row in rows
    ]


_SETTLE = text(
    """
    update dispatch
       set state = :state, next_at = coalesce(cast(:next_at as timestamptz), next_at), leased_until = null,
           ended_at = case when :is_final then baton_now() end
     where id = :id and attempts = :attempt and state = 'unknown'
    returning id
    """
)
_LOG = text(
    """
    update attempt set outcome = :outcome, status = :status, answer = :answer, error = :error,
           milliseconds = :milliseconds, next_at = :next_at
     where dispatch_id = :id and number = :attempt
    """
)


async def settle_dispatch(tx: Tx, claimed: Claimed, answer: Answer, judged: Judged, *, milliseconds: int) -> bool:
    """Write the result of one attempt. False: another attempt or a withdrawal came between, and nothing changed."""
    state = "done" if judged.is_delivered else "failed" if judged.is_final else "waiting"
    found = await tx.execute(
        _SETTLE,
        {
            "id": claimed.id,
            "attempt": claimed.attempt,
            "state": state,
            "next_at": judged.next_at,
            "is_final": judged.is_final,
        },
    )
    if found.first() is None:
        return False
    await tx.execute(
        _LOG,
        {
            "id": claimed.id,
            "attempt": claimed.attempt,
            "outcome": answer.outcome.value,
            "status": answer.status,
            "answer": kept_answer(answer.body),
            "error": answer.error,
            "milliseconds": milliseconds,
            "next_at": judged.next_at,
        },
    )
    return True


def kept_answer(body: bytes) -> str:
    """What the attempt log keeps of an answer: the first 2 kB as text, without NUL, which PostgreSQL cannot hold."""
    return body[:ANSWER_BYTES_MAX].decode(errors="replace").replace("\x00", "")


async def lane_health(tx: Tx, lane_id: UUID) -> tuple[LaneHealth, datetime | None]:
    """The lane's health and when its owner was warned, locked until the caller commits."""
    row = (
        await tx.execute(
            "select rate_share, failing_since, warned_at from lane where id = :id for update", {"id": lane_id}
        )
    ).one()
    return LaneHealth(row.rate_share, row.failing_since), row.warned_at


async def save_lane_health(
    tx: Tx, lane_id: UUID, health: LaneHealth, *, warned_at: datetime | None, disabled_because: str | None
) -> None:
    """Write the lane's health; a reason disables it."""
    await tx.execute(
        """
        update lane set rate_share = :share, failing_since = :since, warned_at = :warned_at,
               is_enabled = is_enabled and cast(:because as text) is null,
               disabled_because = coalesce(disabled_because, :because)
         where id = :id
        """,
        {
            "id": lane_id,
            "share": health.rate_share,
            "since": health.failing_since,
            "warned_at": warned_at,
            "because": disabled_because,
        },
    )


async def hasten_lane(tx: Tx, lane_id: UUID) -> None:
    """The lane answers again: what waits for its next attempt goes out now, oldest first."""
    await tx.execute(
        """
        update dispatch set next_at = baton_now()
         where lane_id = :id and state = 'waiting' and attempts > 0 and next_at > baton_now()
        """,
        {"id": lane_id},
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """Who a mail goes to: the address (None: none is known) and the time zone its moments are shown in."""

    address: str | None
    zone: str = "UTC"


_REP = """
    select r.email, c.zone from rep r
      left join team t on t.id = r.team_id
      left join calendar c on c.name = coalesce(r.calendar, t.calendar, 'default')
"""


async def reader_of(tx: ReadTx, claimed: Claimed) -> Reader:
    """The reader of a mail: the rep, the rep's manager, a user named as a queue's owner, or an address given as such.

    Roles have no address here; the caller knows the operator's.
    """
    who = claimed.recipient or ""
    if "@" in who:
        return Reader(who)
    if who == "manager":
        led = "join team own on own.manager_id = r.id join rep about on about.team_id = own.id"
        sql = f"{_REP} {led} where about.id = :id"
        row = (await tx.execute(sql, {"id": claimed.recipient_id})).first()
    else:
        row = (await tx.execute(f"{_REP} where r.id = :id", {"id": _user_of(claimed)})).first()
    return Reader(None) if row is None else Reader(row.email, row.zone or "UTC")


async def write_endpoint_mail(tx: Tx, lane_id: UUID, *, what: str, details: Mapping[str, str]) -> None:
    """A mail to the person who answers for an endpoint, if one is named; one per endpoint, occasion and day."""
    await tx.execute(
        """
        insert into dispatch (id, lane_id, recipient, event_id, type, body, next_at, made_at)
        select :id, :mail_lane, e.notify_email, :id, :what, :body, baton_now(), baton_now()
          from endpoint e where e.id = :lane and e.notify_email is not null
        on conflict do nothing
        """,
        {
            "id": derived_id("endpoint mail", lane_id, what, tx.now.date()),
            "mail_lane": UUID(MAIL_LANE),
            "lane": lane_id,
            "what": what,
            "body": orjson.dumps({"what": what, "details": dict(details)}).decode(),
        },
    )


def _user_of(claimed: Claimed) -> UUID | None:
    """The rep the mail is for, or the user id that names a queue's owner; None for a role."""
    if claimed.recipient in {None, "rep"}:
        return claimed.recipient_id
    try:
        return UUID(claimed.recipient)
    except ValueError:
        return None
