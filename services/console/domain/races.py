"""What a person is told who came too late: one sentence with who did what, and when. It blames nobody."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.console.domain.durations import time_text
from services.console.domain.records import HandoffRow, UserRow

__all__ = ["lost_race_sentence", "unsent_sentence"]

_DONE = {
    "accepted": "accepted this lead",
    "rejected": "rejected this lead",
    "touched": "logged a touch",
    "paused": "paused this lead",
    "resumed": "resumed this lead",
    "disposed": "recorded what became of this lead",
    "queued": "moved this lead to a queue",
    "escalated": "moved this lead along after its deadline",
    "closed": "closed this handoff",
}


def lost_race_sentence(
    handoff: HandoffRow | None,
    users: Mapping[UUID, UserRow],
    *,
    me: UUID,
    zone: ZoneInfo,
    current: Mapping[str, Any] | None = None,
) -> str:
    """One sentence about the latest event of a handoff; `current` is what its owner answered, newer than the row."""
    if handoff is None:
        return "This lead changed meanwhile. What you see now is its current state."
    is_newer = bool(current) and int((current or {}).get("token", 0)) > handoff.token
    if is_newer:
        owner = _user_id((current or {}).get("owner_id"))
        who = "you" if owner == me else _name(owner, users)
        state = str((current or {}).get("state", "changed"))
        return f"Somebody was faster: this lead is {state} now" + (f", held by {who}." if owner else ".")
    at = f" at {_clock(handoff.last_at, zone)}" if handoff.last_at else ""
    who = "You" if handoff.last_actor_id == me else _actor(handoff, users)
    if handoff.last_name == "assigned":
        to = "you" if handoff.owner_id == me else _name(handoff.owner_id, users)
        return f"{who} gave this lead to {to}{at}."
    done = _DONE.get(handoff.last_name, "changed this lead")
    where = " in another window" if handoff.last_actor_id == me else ""
    return f"{who} {done}{where}{at}."


def unsent_sentence(command: str, *, lost: str = "", refused: str = "") -> str:
    """What a person is told whose waiting command did not take effect: after a lost race, or refused with words."""
    if lost:
        return f"Your {command} came too late and did not take effect. {lost}"
    return f"Your {command} was not taken: {refused}"


def _actor(handoff: HandoffRow, users: Mapping[UUID, UserRow]) -> str:
    if handoff.last_actor_id is not None:
        return _name(handoff.last_actor_id, users)
    return "The CRM" if handoff.last_actor == "crm" else "Baton"


def _name(user_id: UUID | None, users: Mapping[UUID, UserRow]) -> str:
    if user_id is None:
        return "nobody"
    found = users.get(user_id)
    return found.display_name if found else "another rep"


def _user_id(value: object) -> UUID | None:
    try:
        return UUID(str(value)) if value else None
    except ValueError:
        return None


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return time_text(at.astimezone(zone))
