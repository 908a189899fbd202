"""Writes a member, a standing and a record as compact JSON text and reads them back: what a row of `lead` holds.

Lists, not objects: a row is read and written for every event. A mantissa may be longer than 64 bits, hence hex.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from services.scoring.domain.account import AccountStanding
from services.scoring.domain.decay import Weight
from services.scoring.domain.facts import Ask, KindCount, Sums, Tally
from services.scoring.domain.member import Attributes, Deal, HandoffSeen, Link, Member, Permission, Record
from services.scoring.domain.qualify import NEVER, Standing
from shared.ids import AccountId, ActivityId, LeadId

__all__ = [
    "account_standing_from",
    "account_standing_text",
    "member_from",
    "member_text",
    "record_from",
    "record_key",
    "record_text",
    "standing_from",
    "standing_text",
]


def member_text(member: Member) -> str:
    """One member as text; what is empty is left out."""
    sums = member.sums
    ask = sums.ask
    found: dict[str, Any] = {
        "t": {
            key: (f"{tally.weight.mantissa:x}", tally.weight.exponent, tally.count, tally.last_us, tally.known_us)
            for key, tally in sums.tallies.items()
        },
        "k": {kind: (seen.count, seen.human, seen.last_us, seen.known_us) for kind, seen in sums.kinds.items()},
        "a": (ask.known_us, ask.occurred_us, str(ask.activity_id)) if ask else None,
        "f": sums.first_us,
        "p": _values(member.profile),
        "l": _values(member.link),
        "s": member.known_since_us,
        "c": {name: _values(each) for name, each in member.permissions.items()},
        "h": {name: _values(each) for name, each in member.handoffs.items()},
        "d": {name: _values(each) for name, each in member.deals.items()},
    }
    return orjson.dumps({key: value for key, value in found.items() if value}).decode()


def member_from(lead_id: LeadId, text: str) -> Member:
    """The member that `member_text` wrote."""
    found: Mapping[str, Any] = orjson.loads(text)
    ask = found.get("a")
    sums = Sums(
        tallies={
            key: Tally(Weight(int(mantissa, 16), exponent), count, last, known)
            for key, (mantissa, exponent, count, last, known) in found.get("t", {}).items()
        },
        kinds={kind: KindCount(*seen) for kind, seen in found.get("k", {}).items()},
        ask=Ask(ask[0], ask[1], ActivityId(UUID(ask[2]))) if ask else None,
        first_us=found.get("f"),
    )
    profile, link = found.get("p"), found.get("l")
    return Member(
        lead_id=lead_id,
        sums=sums,
        profile=Attributes(*profile) if profile else None,
        link=Link(link[0], link[1], AccountId(UUID(link[2])), link[3]) if link else None,
        known_since_us=found.get("s", 0),
        permissions={name: Permission(*each) for name, each in found.get("c", {}).items()},
        handoffs={name: HandoffSeen(*each) for name, each in found.get("h", {}).items()},
        deals={name: Deal(*each) for name, each in found.get("d", {}).items()},
    )


def standing_text(standing: Standing) -> str:
    """One standing as text, empty for a lead that never changed."""
    if standing == NEVER:
        return "[]"
    return orjson.dumps([getattr(standing, name) for name in Standing.__slots__]).decode()


def standing_from(text: str) -> Standing:
    """The standing that `standing_text` wrote."""
    return NEVER if text == "[]" else Standing(*orjson.loads(text))


def account_standing_text(standing: AccountStanding) -> str:
    """An account's standing as text."""
    return orjson.dumps([standing.is_qualified, standing.since_us, standing.number]).decode()


def account_standing_from(text: str) -> AccountStanding:
    """The standing that `account_standing_text` wrote."""
    return AccountStanding(*orjson.loads(text))


def record_key(record: Record) -> tuple[str, str]:
    """Kind and name of a record: within one lead the newest version of each counts."""
    match record:
        case Attributes():
            return ("profile", "")
        case Link():
            return ("link", "")
        case Permission():
            return ("permission", record.purpose)
        case HandoffSeen():
            return ("handoff", record.handoff_id)
        case Deal():
            return ("deal", record.deal)


def record_text(record: Record) -> str:
    """A record as text."""
    return orjson.dumps(_values(record)).decode()


def record_from(kind: str, text: str) -> Record:
    """The record that `record_text` wrote under its kind."""
    values: list[Any] = orjson.loads(text)
    match kind:
        case "profile":
            return Attributes(*values)
        case "link":
            return Link(values[0], values[1], AccountId(UUID(values[2])), values[3])
        case "permission":
            return Permission(*values)
        case "handoff":
            return HandoffSeen(*values)
        case _:
            return Deal(*values)


def _values(record: Record | None) -> list[Any] | None:
    if record is None:
        return None
    values = (getattr(record, name) for name in type(record).__slots__)
    return [str(value) if isinstance(value, UUID) else value for value in values]
