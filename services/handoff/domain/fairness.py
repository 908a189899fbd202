"""Decides whose turn it is in a pool: weighted rotation by a ledger of what each member received and was entitled to.

Knows nothing of leads, skills or absences: it is given the members who may be picked now and answers with one of them.
Invariant: the shares of one lead sum to UNIT exactly, so over a pool received - entitled sums to zero (credits aside).
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from services.handoff.domain.copies import replace
from services.handoff.domain.things import Member
from shared.ids import UserId

__all__ = ["UNIT", "credit", "gap", "lag", "pick", "shares"]

# One lead, in the integer parts entitlements are counted in. A multiple of lcm(1..16), so that equal weights of up to
# 16 members divide exactly; floats would drift apart between two replays on two machines.
UNIT = 720_720_000


def pick(members: Sequence[Member]) -> tuple[UserId, tuple[Member, ...]]:
    """Give one lead to one of these members (all eligible now, not empty): who gets it, and their ledgers after it.

    Each is entitled to its share of this lead; whoever is not among them (away, full, outside skills) is not, so it is
    neither owed nor flooded when it returns. With D = 1 - 1/(2n - 2) leads, among those whose lag is at least 1 - D the
    one is picked whose lag reaches D first, (D - lag) / share; ties by rep id. With fixed members this keeps
    |received - entitled| <= D < 1. When nobody lags that far (members changed), whoever lags most is picked.
    Source: R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980).
    """
    if not members:
        raise ValueError("nobody to pick from; ask only with eligible members")
    share = shares(members)
    owed = [replace(member, entitled=member.entitled + share[member.rep_id]) for member in _by_id(members)]
    chosen = _first_due(owed, share)
    after = (replace(member, received=member.received + 1) if member.rep_id == chosen else member for member in owed)
    return chosen, tuple(after)


def shares(members: Sequence[Member]) -> dict[UserId, int]:
    """Each member's part of one lead, in proportion to its weight; they sum to UNIT (largest remainder, then id)."""
    total = sum(member.weight for member in members)
    parts = {member.rep_id: member.weight * UNIT // total for member in members}
    by_remainder = sorted(members, key=lambda member: (-(member.weight * UNIT % total), member.rep_id))
    for member in by_remainder[: UNIT - sum(parts.values())]:
        parts[member.rep_id] += 1
    return parts


def lag(member: Member) -> int:
    """Entitled minus received, in parts of UNIT: > 0 means others went before. A credit raises it by one lead."""
    return member.entitled - (member.received - member.credited) * UNIT


def credit(member: Member) -> Member:
    """The member after a lead that turned out bad: it no longer counts as received, so the next turn comes sooner."""
    return replace(member, credited=member.credited + 1)


def gap(members: Iterable[Member]) -> float:
    """The largest |received - entitled| in leads: the number the fairness bounds speak of. 0 when there is nobody."""
    return max((abs(lag(member)) / UNIT for member in members), default=0.0)


def _first_due(owed: Sequence[Member], share: dict[UserId, int]) -> UserId:
    if len(owed) == 1:
        return owed[0].rep_id
    slots = 2 * len(owed) - 2
    due = [member for member in owed if lag(member) * slots >= UNIT]
    if not due:
        return min(owed, key=lambda member: (-lag(member), member.rep_id)).rep_id
    # slots * (D - lag) = (slots - 1) * UNIT - slots * lag, in integers
    return min(
        due,
        key=lambda member: (
            Fraction((slots - 1) * UNIT - slots * lag(member), share[member.rep_id]),
            member.rep_id,
        ),
    ).rep_id


def _by_id(members: Sequence[Member]) -> list[Member]:
    return sorted(members, key=lambda member: member.rep_id)
