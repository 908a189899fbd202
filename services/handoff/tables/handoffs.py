"""Handoffs with their assignments, evidence, touches and notes, and every input ever given (audit and replay source).

SQL keeps: one open handoff per scope and motion, and per person and motion; one current assignment per handoff.
"""

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    UniqueConstraint,
    Uuid,
    text,
)

from services.handoff.tables.metadata import METADATA
from shared.db.columns import at, big_number, flag, ident, jsonb, number, words

__all__ = [
    "OPEN_SQL",
    "assignment",
    "deal",
    "evidence",
    "handoff",
    "handoff_change",
    "handoff_event",
    "kept_result",
    "note",
    "sales_activity",
    "touch",
]

OPEN_SQL = "state in ('qualified', 'queued', 'assigned', 'accepted', 'working', 'opportunity')"
_OWNED_SQL = "state in ('assigned', 'accepted', 'working', 'opportunity')"

handoff = Table(
    "handoff",
    METADATA,
    ident("id", key=True),
    ident("lead_id"),
    ident("root_lead_id"),
    ident("account_id", null=True),
    ident("scope_id"),
    words("motion"),
    words("product"),
    words("tier"),
    words("policy"),
    number("cycle"),
    ident("decision_id"),
    Column("propensity", Float, nullable=False, server_default=text("1")),
    flag("is_hand_raiser", default=False),
    words("state"),
    number("token"),
    number("seq"),
    number("priority", default=0),
    ident("owner_id", null=True),
    ident("former_owner_id", null=True),
    number("attempt", default=0),
    Column("tried", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    words("pool", null=True),
    words("queue", null=True),
    words("queue_reason", null=True),
    number("queue_level", default=0),
    number("evidence", default=1),
    number("pauses", default=0),
    flag("is_paused", default=False),
    jsonb("carried", default="[]"),
    number("clocks_made", default=0),
    number("breached_at_token", null=True),
    Column("missed_touches", ARRAY(Integer), nullable=False, server_default=text("'{}'")),
    words("result", null=True),
    words("reason_code", null=True),
    jsonb("deals", default="[]"),  # id, version, result, reason
    flag("has_deal", default=False),
    ident("merged_into", null=True),
    flag("is_superseded", default=False),
    words("agreement_id"),
    number("agreement_version"),
    at("qualified_at"),
    at("opened_at"),
    at("state_at"),
    at("waiting_since", null=True),
    at("assigned_at", null=True),
    at("accepted_at", null=True),
    at("touched_at", null=True),
    at("disposed_at", null=True),
    at("closed_at", null=True),
    at("paused_until", null=True),
    ident("correlation_id", null=True),
    at("changed_at"),
    CheckConstraint(f"({_OWNED_SQL}) = (owner_id is not null)", name="handoff_owned_has_owner"),
    CheckConstraint("(state = 'queued') = (queue is not null)", name="handoff_queued_has_queue"),
    CheckConstraint("token >= 1 and seq >= 1 and cycle >= 1", name="handoff_counters"),
    Index("handoff_open_scope", "scope_id", "motion", unique=True, postgresql_where=text(OPEN_SQL)),
    Index("handoff_open_person", "root_lead_id", "motion", unique=True, postgresql_where=text(OPEN_SQL)),
    Index("handoff_root", "root_lead_id", "motion", "cycle"),
    Index("handoff_lead", "lead_id"),
    Index("handoff_account", "account_id", postgresql_where=text("account_id is not null")),
    Index("handoff_owner", "owner_id", "state", postgresql_where=text("owner_id is not null")),
    Index("handoff_queue", "queue", "opened_at", postgresql_where=text("state = 'queued'")),
    postgresql_with={"fillfactor": "60"},
)

# When each changed, appended by triggers (migration 0011): an index on handoff.changed_at would keep its updates from
# being HOT.
handoff_change = Table(
    "handoff_change",
    METADATA,
    ident("handoff_id"),
    at("changed_at"),
    Index(
        "handoff_change_at",
        "changed_at",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16, "autosummarize": True},
    ),
)

