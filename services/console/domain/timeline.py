"""A lead's one timeline: what both teams and the system did, newest first, each line in plain words.

A line knows its team, so the page can filter; a moment filter keeps only what had been recorded by then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.console.domain.records import TimelineRow, UserRow
from services.console.domain.words import label, spoken

__all__ = ["GROUPS", "TimelineItem", "group_of", "timeline_item", "timeline_of"]

GROUPS = ("marketing", "sales", "score", "consent")
_GROUP_TITLES = {"marketing": "Marketing", "sales": "Sales", "score": "Score", "consent": "Consent and identity"}
# One instant may hold a whole chain (the world stands still in a demo): causes before effects.
_CAUSES_FIRST = (
    "lead.identified",
    "lead.linked",
    "lead.merged",
    "lead.consent_changed",
    "activity.recorded",
    "account.qualified",
    "lead.scored",
    "lead.qualified",
    "handoff.opened",
    "handoff.queued",
    "handoff.assigned",
    "handoff.accepted",
    "handoff.rejected",
    "handoff.touched",
)
_MACHINE_BELOW = 0.5  # GLOSSARY: machine activity is worth 0 below one half


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """One line as drawn: `icon` names a symbol of the sheet, `detail` is the second, quieter part."""

    entry_id: UUID
    at: datetime
    recorded_at: datetime
    group: str
    icon: str
    text: str
    detail: str = ""
    is_machine: bool = False
    is_late: bool = False


def timeline_of(
    rows: Iterable[TimelineRow], *, users: Mapping[UUID, UserRow], group: str | None = None
) -> tuple[TimelineItem, ...]:
    """The lines newest first, by when they happened; of one instant the effect stands above its cause."""
    ordered = sorted(rows, key=_order, reverse=True)
    items = (timeline_item(row, users=users) for row in ordered)
    return tuple(item for item in items if group is None or item.group == group)


def group_of(name: str, details: Mapping[str, Any]) -> str:
    """Which of GROUPS an event belongs to."""
    if name.startswith("activity."):
        return "sales" if details.get("direction") == "sales" else "marketing"
    if name.startswith(("lead.scored", "lead.qualified", "lead.demoted", "account.")):
        return "score"
    return "consent" if name.startswith("lead.") else "sales"


def timeline_item(row: TimelineRow, *, users: Mapping[UUID, UserRow]) -> TimelineItem:
    """One event as a line of plain words."""
    details = row.details
    group = group_of(row.name, details)
    topic, _, verb = row.name.partition(".")
    writer = {"activity": _activity, "handoff": _handoff, "lead": _lead, "account": _account}.get(topic, _outcome)
    icon, text, detail = writer(verb, details, users)
    human = details.get("human")
    return TimelineItem(
        row.entry_id,
        row.occurred_at,
        row.recorded_at,
        group,
        icon,
        text,
        detail,
        is_machine=isinstance(human, (int, float)) and human < _MACHINE_BELOW,
        is_late=(row.recorded_at - row.occurred_at).total_seconds() > 3_600,
    )


def _order(row: TimelineRow) -> tuple[datetime, int, datetime, UUID]:
    rank = _CAUSES_FIRST.index(row.name) if row.name in _CAUSES_FIRST else len(_CAUSES_FIRST)
    return (row.occurred_at, rank, row.recorded_at, row.entry_id)


def group_title(group: str) -> str:
    """The name of a group on the filter buttons."""
    return _GROUP_TITLES[group]


def _activity(verb: str, details: Mapping[str, Any], users: Mapping[UUID, UserRow]) -> tuple[str, str, str]:
    kind = str(details.get("kind", "activity"))
    if verb == "corrected":
        return "note", "Activity judged again", f"{spoken(str(details.get('human_reason', '')))}"
    if details.get("direction") == "sales":
        who = _name(details.get("actor_user_id"), users)
        return "phone", f"{label('activity', kind)} by {who}", ""
    what = details.get("name") or details.get("asset") or details.get("page_path") or details.get("content") or ""
    campaign = spoken(str(details["campaign"])) if details.get("campaign") else ""
    origin = " · ".join(str(part) for part in (campaign, details.get("traffic_source"), details.get("medium")) if part)
    detail = " · ".join(part for part in (str(what), origin) if part)
    return _activity_icon(kind), label("activity", kind), detail


def _activity_icon(kind: str) -> str:
    for start, icon in (("email", "mail"), ("form", "form"), ("download", "file"), ("webinar", "screen")):
        if kind.startswith(start):
            return icon
    return "hand" if kind.endswith(("requested", "started")) else "page"


def _handoff(verb: str, details: Mapping[str, Any], users: Mapping[UUID, UserRow]) -> tuple[str, str, str]:
    who = _actor(details, users)
    owner = _name(details.get("owner_id"), users)
    reason = label("reason", details["reason_code"]) if details.get("reason_code") else ""
    match verb:
        case "opened":
            return "flag", "Handed to Sales", f"Tier {label('tier', details.get('tier', 'scored'))}"
        case "attached":
            return "flag", "Added to the open handoff", ""
        case "queued":
            return "clock", f"Waits in the queue {spoken(str(details.get('queue', ''))).lower()}", reason
        case "assigned":
            how = "Reassigned to" if details.get("is_reassigned") else "Assigned to"
            return "person", f"{how} {owner}", f"Pool {details['pool']}" if details.get("pool") else ""
        case "accepted":
            return "check", f"Accepted by {owner}", ""
        case "rejected":
            return "cross", f"Rejected by {who}", reason
        case "touched":
            return "phone", f"First touch by {owner}", "Learned late" if details.get("is_late_evidence") else ""
        case "paused":
            return "clock", f"Paused by {who}", reason
        case "escalated":
            cause = "system" if details.get("is_late_by_system") else str(details.get("cause", ""))
            text = "Deadline missed" if details.get("is_breach") else f"Reminder {int(details.get('level', 0)) + 1}"
            return "bell", text, label("cause", cause) if cause and details.get("is_breach") else ""
        case "retracted":
            return "cross", "A deadline step was taken back", "Met by late evidence"
        case "disposed":
            return "check", f"{spoken(str(details.get('disposition', 'disposed')))} by {who}", reason
        case "closed":
            return "flag", f"Closed: {spoken(str(details.get('result', '')))}", ""
        case _:
            return "flag", f"Handoff {spoken(verb).lower()}", reason


def _lead(verb: str, details: Mapping[str, Any], _users: Mapping[UUID, UserRow]) -> tuple[str, str, str]:
    score = details.get("score")
    halves = f"Fit {details.get('fit', 0)} · engagement {details.get('engagement', 0)}"
    match verb:
        case "scored":
            return "chart", f"Score {score}", halves
        case "qualified":
            return "star", f"Qualified with {score}", f"{halves} · agreement v{details.get('agreement_version', '?')}"
        case "demoted":
            return "chart", f"No longer qualified: {score}", halves
        case "identified":
            return "person", "Became known" if details.get("is_known") else "First seen", ""
        case "merged":
            return "link", "Two records found to be one person", spoken(str(details.get("reason", "")))
        case "split":
            return "link", "Records separated again", spoken(str(details.get("reason", "")))
        case "linked":
            return "link", "Linked to an account", f"By {spoken(str(details.get('by', ''))).lower()}"
        case "consent_changed":
            purpose = label("purpose", details.get("purpose", ""))
            return "shield", f"{purpose}: {label('consent', details.get('consent', '')).lower()}", ""
        case "erased":
            return "shield", "Personal data erased", ""
        case _:
            return "note", spoken(verb), ""


def _account(verb: str, details: Mapping[str, Any], _users: Mapping[UUID, UserRow]) -> tuple[str, str, str]:
    text = (
        f"Account {verb} with {details.get('score')}"
        if verb == "qualified"
        else f"Account score {details.get('score')}"
    )
    return "chart", text, f"{details.get('engaged_people', 0)} of {details.get('people', 0)} people engaged"


def _outcome(verb: str, details: Mapping[str, Any], _users: Mapping[UUID, UserRow]) -> tuple[str, str, str]:
    if verb == "changed":
        return "money", f"Opportunity {spoken(str(details.get('result', 'open'))).lower()}", _amount(details)
    if verb == "recorded":
        source = f"From {details['source']}" if details.get("source") else ""
        return "money", label("outcome", details.get("what", "")), source
    return "note", f"Dispute {verb}", spoken(str(details.get("ground") or details.get("ruling") or ""))


def _amount(details: Mapping[str, Any]) -> str:
    minor, currency = details.get("amount_minor"), details.get("currency")
    return f"{int(minor) / 100:,.0f} {currency}" if minor is not None and currency else ""


def _actor(details: Mapping[str, Any], users: Mapping[UUID, UserRow]) -> str:
    if details.get("actor_id"):
        return _name(details["actor_id"], users)
    actor = str(details.get("actor", "system"))
    return {"system": "Baton", "crm": "the CRM"}.get(actor, f"a {actor}")


def _name(user_id: object, users: Mapping[UUID, UserRow]) -> str:
    if user_id is None:
        return "Sales"
    user = users.get(user_id if isinstance(user_id, UUID) else UUID(str(user_id)))
    return user.display_name if user else "a rep"
