"""Decides what holds for a whole person: the members of an identity tree joined, with hard rules and facts by name.

Sums add up; of an attribute the newest counts; where somebody came from is told by the member who came first; a
withdrawal by one member holds for all. So a merge or split moves a pointer and nothing else.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from services.scoring.domain.criteria import PointsRule
from services.scoring.domain.facts import KindCount, Sums, join, sum_facts
from services.scoring.domain.member import OPEN_STATES, Member
from services.scoring.domain.scorecard import NO_COUNTS
from shared.ids import AccountId, LeadId

__all__ = ["Person", "facts_of", "known_attributes", "person_of", "values_of"]

# A handoff that ended so is no way back: only consent and merge commands lead out (DOMAIN section 5.2).
_FINAL_STATE = "disqualified"
# Told by the member who came first; a later visit never renames where somebody came from.
_FIRST_TOUCH = frozenset({"entry_channel", "traffic_source", "medium", "campaign"})
_WITHDRAWN = "withdrawn"
_NO_HITS: frozenset[str] = frozenset()


class Person(NamedTuple):
    """One tree joined: the root's id names it. hits are the exclusions that hold, whether agreed or not."""

    members: Sequence[Member]
    sums: Sums
    attributes: Mapping[str, str]
    account_id: AccountId | None
    known_since_us: int  # as known by more than an anonymous id; 0 while anonymous
    may_be_scored: bool
    is_customer: bool
    has_open_handoff: bool
    closed_us: int  # when the last handoff ended, 0 when none did
    hits: frozenset[str]
    counts: Mapping[str, KindCount] = NO_COUNTS

    @property
    def root_id(self) -> LeadId:
        """The lead whose id names the person."""
        return self.members[0].lead_id

    def hard_rules(self, agreed: Sequence[str]) -> tuple[str, ...]:
        """The agreed exclusions that hit, in the agreement's order; a final end of a handoff always does."""
        if not self.hits:
            return ()
        found = tuple(rule for rule in agreed if rule in self.hits)
        return (*found, _FINAL_STATE) if _FINAL_STATE in self.hits else found


def person_of(members: Sequence[Member], *, customers: Collection[AccountId] = ()) -> Person:
    """The person of one tree: the root first, the others by id, at least one. customers: accounts that are."""
    is_alone = len(members) == 1
    account_id = _account_of(members)
    attributes = _own_attributes(members[0]) if is_alone else values_of(known_attributes(members))
    may_be_scored, is_suppressed, may_be_contacted = _permissions(members)
    is_customer = attributes.get("is_customer") == "true" or _has_bought(members)
    has_open, closed_us, is_final = _handoffs(members)
    hits = []
    if is_suppressed:
        hits.append("suppressed")
    if not (may_be_scored and may_be_contacted):
        hits.append("no_consent")
    if attributes.get("is_competitor") == "true":
        hits.append("competitor")
    if is_customer or (account_id is not None and account_id in customers):
        hits.append("customer")
    if has_open:
        hits.append("open_handoff")
    if is_final:
        hits.append(_FINAL_STATE)
    return Person(
        members,
        members[0].sums if is_alone else join([member.sums for member in members]),
        attributes,
        account_id,
        min([member.known_since_us for member in members if member.known_since_us], default=0),
        may_be_scored,
        is_customer,
        has_open,
        closed_us,
        frozenset(hits) if hits else _NO_HITS,
    )


def known_attributes(members: Sequence[Member]) -> dict[str, tuple[str, int]]:
    """Every attribute as (value, known_us): the newest; of the first touch, that of the member who came first."""
    found: dict[str, tuple[str, int]] = {}
    for member in sorted(members, key=_came_at, reverse=True):
        for record in (member.link, member.profile):
            if record is not None:
                for name, value in record.values.items():
                    if name in _FIRST_TOUCH or name not in found or record.known_us >= found[name][1]:
                        found[name] = (value, record.known_us)
    return found


def facts_of(person: Person, now_us: int, *, rule: PointsRule) -> dict[str, tuple[str, int]]:
    """All facts of a person by name, each (value as text, known_us): what a decision stores and a model reads."""
    known = person.known_since_us
    own = {} if known == 0 else {"is_known": ("true", known)}
    summed = sum_facts(person.sums, person.counts, now_us, rule=rule)
    return {**summed, **known_attributes(person.members), **own}


def values_of(facts: Mapping[str, tuple[str, int]]) -> dict[str, str]:
    """The values alone, as points and a model's card read them."""
    return {name: value for name, (value, _) in facts.items()}


def _own_attributes(member: Member) -> Mapping[str, str]:
    """Of one member alone: what the profile says goes before what its account says."""
    if member.link is None:
        return member.profile.values if member.profile is not None else {}
    values = member.link.values
    if member.profile is None:
        return values
    if member.profile.known_us < member.link.known_us and "country" in values:
        return {**member.profile.values, **values}
    return {**values, **member.profile.values}


def _account_of(members: Sequence[Member]) -> AccountId | None:
    """The account of the newest link; between equals the root's."""
    links = [member.link for member in members if member.link is not None]
    if len(links) == 1:
        return links[0].account_id
    return max(links, key=lambda link: link.known_us).account_id if links else None


def _permissions(members: Sequence[Member]) -> tuple[bool, bool, bool]:
    """May be scored, is suppressed, may be contacted: unknown is not allowed, one withdrawal holds for all.

    A purpose nobody ever named follows the other one.
    """
    stated: dict[str, bool] = {}
    withdrawn: set[str] = set()
    for member in members:
        for purpose, permission in member.permissions.items():
            stated[purpose] = stated.get(purpose, False) or permission.is_allowed
            if permission.consent == _WITHDRAWN:
                withdrawn.add(purpose)
    for purpose in withdrawn:
        stated[purpose] = False
    profiling, contact = stated.get("profiling"), stated.get("contact")
    may_be_scored = profiling if profiling is not None else bool(contact)
    may_be_contacted = contact if contact is not None else bool(profiling)
    return may_be_scored, bool(withdrawn & {"profiling", "contact"}), may_be_contacted


def _has_bought(members: Sequence[Member]) -> bool:
    """Whether the newest word on any deal is a win."""
    won = churned = -1
    for member in members:
        for deal in member.deals.values():
            if deal.result == "won":
                won = max(won, deal.known_us)
            elif deal.result == "churned":
                churned = max(churned, deal.known_us)
    return won > churned


def _handoffs(members: Sequence[Member]) -> tuple[bool, int, bool]:
    """Is one open, when did the last end, did one end for good; one that ended by a merge lives on in the other."""
    has_open, closed_us, is_final = False, 0, False
    for member in members:
        for seen in member.handoffs.values():
            if seen.state in OPEN_STATES:
                has_open = True
            elif seen.state != "merged":
                closed_us = max(closed_us, seen.at_us)
                is_final = is_final or seen.state == _FINAL_STATE
    return has_open, closed_us, is_final


def _came_at(member: Member) -> tuple[int, int]:
    """Order of coming: by the first profile, members without one last."""
    return (member.came_us or 2**63, member.lead_id.int)
