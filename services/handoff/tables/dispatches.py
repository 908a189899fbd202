"""Dispatches with their attempts, and the endpoints and lanes they go through.

A lane is what has a rate and a health of its own: one per webhook endpoint, one for all mail, one for ingest.
SQL keeps: one dispatch per (event, lane, recipient), one row per attempt.
"""

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from services.handoff.tables.metadata import METADATA
from shared.db.columns import at, big_number, flag, ident, number, words

__all__ = ["INGEST_LANE", "MAIL_LANE", "attempt", "dispatch", "endpoint", "endpoint_secret", "lane", "lead_version"]

# The lanes of all mail, and of what ingest is asked to do; made by the migration.
MAIL_LANE = "00000000-0000-0000-0000-00000000ba10"
INGEST_LANE = "00000000-0000-0000-0000-00000000ba11"

lane = Table(
    "lane",
    METADATA,
    ident("id", key=True),
    words("channel"),
    flag("is_enabled", default=True),
    words("disabled_because", null=True),
    Column("rate_share", Float, nullable=False, server_default=text("1")),
    number("rate_per_second", default=50),
    at("failing_since", null=True),
    at("warned_at", null=True),
    CheckConstraint("channel in ('webhook', 'mail', 'ingest')", name="lane_channel"),
    CheckConstraint("rate_share > 0 and rate_share <= 1", name="lane_rate_share"),
    postgresql_with={"fillfactor": "60"},
)

endpoint = Table(
    "endpoint",
    METADATA,
    ident("id", ForeignKey("lane.id"), key=True),
    words("url"),
    words("description", default=""),
    Column("types", ARRAY(Text), nullable=False, server_default=text("'{}'")),  # empty: all
    Column("pools", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("products", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    flag("is_sharing", default=False),  # another controller's: never gets what Sec-GPC forbids to share
    words("notify_email", null=True),
    words("headers_wrapped", null=True),  # own headers as a JSON object under Fernet
    number("version", default=1),
    ident("created_by", null=True),
    at("created_at"),
    at("changed_at"),
    Index("endpoint_created", "created_at", "id"),
)

# Every secret in force signs; a rotated one ends at expires_at.
endpoint_secret = Table(
    "endpoint_secret",
    METADATA,
    ident("id", key=True),
    ident("endpoint_id", ForeignKey("endpoint.id", ondelete="CASCADE")),
    words("secret_wrapped"),
    at("made_at"),
    at("expires_at", null=True),  # none: the current one
    Index("endpoint_secret_current", "endpoint_id", unique=True, postgresql_where=text("expires_at is null")),
    Index("endpoint_secret_endpoint", "endpoint_id", "made_at"),
)

dispatch = Table(
    "dispatch",
    METADATA,
    ident("id", key=True),
    ident("lane_id", ForeignKey("lane.id")),
    ident("recipient_id", null=True),  # of a mail: a rep's user id
    words("recipient", null=True),  # of a mail: a role or an address where there is no rep
    ident("event_id"),  # the webhook-id
    words("type"),  # the event's type, or the mail's template
    ident("lead_id", null=True),
    ident("handoff_id", null=True),
    words("body"),  # the bytes signed and sent, or the mail's card as JSON
    words("state", default="waiting"),
    number("attempts", default=0),
    number("attempts_before", default=0),  # when it was made or last resent: the schedule counts from there
    flag("is_repeat", default=False),  # an attempt's result is unknown: the receiver may see it twice
    at("next_at"),  # world time
    at("leased_until", null=True),  # machine time
    at("made_at"),
    at("ended_at", null=True),
    big_number("number", Identity(always=True)),  # the order in which they were made
    CheckConstraint("state in ('waiting', 'unknown', 'done', 'failed', 'withdrawn')", name="dispatch_state"),
    CheckConstraint("(state in ('waiting', 'unknown')) = (ended_at is null)", name="dispatch_end"),
    UniqueConstraint(
        "event_id",
        "lane_id",
        "recipient_id",
        "recipient",
        "type",
        name="dispatch_once",
        postgresql_nulls_not_distinct=True,
    ),
    Index("dispatch_due", "lane_id", "next_at", postgresql_where=text("state in ('waiting', 'unknown')")),
    Index("dispatch_lane", "lane_id", "number"),
    Index("dispatch_handoff", "handoff_id", postgresql_where=text("state in ('waiting', 'unknown')")),
    Index("dispatch_lead", "lead_id"),
    postgresql_with={"fillfactor": "70"},
)

attempt = Table(
    "attempt",
    METADATA,
    ident("dispatch_id", ForeignKey("dispatch.id", ondelete="CASCADE"), key=True),
    number("number", key=True),
    at("started_at"),
    number("milliseconds", null=True),
    words("outcome", default="unknown"),
    number("status", null=True),
    words("answer", default=""),  # at most 2 kB, emptied when the lead is erased
    words("error", null=True),
    flag("is_repeat", default=False),
    at("next_at", null=True),
    CheckConstraint("number >= 1", name="attempt_number"),
    Index("attempt_started", "started_at"),
)

# How many events of a lead left for endpoints: `data.lead_version`, by which a receiver drops what is older.
lead_version = Table("lead_version", METADATA, ident("lead_id", key=True), big_number("version"))
