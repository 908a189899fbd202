"""What is known of one lead by its records: profile, account link, consents, handoffs, deals, each by its version.

A record of a lower version changes nothing, whatever order it comes in; equal versions are the same record. A member is
one lead of an identity tree; what holds for the whole person is decided in `person`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from services.scoring.domain.facts import NO_SUMS, Sums
from shared.ids import AccountId, LeadId

__all__ = ["OPEN_STATES", "Attributes", "Deal", "HandoffSeen", "Link", "Member", "Permission", "Record", "with_record"]

# Handoffs and deals remembered per lead: cycles per year times the years of retention, and a margin.
KEPT_MAX = 50
OPEN_STATES = frozenset({"qualified", "queued", "assigned", "accepted", "working", "opportunity"})


class Attributes(NamedTuple):
    """The derived attributes of a person, none of them personal."""

    version: int
    known_us: int
    values: Mapping[str, str]
    is_known: bool


class Link(NamedTuple):
    """The account a lead belongs to, and what is known of it through this lead."""

    version: int
    known_us: int
    account_id: AccountId
    values: Mapping[str, str]


class Permission(NamedTuple):
    """The consent for one purpose and what it comes to."""

    version: int
    known_us: int
    purpose: str
    consent: str
    is_allowed: bool


class HandoffSeen(NamedTuple):
    """A handoff of this lead as last seen: version is its seq, at_us when it entered the state."""

    version: int
    known_us: int
    handoff_id: str
    state: str
    at_us: int


class Deal(NamedTuple):
    """What became of one deal or outcome: won, lost, open, churned."""

    version: int
    known_us: int
    deal: str
    result: str


Record = Attributes | Link | Permission | HandoffSeen | Deal
R = TypeVar("R", Permission, HandoffSeen, Deal)


_NONE: Mapping[str, Any] = {}


class Member(NamedTuple):
    """One lead: sums of its own activities, and its newest records.

    came_us: the earliest that any profile named it (0: not yet); known_since_us: the same as a known person.
    """

    lead_id: LeadId
    sums: Sums = NO_SUMS
    profile: Attributes | None = None
    link: Link | None = None
    came_us: int = 0
    known_since_us: int = 0
    permissions: Mapping[str, Permission] = _NONE
    handoffs: Mapping[str, HandoffSeen] = _NONE
    deals: Mapping[str, Deal] = _NONE


def with_record(member: Member, record: Record) -> Member:
    """The member after one more record; any order and any repeat of the same records gives the same member."""
    match record:
        case Attributes():
            return member._replace(
                profile=record if _is_newer(record, member.profile) else member.profile,
                came_us=_earlier(member.came_us, record.known_us),
                known_since_us=_earlier(member.known_since_us, record.known_us if record.is_known else 0),
            )
        case Link():
            return member._replace(link=record) if _is_newer(record, member.link) else member
        case Permission():
            return member._replace(permissions=_put(member.permissions, record.purpose, record))
        case HandoffSeen():
            seen = _ended_once(record, member.handoffs.get(record.handoff_id))
            return member._replace(handoffs=_put(member.handoffs, record.handoff_id, seen))
        case _:
            return member._replace(deals=_put(member.deals, record.deal, record))


def _earlier(known_us: int, at_us: int) -> int:
    """The earlier of two instants of which 0 is none."""
    return min(known_us, at_us) if known_us and at_us else known_us or at_us


def _ended_once(record: HandoffSeen, known: HandoffSeen | None) -> HandoffSeen:
    """A handoff that had ended goes on having ended then: what follows (enrolment, cool-off) is not a second end."""
    if known is None or known.state in OPEN_STATES or record.state in OPEN_STATES:
        return record
    return record._replace(at_us=min(record.at_us, known.at_us))


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
