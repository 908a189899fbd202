"""Decides who in a pool may take a lead now, and gives it to one of them: exclusions first, then the rotation.

Knows no rule of the policy and no database. Invariant: nobody is picked above its capacity, and every member that was
not eligible carries its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.handoff.domain import fairness
from services.handoff.domain.copies import replace
from services.handoff.domain.things import Candidate, Member, Need, Pool, Rep
from shared.ids import HandoffId, UserId

__all__ = ["Choice", "Exclusion", "Floor", "choose", "exclusion_of_one", "limits_of", "take"]


class Exclusion(StrEnum):
    """Why a rep may not take a lead now; the first that holds, in this order."""

    UNKNOWN = "unknown_rep"  # in the agreement's pool, but nobody we know
    AWAY = "away"
    ABSENCE = "absence"
    INACTIVE = "inactive"
    TRIED = "tried_before"  # had it in this cycle and did not take or keep it
    SKILL = "outside_skills"
    FULL = "at_capacity"
    CAP = "30_day_cap"


@dataclass(frozen=True, slots=True)
class Floor:
    """All pools and reps as they stand between two decisions of one round."""

    pools: Mapping[str, Pool]
    reps: Mapping[UserId, Rep]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a pool answered: the rep picked (None: nobody may), the pool after it, and everyone who was looked at.

    is_wish_dropped: nobody with the wished skills was free, so all members were asked.
    """

    rep_id: UserId | None
    pool: Pool
    candidates: tuple[Candidate, ...]
    is_wish_dropped: bool = False


def choose(need: Need, pool: Pool, reps: Mapping[UserId, Rep], *, wished: frozenset[str] = frozenset()) -> Choice:
    """Pick one member of the pool for the need by rotation.

    A member must have all skills of the pool. `wished` are skills or languages the lead would like: members without
    them are excluded while somebody with them may take it, else the wish is dropped.
    """
    looked_at = _look(need, pool, reps, frozenset(pool.skills) | wished)
    eligible = [member for member, exclusion in looked_at if exclusion is None]
    is_wish_dropped = not eligible and bool(wished)
    if is_wish_dropped:
        looked_at = _look(need, pool, reps, frozenset(pool.skills))
        eligible = [member for member, exclusion in looked_at if exclusion is None]
    candidates = tuple(_candidate(member, exclusion, reps) for member, exclusion in looked_at)
    if not eligible:
        return Choice(None, pool, candidates)
    rep_id, after = fairness.pick(eligible)
    changed = {member.rep_id: member for member in after}
    members = tuple(changed.get(member.rep_id, member) for member in pool.members)
    return Choice(rep_id, replace(pool, members=members, sequence=pool.sequence + 1), candidates, is_wish_dropped)


def exclusion_of_one(need: Need, rep_id: UserId, floor: Floor) -> Exclusion | None:
    """Why a rep that a rule names directly may not take the need; its capacity is the largest of its memberships."""
    return _exclusion(need, floor.reps.get(rep_id), limits_of(rep_id, floor.pools), frozenset())


def limits_of(rep_id: UserId, pools: Mapping[str, Pool]) -> Member:
    """The most generous membership of a rep over all pools; the agreement's defaults when it is in none."""
    own = [member for pool in pools.values() for member in pool.members if member.rep_id == rep_id and member.is_member]
    if not own:
        return Member(pool="", rep_id=rep_id)
    return replace(
        own[0],
        load_max=max(member.load_max for member in own),
        leads_per_30_days=max(member.leads_per_30_days for member in own),
        taken_30_days=max(member.taken_30_days for member in own),
    )


def take(floor: Floor, rep_id: UserId, handoff_id: HandoffId) -> Floor:
    """The floor after a rep got a handoff: its load and its count of 30 days grow, in every pool it stands in."""
    rep = floor.reps[rep_id]
    rep = replace(rep, load=rep.load + 1, holding=(*rep.holding, handoff_id))
    pools = {name: _counted(pool, rep_id) for name, pool in floor.pools.items()}
    return Floor(pools=pools, reps={**floor.reps, rep_id: rep})


def _look(
    need: Need, pool: Pool, reps: Mapping[UserId, Rep], skills: frozenset[str]
) -> list[tuple[Member, Exclusion | None]]:
    current = (member for member in pool.members if member.is_member)
    return [(member, _exclusion(need, reps.get(member.rep_id), member, skills)) for member in current]


def _exclusion(need: Need, rep: Rep | None, limits: Member, skills: frozenset[str]) -> Exclusion | None:
    if rep is None:
        return Exclusion.UNKNOWN
    if not rep.is_on:
        return Exclusion(rep.why_off) if rep.why_off in set(Exclusion) else Exclusion.AWAY
    if rep.id in need.tried:
        return Exclusion.TRIED
    if not skills <= {*rep.skills, *rep.languages}:
        return Exclusion.SKILL
    if rep.load >= limits.load_max:
        return Exclusion.FULL
    return Exclusion.CAP if limits.taken_30_days >= limits.leads_per_30_days else None


def _candidate(member: Member, exclusion: Exclusion | None, reps: Mapping[UserId, Rep]) -> Candidate:
    rep = reps.get(member.rep_id)
    return Candidate(
        rep_id=member.rep_id,
        pool=member.pool,
        exclusion=exclusion,
        load=rep.load if rep else 0,
        received=member.received - member.credited,
        entitled=round(member.entitled / fairness.UNIT, 3),
    )


def _counted(pool: Pool, rep_id: UserId) -> Pool:
    if all(member.rep_id != rep_id for member in pool.members):
        return pool
    members = (
        replace(member, taken_30_days=member.taken_30_days + 1) if member.rep_id == rep_id else member
        for member in pool.members
    )
    return replace(pool, members=tuple(members))