assignment = Table(
    "assignment",
    METADATA,
    ident("id", key=True),
    ident("handoff_id", ForeignKey("handoff.id")),
    number("attempt"),
    ident("rep_id"),
    words("pool", null=True),
    flag("is_over_capacity", default=False),
    at("started_at"),
    at("accepted_at", null=True),
    at("ended_at", null=True),
    words("ended_how", null=True),
    CheckConstraint("(ended_at is null) = (ended_how is null)", name="assignment_end_has_how"),
    UniqueConstraint("handoff_id", "attempt", name="assignment_attempt"),
    Index("assignment_current", "handoff_id", unique=True, postgresql_where=text("ended_at is null")),
    Index("assignment_rep", "rep_id", "started_at"),
)

# Why it was qualified: one row per qualification that opened or joined the cycle.
evidence = Table(
    "evidence",
    METADATA,
    ident("handoff_id", ForeignKey("handoff.id"), key=True),
    ident("decision_id", key=True),
    ident("lead_id"),
    number("score", null=True),
    number("fit", null=True),
    number("engagement", null=True),
    jsonb("reasons", default="[]"),
    jsonb("facts", default="[]"),
    Column("activities", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    at("attached_at"),
)

touch = Table(
    "touch",
    METADATA,
    ident("id", key=True),  # the activity's id, else derived from the command
    ident("handoff_id", ForeignKey("handoff.id")),
    ident("actor_id", null=True),
    words("kind"),
    at("occurred_at"),
    at("recorded_at"),
    flag("is_late_evidence", default=False),
    Index("touch_handoff", "handoff_id", "occurred_at"),
)

# A try of Sales that no handoff has claimed yet: it may have overtaken the opening, or the assignment (bounded by age).
sales_activity = Table(
    "sales_activity",
    METADATA,
    ident("id", key=True),
    ident("lead_id"),
    ident("actor_id"),
    words("kind"),
    at("occurred_at"),
    at("recorded_at"),
    Index("sales_activity_lead", "lead_id"),
    Index("sales_activity_recorded", "recorded_at"),
)

# Which lead a deal was last told of, and the handoff that counts it: written under the locks of both.
deal = Table(
    "deal",
    METADATA,
    ident("id", key=True),
    ident("lead_id"),
    number("version"),
    ident("handoff_id", null=True),
    at("changed_at"),
)

# What became of a lead before its handoff had an owner: it may have overtaken the opening (bounded by age).
kept_result = Table(
    "kept_result",
    METADATA,
    ident("id", key=True),  # the deal's, or the outcome's own
    ident("lead_id"),
    words("result"),
    number("version"),
    words("reason_code", null=True),
    at("occurred_at"),
    at("recorded_at"),
    Index("kept_result_lead", "lead_id"),
    Index("kept_result_recorded", "recorded_at"),
)

# What people typed: never emitted, emptied when the lead is erased.
note = Table(
    "note",
    METADATA,
    ident("id", key=True),
    ident("handoff_id", ForeignKey("handoff.id")),
    ident("by_id", null=True),
    words("about"),
    words("text"),
    at("written_at"),
    Index("note_handoff", "handoff_id"),
)

# Every input with its verdict, in order: folding the ok ones through the reducer gives the handoff's row.
handoff_event = Table(
    "handoff_event",
    METADATA,
    big_number("id", Identity(always=True), key=True),
    ident("handoff_id"),
    words("kind"),
    jsonb("input", default="{}"),
    words("actor"),
    ident("actor_id", null=True),
    number("token_seen", null=True),
    words("verdict"),
    words("why", default=""),
    words("state_before", null=True),
    words("state_after"),
    number("token_after"),
    number("seq_after"),
    jsonb("effects", default="[]"),
    words("agreement_id"),
    number("agreement_version"),
    at("at"),
    CheckConstraint("verdict in ('ok', 'stale', 'invalid')", name="handoff_event_verdict"),
    Index("handoff_event_handoff", "handoff_id", "id"),
)
