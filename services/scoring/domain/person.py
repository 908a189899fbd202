"""Decides what holds for a whole person: the members of an identity tree joined, with hard rules and facts by name.

Sums add up; of an attribute the newest counts; where somebody came from is told by the member who came first; a
withdrawal by one member holds for all. So a merge or split moves a pointer and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from services.scoring.domain.criteria import PointsRule
from services.scoring.domain.facts import Sums, join, sum_facts
from services.scoring.domain.member import OPEN_STATES, Member, Permission
from shared.ids import AccountId, LeadId

__all__ = ["Person", "facts_of", "values_of"]

# A handoff that ended so is no way back: only consent and merge commands lead out (DOMAIN section 5.2).
_FINAL_STATES = frozenset({"disqualified"})
# Told by the member who came first; a later visit never renames where somebody came from.
_FIRST_TOUCH = frozenset({"entry_channel", "traffic_source", "medium", "campaign"})
_WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Person:
    """The members of one tree, the root first, the others by id; at least one."""

    members: Sequence[Member]
    is_account_customer: bool = False

    @property
    def root_id(self) -> LeadId:
        """The lead whose id names the person."""
        return self.members[0].lead_id

    @cached_property
    def sums(self) -> Sums:
        """What all members did."""
        return join(member.sums for member in self.members)

    @cached_property
    def account_id(self) -> AccountId | None:
        """The account of the newest link; between equals the root's."""
        links = [member.link for member in self.members if member.link is not None]
        return max(links, key=lambda link: link.known_us).account_id if links else None

    @cached_property
    def known_attributes(self) -> dict[str, tuple[str, int]]:
        """Every attribute as (value, known_us)."""
        found: dict[str, tuple[str, int]] = {}
        for member in sorted(self.members, key=_came_at, reverse=True):
            for record in (member.link, member.profile):
                for name, value in record.values.items() if record is not None else ():
                    known = record.known_us if record is not None else 0
                    if name in _FIRST_TOUCH or name not in found or known >= found[name][1]:
                        found[name] = (value, known)
        return found

    @cached_property
    def attributes(self) -> dict[str, str]:
        """Every attribute's value, for reading points."""
        return {name: value for name, (value, _) in self.known_attributes.items()}

    @property
    def known_since_us(self) -> int:
        """When any member was first known by more than an anonymous id; 0 while anonymous."""
        return min((member.known_since_us for member in self.members if member.known_since_us), default=0)

    @cached_property
    def may_be_scored(self) -> bool:
        """Whether profiling is allowed: unknown is not, and one member's withdrawal holds for all."""
        return _is_allowed(self._permissions("profiling") or self._permissions("contact"))

    @property
    def has_open_handoff(self) -> bool:
        """Whether a handoff of any member is open."""
        return any(seen.state in OPEN_STATES for member in self.members for seen in member.handoffs.values())

    @property
    def closed_us(self) -> int:
        """When the last handoff ended, 0 when none did; one that ended by a merge lives on in the other."""
        ended = (
            seen.at_us
            for member in self.members
            for seen in member.handoffs.values()
            if seen.state not in OPEN_STATES and seen.state != "merged"
        )
        return max(ended, default=0)

    @cached_property
    def is_customer(self) -> bool:
        """Whether the newest word on any deal is a win, or CRM says so."""
        deals = [deal for member in self.members for deal in member.deals.values()]
        won = max((deal.known_us for deal in deals if deal.result == "won"), default=-1)
        churned = max((deal.known_us for deal in deals if deal.result == "churned"), default=-1)
        return won > churned or self.attributes.get("is_customer") == "true"

    def hard_rules(self, agreed: Sequence[str]) -> tuple[str, ...]:
        """The agreed exclusions that hit, in the agreement's order; a final end of a handoff always does."""
        contact, profiling = self._permissions("contact"), self._permissions("profiling")
        hits = {
            "suppressed": any(each.consent == _WITHDRAWN for each in (*contact, *profiling)),
            "no_consent": not self.may_be_scored or not _is_allowed(contact or profiling),
            "competitor": self.attributes.get("is_competitor") == "true",
            "customer": self.is_customer or self.is_account_customer,
            "open_handoff": self.has_open_handoff,
        }
        found = [rule for rule in agreed if hits.get(rule)]
        if any(seen.state in _FINAL_STATES for member in self.members for seen in member.handoffs.values()):
            found.append("disqualified")
        return tuple(found)

    def _permissions(self, purpose: str) -> list[Permission]:
        return [member.permissions[purpose] for member in self.members if purpose in member.permissions]


def facts_of(person: Person, now_us: int, *, rule: PointsRule) -> dict[str, tuple[str, int]]:
    """All facts of a person by name, each (value as text, known_us): what a decision stores and a model reads."""
    known = person.known_since_us
    own = {} if known == 0 else {"is_known": ("true", known)}
    return {**sum_facts(person.sums, now_us, rule=rule), **person.known_attributes, **own}


def _is_allowed(permissions: Sequence[Permission]) -> bool:
    is_withdrawn = any(each.consent == _WITHDRAWN for each in permissions)
    return not is_withdrawn and any(each.is_allowed for each in permissions)


def _came_at(member: Member) -> tuple[int, int]:
    """Order of coming: the first activity, members without one last."""
    first = member.sums.first_us
    return (first if first is not None else 2**63, member.lead_id.int)


def values_of(facts: Mapping[str, tuple[str, int]]) -> dict[str, str]:
    """The values alone, as a model's card reads them."""
    return {name: value for name, (value, _) in facts.items()}
