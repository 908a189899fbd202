"""What-if: decides past or invented needs again under a draft policy, and says which came out otherwise.

Writes nothing and counts nothing in the ledger: each stored decision is asked alone, on the pools it was made on.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from services.handoff.domain.routing.record import input_of
from services.handoff.domain.routing.round import route
from services.handoff.domain.things import Member, Pool, RoutingInput
from shared.ids import HandoffId, UserId

__all__ = ["Flip", "Simulated", "simulate"]


@dataclass(frozen=True, slots=True)
class Flip:
    """One decision that the draft would have made otherwise; answers are a rep id, a queue's name or a handoff id."""

    handoff_id: HandoffId
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a draft changes over the decisions asked: the flips, the leads per rep then, and those in a queue."""

    decisions: int
    flips: tuple[Flip, ...]
    leads_per_rep: Mapping[UserId, int]
    queued: int


def simulate(records: Iterable[Mapping[str, Any]], *, draft: Mapping[str, Any]) -> Simulated:
    """Decide each record's need under the draft's routing section (a JSON value with rules, pools and fallback).

    Raises PolicyInvalid when the draft cannot be read. Members of a draft's pool that the record does not know start
    with an empty ledger.
    """
    flips: list[Flip] = []
    per_rep: Counter[UserId] = Counter()
    count = queued = 0
    for record in records:
        asked = input_of(record)
        result = route(replace(asked, routing=draft, pools=_draft_pools(asked, draft))).results[0]
        before, after = _answer(record["result"]), _answer(result.record["result"])
        count += 1
        if before != after:
            flips.append(Flip(result.need.handoff_id, before, after))
        if result.rep_id is not None:
            per_rep[result.rep_id] += 1
        queued += result.queue is not None
    return Simulated(count, tuple(flips), dict(per_rep), queued)


def _answer(result: Mapping[str, Any]) -> str:
    return str(result["rep_id"] or result["queue"] or result["attach_to"] or result["reason"])


def _draft_pools(asked: RoutingInput, draft: Mapping[str, Any]) -> dict[str, Pool]:
    pools = {}
    for terms in draft.get("pools", ()):
        known = asked.pools.get(terms["name"])
        ledgers = {member.rep_id: member for member in known.members} if known else {}
        members = (_member(terms["name"], place, ledgers) for place in terms.get("members", ()))
        pools[terms["name"]] = Pool(
            name=terms["name"],
            members=tuple(sorted(members, key=lambda member: member.rep_id)),
            skills=tuple(terms.get("skills", ())),
            sequence=known.sequence if known else 0,
        )
    return pools


def _member(pool: str, place: Mapping[str, Any], ledgers: Mapping[UserId, Member]) -> Member:
    rep_id = UserId(UUID(place["rep"]))
    known = ledgers.get(rep_id) or Member(pool=pool, rep_id=rep_id)
    return replace(
        known,
        weight=place.get("weight", 1),
        load_max=place.get("load_max", 5),
        leads_per_30_days=place.get("leads_per_30_days", 30),
        is_member=True,
    )
