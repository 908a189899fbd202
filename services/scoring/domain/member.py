"""What is known of one lead by its records: profile, account link, consents, handoffs, deals, each by its version.

A record of a lower version changes nothing, whatever order it comes in; equal versions are the same record. A member is
one lead of an identity tree; what holds for the whole person is decided in `person`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from services.scoring.domain.facts import NO_SUMS, Sums
from shared.ids import AccountId, LeadId

__all__ = ["OPEN_STATES", "Attributes", "Deal", "HandoffSeen", "Link", "Member", "Permission", "Record", "with_record"]

# Handoffs and deals remembered per lead: cycles per year times the years of retention, and a margin.
KEPT_MAX = 50
OPEN_STATES = frozenset({"qualified", "queued", "assigned", "accepted", "working", "opportunity"})


@dataclass(frozen=True, slots=True)
class Attributes:
    """The derived attributes of a person, none of them personal."""

    version: int
    known_us: int
    values: Mapping[str, str]
    is_known: bool


@dataclass(frozen=True, slots=True)
class Link:
    """The account a lead belongs to, and what is known of it through this lead."""

    version: int
    known_us: int
    account_id: AccountId
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Permission:
    """The consent for one purpose and what it comes to."""

    version: int
    known_us: int
    purpose: str
    consent: str
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class HandoffSeen:
    """A handoff of this lead as last seen: version is its seq, at_us when it entered the state."""

    version: int
    known_us: int
    handoff_id: str
    state: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Deal:
    """What became of one deal or outcome: won, lost, open, churned."""

    version: int
    known_us: int
    deal: str
    result: str


Record = Attributes | Link | Permission | HandoffSeen | Deal
R = TypeVar("R", Permission, HandoffSeen, Deal)


@dataclass(frozen=True, slots=True)
class Member:
    """One lead: sums of its own activities, and its newest records. known_since_us: 0 while anonymous."""

    lead_id: LeadId
    sums: Sums = NO_SUMS
    profile: Attributes | None = None
    link: Link | None = None
    known_since_us: int = 0
    permissions: Mapping[str, Permission] = field(default_factory=dict)
    handoffs: Mapping[str, HandoffSeen] = field(default_factory=dict)
    deals: Mapping[str, Deal] = field(default_factory=dict)

    def with_sums(self, sums: Sums) -> "Member":
        """The member with other sums."""
        return replace(self, sums=sums)


def with_record(member: Member, record: Record) -> Member:
    """The member after one more record; any order and any repeat of the same records gives the same member."""
    match record:
        case Attributes():
            since = member.known_since_us
            if record.is_known:
                since = record.known_us if since == 0 else min(since, record.known_us)
            profile = record if _is_newer(record, member.profile) else member.profile
            return replace(member, profile=profile, known_since_us=since)
        case Link():
            return replace(member, link=record) if _is_newer(record, member.link) else member
        case Permission():
            return replace(member, permissions=_put(member.permissions, record.purpose, record))
        case HandoffSeen():
            seen = _ended_once(record, member.handoffs.get(record.handoff_id))
            return replace(member, handoffs=_put(member.handoffs, record.handoff_id, seen))
        case Deal():
            return replace(member, deals=_put(member.deals, record.deal, record))


def _ended_once(record: HandoffSeen, known: HandoffSeen | None) -> HandoffSeen:
    """A handoff that had ended goes on having ended then: what follows (enrolment, cool-off) is not a second end."""
    if known is None or known.state in OPEN_STATES or record.state in OPEN_STATES:
        return record
    return replace(record, at_us=min(record.at_us, known.at_us))


def _is_newer(record: Record, known: Record | None) -> bool:
    return known is None or record.version > known.version


def _put(records: Mapping[str, R], key: str, record: R) -> Mapping[str, R]:
    """The records with this one in its place if it is newer; of too many the oldest learned is forgotten."""
    if not _is_newer(record, records.get(key)):
        return records
    kept = {**records, key: record}
    if len(kept) > KEPT_MAX:
        del kept[min(kept, key=lambda name: (kept[name].known_us, name))]
    return kept
