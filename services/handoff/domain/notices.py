"""What people are told about a handoff: one notice per audience, without names; the dispatch loop makes the messages.

The id is derived from its cause, so the same cause tells once. `store.dispatches.put_dispatches` turns the notices and
the `handoff.*` events of one transaction into dispatch rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.ids import HandoffId, LeadId, UserId

__all__ = ["AUDIENCE_OF_ACTION", "Audience", "Notice"]

Audience = Literal["rep", "manager", "executive", "queue_owner", "marketing", "ingest"]

# Who hears of a ladder's rung; a reassignment tells the one who loses it, the new one hears by `assigned`.
AUDIENCE_OF_ACTION: Mapping[str, Audience] = {
    "message_rep": "rep",
    "mail_rep": "rep",
    "flag_manager": "manager",
    "mail_manager": "manager",
    "mail_executive": "executive",
    "mail_executive_and_reassign": "executive",
    "reassign": "rep",
    "notice": "rep",
    "pull_back": "marketing",
    "mail_queue_owner": "queue_owner",
    "mail_marketing": "marketing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell one audience.

    what: the template (assigned, merged, queued, rep_off, a ladder's word, enrich, merge, suppress). rep_id: the rep it
    is about; with audience `rep` the one who is told. queue_owner: a role or a user id. `suppress` for audience
    `ingest` is a command to ingest about lead_id.
    """

    id: UUID
    what: str
    audience: Audience
    handoff_id: HandoffId
    lead_id: LeadId
    made_at: datetime
    rep_id: UserId | None = None
    queue: str | None = None
    queue_owner: str | None = None
    due_at: datetime | None = None
    level: int | None = None
    reasons: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
