"""Scores accounts whose people changed, or whose moment has come: one computation a round, however hot an account is.

Accounts are locked in id order and only then their people are read, without locks: a due row committed together with
its facts, so what it promises is visible here (DECISIONS section 1).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

import orjson

from services.scoring.domain.account import (
    AccountScore,
    AccountStanding,
    PersonShare,
    decide_account,
    score_account,
    shares_of,
)
from services.scoring.domain.criteria import FIRMOGRAPHIC
from services.scoring.domain.decay import micros, moment
from services.scoring.domain.happened import crossed_us, steps_for
from services.scoring.domain.person import Person, known_attributes, person_of
from services.scoring.store import accounts, decisions, leads
from services.scoring.store.accounts import AccountRow
from services.scoring.store.decisions import StoredDecision
from services.scoring.store.leads import Forest
from services.scoring.store.past import read_past
from services.scoring.usecases.judge_people import SOURCE
from services.scoring.usecases.pasts import pasts_of
from services.scoring.usecases.ruling import Ruling
from services.scoring.usecases.score_leads import Desk
from shared.contracts.envelope import Event
from shared.contracts.scores import AccountQualified, AccountReason, AccountScored
from shared.db.engine import Tx
from shared.ids import AccountId, LeadId, derived_id
from shared.stream.outbox import emit

__all__ = ["ACCOUNTS_MOST", "score_accounts"]

ACCOUNTS_MOST = 500


async def score_accounts(tx: Tx, *, desk: Desk) -> int:
    """Compute what is due; returns how many accounts were."""
    due = await accounts.take_due(tx, most=ACCOUNTS_MOST)
    if not due:
        return 0
    rows = await accounts.lock_accounts(tx, due)
    ruling = await desk.terms.ruling(tx)
    roots, counts = await accounts.people_of(tx, due)
    forest = await leads.read_trees(tx, {root_id for found in roots.values() for root_id in found})
    kept: list[StoredDecision] = []
    events: list[Event[Any]] = []
    for row in rows:
        people = _people(forest, row.account_id, roots[row.account_id])
        before = row.standing
        entry = _score(tx, row, people, counts.get(row.account_id, 0), ruling, events=events)
        if entry is not None:
            crossed_at = moment(await _crossed_us(tx, row.account_id, before, people, ruling))
            decision, event = _qualified(tx, row, entry, ruling, crossed_at=crossed_at)
            kept.append(decision)
            events.append(event)
    await accounts.save_accounts(tx, rows)
    await decisions.add_decisions(tx, kept)
    emit(tx, *events)
    return len(due)


def _people(forest: Forest, account_id: AccountId, roots: set[LeadId]) -> list[Person]:
    """The people whose newest link is this account."""
    found = [forest.person(root_id) for root_id in sorted(roots) if root_id in forest.rows]
    return [person for person in found if person.account_id == account_id]


def _score(
    tx: Tx,
    row: AccountRow,
    people: Sequence[Person],
    count: int,
    ruling: Ruling,
    *,
    events: list[Event[Any]],
) -> "_Look | None":
    """Save and tell what one look comes to; returns it when the account qualified by it."""
    number = row.standing.number
    row.is_customer = any(person.is_customer for person in people)
    look = _look(row.account_id, row.standing, people, ruling, now_us=micros(tx.now), count=count)
    row.standing = look.standing
    row.computed_at, row.recheck_at = tx.now, _next_look(tx.now, row.standing, ruling)
    is_entered = row.standing.number > number
    shown = _shown(look.score, row.standing, ruling)
    if shown == row.shown and not is_entered:
        return None
    row.shown, row.score_version = shown, row.score_version + 1
    payload = AccountScored(**_numbers(row, look.score, ruling))
    row.content = payload.model_dump_json(exclude_none=True)
    events.append(_event(tx, payload, "scored", row))
    return look if is_entered else None


class _Look(NamedTuple):
    """What one look at an account comes to; candidate is the person to hand off, if there is one."""

    score: AccountScore
    shares: Sequence[PersonShare]
    candidate: PersonShare | None
    standing: AccountStanding


def _look(
    account_id: AccountId,
    standing: AccountStanding,
    people: Sequence[Person],
    ruling: Ruling,
    *,
    now_us: int,
    count: int,
) -> _Look:
    rule = ruling.rule
    customers = {account_id} if any(person.is_customer for person in people) else frozenset[AccountId]()
    judged = [person_of(person.members, customers=customers) for person in people]
    shares = shares_of(judged, now_us, rule=rule)
    score = score_account(shares, _firmographics(people), people=count, rule=rule)
    candidate = next((share for share in shares if share.may_be_handed_off), None)
    decided = decide_account(standing, score, now_us=now_us, agreed=rule.account, has_candidate=candidate is not None)
    return _Look(score, shares, candidate, decided)


async def _crossed_us(
    tx: Tx, account_id: AccountId, before: AccountStanding, people: Sequence[Person], ruling: Ruling
) -> int:
    """When it had happened, of its people, that the account qualifies by; now when they are too many to look back."""
    steps_max = steps_for(len(people))
    if not steps_max:
        return micros(tx.now)
    members = [member.lead_id for person in people for member in person.members]
    pasts = await pasts_of(tx, people, await read_past(tx, members), ruling)

    def holds(until_us: int, at_us: int) -> bool:
        then = [past.person_at(until_us) for past in pasts.values()]
        linked = [person for person in then if person.account_id == account_id]
        look = _look(account_id, before, linked, ruling, now_us=at_us, count=len(linked))
        return look.standing.number > before.number

    instants = {at_us for past in pasts.values() for at_us in past.instants}
    return crossed_us(instants, micros(tx.now), holds=holds, steps_max=steps_max)


def _qualified(
    tx: Tx, row: AccountRow, look: _Look, ruling: Ruling, *, crossed_at: datetime
) -> tuple[StoredDecision, Event[Any]]:
    assert look.candidate is not None, "an account without somebody to hand off does not qualify"
    decision_id = derived_id("scoring", "account_qualified", row.account_id, row.standing.number)
    payload = AccountQualified(
        **_numbers(row, look.score, ruling),
        lead_id=look.candidate.lead_id,
        decision_id=decision_id,
        number=row.standing.number,
        product=ruling.rule.product,
    )
    content = {
        **payload.model_dump(mode="json", exclude_none=True),
        "shares": [[str(share.lead_id), share.engagement, share.is_active] for share in look.shares],
    }
    decision = StoredDecision(
        decision_id=decision_id,
        lead_id=look.candidate.lead_id,
        account_id=row.account_id,
        kind="account_qualified",
        number=row.standing.number,
        decided_at=tx.now,
        content=orjson.dumps(content).decode(),
    )
    event = Event.first(payload, source=SOURCE, occurred_at=crossed_at, recorded_at=tx.now, id=decision_id)
    return decision, event


def _shown(score: AccountScore, standing: AccountStanding, ruling: Ruling) -> str:
    """What a person sees of the score, as text: when it differs, and only then, an account.scored leaves."""
    reasons = [(str(lead_id), points) for lead_id, points in score.reasons]
    numbers = (score.score, score.fit, score.engagement, score.people, score.engaged_people)
    return orjson.dumps([*numbers, standing.is_qualified, ruling.version, reasons]).decode()


def _event(tx: Tx, payload: AccountScored, what: str, row: AccountRow) -> Event[Any]:
    own = derived_id(SOURCE, what, row.account_id, row.score_version, tx.now.isoformat())
    return Event.first(payload, source=SOURCE, occurred_at=tx.now, recorded_at=tx.now, id=own)


def _numbers(row: AccountRow, score: AccountScore, ruling: Ruling) -> dict[str, Any]:
    return {
        "account_id": row.account_id,
        "score_version": row.score_version,
        "score": score.score,
        "fit": score.fit,
        "engagement": score.engagement,
        "people": score.people,
        "engaged_people": score.engaged_people,
        "is_qualified": row.standing.is_qualified,
        "reasons": [AccountReason(lead_id=lead_id, points=points) for lead_id, points in score.reasons],
        "agreement_id": ruling.agreement_id,
        "agreement_version": ruling.version,
    }


def _firmographics(people: Sequence[Person]) -> Mapping[str, str]:
    """The organisation's attributes: of each, the newest that any of its people brought."""
    newest: dict[str, tuple[str, int]] = {}
    for person in people:
        for name, (value, known) in known_attributes(person.members).items():
            if name in FIRMOGRAPHIC and (name not in newest or known > newest[name][1]):
                newest[name] = (value, known)
    return {name: value for name, (value, _) in newest.items()}


def _next_look(now: datetime, standing: AccountStanding, ruling: Ruling) -> datetime | None:
    """The end of a dwell; each midnight while qualified, since it falls while nothing happens."""
    end = standing.since_us + round(ruling.rule.account.dwell_hours * 3_600_000_000)
    if standing.since_us and micros(now) < end:
        return moment(end)
    if standing.is_qualified:
        return datetime.combine(now.date() + timedelta(days=1), time(), UTC)
    return None
