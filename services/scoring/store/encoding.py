"""Writes members, standings and records as compact JSON text and reads them back: what a row of `lead` holds.

Named tuples become lists; decoding is typed, so a row that is not one of ours is refused. A row costs about 2 us.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from services.scoring.domain.account import AccountStanding
from services.scoring.domain.facts import Sums
from services.scoring.domain.member import Attributes, Deal, HandoffSeen, Link, Member, Permission, Record
from services.scoring.domain.qualify import NEVER, Standing
from shared.ids import LeadId

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

_NEW_STATE, _NEW_STANDING = "[]", "[]"
# A release from before merges were noted refuses a longer row, and runs beside this one during a rolling deploy: what a
# merge adds to a standing comes last, and is written only where there is any.
_BY_MERGE = Standing._fields.index("taken_from")


class _State(NamedTuple):
    """A member without its id, which is the row's key: the same fields, in the same order."""

    sums: Sums
    profile: Attributes | None
    link: Link | None
    came_us: int
    known_since_us: int
    permissions: Mapping[str, Permission]
    handoffs: Mapping[str, HandoffSeen]
    deals: Mapping[str, Deal]


assert _State._fields == Member._fields[1:], "a member's row holds every field of it"

_state = msgspec.json.Decoder(_State)
_standing = msgspec.json.Decoder(Standing)
_account_standing = msgspec.json.Decoder(AccountStanding)
_encode = msgspec.json.Encoder().encode
_records: dict[str, msgspec.json.Decoder[Record]] = {
    "profile": msgspec.json.Decoder(Attributes),
    "link": msgspec.json.Decoder(Link),
    "permission": msgspec.json.Decoder(Permission),
    "handoff": msgspec.json.Decoder(HandoffSeen),
    "deal": msgspec.json.Decoder(Deal),
}


def member_text(member: Member) -> str:
    """One member as text."""
    return _encode(member[1:]).decode()


def member_from(lead_id: LeadId, text: str) -> Member:
    """The member that `member_text` wrote; a new lead's row is empty."""
    return Member(lead_id) if text == _NEW_STATE else Member(lead_id, *_state.decode(text))


def standing_text(standing: Standing) -> str:
    """One standing as text, empty for a lead that never changed."""
    if standing == NEVER:
        return _NEW_STANDING
    is_by_merge = standing[_BY_MERGE:] != NEVER[_BY_MERGE:]
    return _encode(standing if is_by_merge else standing[:_BY_MERGE]).decode()


def standing_from(text: str) -> Standing:
    """The standing that `standing_text` wrote."""
    return NEVER if text == _NEW_STANDING else _standing.decode(text)


def account_standing_text(standing: AccountStanding) -> str:
    """An account's standing as text."""
    return _encode(standing).decode()


def account_standing_from(text: str) -> AccountStanding:
    """The standing that `account_standing_text` wrote."""
    return AccountStanding() if text == _NEW_STANDING else _account_standing.decode(text)


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
    return _encode(record).decode()


def record_from(kind: str, text: str) -> Record:
    """The record that `record_text` wrote under its kind."""
    return _records[kind].decode(text)
