"""Feedback's own tables, as they are after all migrations.

What the loop remembers. Nothing personal is stored here.

`outcome` is append-only; `current_outcome` is the view of those that no other supersedes. `handoff.steps` is the
fold of its events. The runtime's tables are made by its own DDL.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

__all__ = ["METADATA"]

METADATA = MetaData()
_Instant = DateTime(timezone=True)

lead = Table(
    "lead",
    METADATA,
    Column("lead_id", Uuid, primary_key=True),
    Column("parent_id", Uuid),
    Column("root_id", Uuid, nullable=False),
    Column("identity_version", Integer, nullable=False, server_default=text("0")),
    Column("profile_version", Integer, nullable=False, server_default=text("0")),
    Column("link_version", Integer, nullable=False, server_default=text("0")),
    Column("account_id", Uuid),
    Column("known_at", _Instant),
    Column("engaged_at", _Instant),
    Column("entry_channel", Text, nullable=False, server_default=text("''")),
    Column("traffic_source", Text, nullable=False, server_default=text("''")),
    Column("campaign", Text, nullable=False, server_default=text("''")),
    Column("is_erased", Boolean, nullable=False, server_default=text("false")),
)

consent = Table(
    "consent",
    METADATA,
    Column("lead_id", Uuid, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("is_allowed", Boolean, nullable=False),
)

touching = Table(
    "touching",
    METADATA,
    Column("activity_id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("human", Double, nullable=False),
    Column("occurred_at", _Instant, nullable=False),
    Column("recorded_at", _Instant, nullable=False),
    Column("channel", Text, nullable=False),
    Column("traffic_source", Text, nullable=False, server_default=text("''")),
    Column("medium", Text, nullable=False, server_default=text("''")),
    Column("campaign", Text, nullable=False, server_default=text("''")),
    Column("referrer_host", Text, nullable=False, server_default=text("''")),
    Column("asset", Text, nullable=False, server_default=text("''")),
)

decision = Table(
    "decision",
    METADATA,
    Column("decision_id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False),
    Column("decided_at", _Instant, nullable=False),
    Column("recorded_at", _Instant, nullable=False),
    Column("policy", Text, nullable=False),
    Column("propensity", Double, nullable=False),
    Column("score", Integer, nullable=False),
    Column("fit", Integer, nullable=False),
    Column("engagement", Integer, nullable=False),
    Column("p_win", Double),
    Column("model_id", Uuid),
    Column("agreement_version", Integer, nullable=False),
    Column("product", Text, nullable=False),
    Column("entry_channel", Text, nullable=False, server_default=text("''")),
    Column("campaign", Text, nullable=False, server_default=text("''")),
    Column("facts", JSONB, nullable=False),
    Column("lines", JSONB, nullable=False),
    Column("shadow", JSONB, nullable=False),
)

handoff = Table(
    "handoff",
    METADATA,
    Column("handoff_id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False),
    Column("opened_at", _Instant, nullable=False),
    Column("decision_id", Uuid),
    Column("seq", Integer, nullable=False),
    Column("steps", JSONB, nullable=False),
)

outcome = Table(
    "outcome",
    METADATA,
    Column("outcome_id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False),
    Column("handoff_id", Uuid),
    Column("what", Text, nullable=False),
    Column("reason_code", Text, nullable=False, server_default=text("''")),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("occurred_at", _Instant, nullable=False),
    Column("recorded_at", _Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("object", Text),
    Column("object_version", Integer),
    Column("supersedes", Uuid),
    Column("is_conflict", Boolean, nullable=False, server_default=text("false")),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
)

opportunity = Table(
    "opportunity",
    METADATA,
    Column("opportunity_id", Uuid, primary_key=True),
    Column("system", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("lead_id", Uuid, nullable=False),
    Column("account_id", Uuid),
    Column("handoff_id", Uuid),
    Column("crm_status", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("reason_code", Text, nullable=False, server_default=text("''")),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("opened_at", _Instant, nullable=False),
    Column("occurred_at", _Instant, nullable=False),
    Column("recorded_at", _Instant, nullable=False),
    Column("object_version", Integer, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Column("outcome_id", Uuid, nullable=False),
)

credit = Table(
    "credit",
    METADATA,
    Column("opportunity_id", Uuid, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("activity_id", Uuid),
    Column("lead_id", Uuid),
    Column("touched_at", _Instant),
    Column("traffic_source", Text, nullable=False, server_default=text("''")),
    Column("medium", Text, nullable=False, server_default=text("''")),
    Column("campaign", Text, nullable=False, server_default=text("''")),
    Column("asset", Text, nullable=False, server_default=text("''")),
    Column("amount_minor", BigInteger, nullable=False),
)

credit_due = Table(
    "credit_due",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("opportunity_id", Uuid, nullable=False),
)

spend = Table(
    "spend",
    METADATA,
    Column("spend_id", Uuid, primary_key=True),
    Column("since_on", Date, nullable=False),
    Column("until_on", Date, nullable=False),
    Column("traffic_source", Text, nullable=False, server_default=text("''")),
    Column("campaign", Text, nullable=False, server_default=text("''")),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("recorded_at", _Instant, nullable=False),
)

import_file = Table(
    "import_file",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("recorded_at", _Instant, nullable=False),
    Column("answer", JSONB, nullable=False),
)

agreement = Table(
    "agreement",
    METADATA,
    Column("agreement_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("effective_from", _Instant, nullable=False),
    Column("document", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("signatures", JSONB, nullable=False),
    Column("is_unsigned_default", Boolean, nullable=False),
    Column("published_at", _Instant, nullable=False),
)

draft = Table(
    "draft",
    METADATA,
    Column("draft_id", Uuid, primary_key=True),
    Column("agreement_id", Text, nullable=False),
    Column("edition", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("checked_sha256", Text, nullable=False, server_default=text("''")),
    Column("findings", JSONB, nullable=False, server_default=text("'[]'")),
    Column("signatures", JSONB, nullable=False, server_default=text("'[]'")),
    Column("published_version", Integer),
    Column("made_by", Text, nullable=False),
    Column("changed_at", _Instant, nullable=False),
)

active = Table(
    "active",
    METADATA,
    Column("slot", Text, primary_key=True),
    Column("version", Integer),
    Column("model_id", Uuid),
    Column("generation", Integer, nullable=False),
)

model = Table(
    "model",
    METADATA,
    Column("model_id", Uuid, primary_key=True),
    Column("family", Text, nullable=False),
    Column("slot", Text, nullable=False),
    Column("agreement_version", Integer, nullable=False),
    Column("trained_as_of", _Instant, nullable=False),
    Column("window_from", _Instant, nullable=False),
    Column("rows_sha256", Text, nullable=False),
    Column("wins", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("open", Integer, nullable=False),
    Column("open_weight", Double, nullable=False),
    Column("rho", Double, nullable=False),
    Column("card", Text, nullable=False),
    Column("metrics", JSONB, nullable=False),
    Column("gate", JSONB, nullable=False),
    Column("is_passed", Boolean, nullable=False),
    Column("published_at", _Instant, nullable=False),
)

tuner_run = Table(
    "tuner_run",
    METADATA,
    Column("slot", Text, primary_key=True),
    Column("family", Text, primary_key=True),
    Column("asked_at", _Instant),
    Column("ran_as_of", _Instant),
    Column("matured", Integer, nullable=False, server_default=text("0")),
    Column("result", Text, nullable=False, server_default=text("''")),
)

approval = Table(
    "approval",
    METADATA,
    Column("model_id", Uuid, primary_key=True),
    Column("team", Text, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("approved_at", _Instant, nullable=False),
)

promotion = Table(
    "promotion",
    METADATA,
    Column("slot", Text, primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("model_id", Uuid),
    Column("is_roll_back", Boolean, nullable=False),
    Column("p_threshold", Double, nullable=False),
    Column("by_user_ids", JSONB, nullable=False),
    Column("reason", Text, nullable=False),
    Column("promoted_at", _Instant, nullable=False),
)

dispute = Table(
    "dispute",
    METADATA,
    Column("dispute_id", Uuid, primary_key=True),
    Column("handoff_id", Uuid, nullable=False),
    Column("lead_id", Uuid, nullable=False),
    Column("rep_id", Uuid, nullable=False),
    Column("ground", Text, nullable=False),
    Column("evidence", JSONB, nullable=False),
    Column("opened_at", _Instant, nullable=False),
    Column("rulings", JSONB, nullable=False, server_default=text("'[]'")),
    Column("ruling", Text),
    Column("is_credited", Boolean, nullable=False, server_default=text("false")),
    Column("ruled_at", _Instant),
)
