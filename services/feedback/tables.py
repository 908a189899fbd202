"""Feedback's own tables, as they are after all migrations.

What the loop remembers. Nothing personal is stored here.

`outcome` is append-only; `current_outcome` is the view of those that no other supersedes. `handoff.steps` is the
fold of its events. The runtime's tables are made by its own DDL.
"""

from sqlalchemy import Column, Identity, MetaData, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.columns import at, big_number, flag, ident, jsonb, number, on, real, words

__all__ = ["METADATA"]

METADATA = MetaData()

lead = Table(
    "lead",
    METADATA,
    ident("lead_id", key=True),
    ident("parent_id", null=True),
    ident("root_id"),
    number("identity_version", default=0),
    number("profile_version", default=0),
    number("link_version", default=0),
    ident("account_id", null=True),
    at("known_at", null=True),
    at("engaged_at", null=True),
    words("entry_channel", default=""),
    words("traffic_source", default=""),
    words("campaign", default=""),
    flag("is_erased", default=False),
)

consent = Table(
    "consent",
    METADATA,
    ident("lead_id", key=True),
    words("purpose", key=True),
    number("version"),
    flag("is_allowed"),
)

touching = Table(
    "touching",
    METADATA,
    ident("activity_id", key=True),
    ident("lead_id"),
    words("kind"),
    words("direction"),
    real("human"),
    at("occurred_at"),
    at("recorded_at"),
    words("channel"),
    words("traffic_source", default=""),
    words("medium", default=""),
    words("campaign", default=""),
    words("referrer_host", default=""),
    words("asset", default=""),
)

decision = Table(
    "decision",
    METADATA,
    ident("decision_id", key=True),
    ident("lead_id"),
    at("decided_at"),
    at("recorded_at"),
    words("policy"),
    real("propensity"),
    number("score"),
    number("fit"),
    number("engagement"),
    real("p_win", null=True),
    ident("model_id", null=True),
    number("agreement_version"),
    words("product"),
    words("entry_channel", default=""),
    words("campaign", default=""),
    jsonb("facts"),
    jsonb("lines"),
    jsonb("shadow"),
)

handoff = Table(
    "handoff",
    METADATA,
    ident("handoff_id", key=True),
    ident("lead_id"),
    at("opened_at"),
    ident("decision_id", null=True),
    number("seq"),
    jsonb("steps"),
)

outcome = Table(
    "outcome",
    METADATA,
    ident("outcome_id", key=True),
    ident("lead_id"),
    ident("handoff_id", null=True),
    words("what"),
    words("reason_code", default=""),
    big_number("amount_minor", null=True),
    words("currency", null=True),
    at("occurred_at"),
    at("recorded_at"),
    words("source"),
    words("object", null=True),
    number("object_version", null=True),
    ident("supersedes", null=True),
    flag("is_conflict", default=False),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
)

opportunity = Table(
    "opportunity",
    METADATA,
    ident("opportunity_id", key=True),
    words("system"),
    words("external_id"),
    ident("lead_id"),
    ident("account_id", null=True),
    ident("handoff_id", null=True),
    words("crm_status"),
    words("result"),
    words("reason_code", default=""),
    big_number("amount_minor", null=True),
    words("currency", null=True),
    at("opened_at"),
    at("occurred_at"),
    at("recorded_at"),
    number("object_version"),
    words("body_sha256"),
    ident("outcome_id"),
)

credit = Table(
    "credit",
    METADATA,
    ident("opportunity_id", key=True),
    words("model", key=True),
    number("position", key=True),
    ident("activity_id", null=True),
    ident("lead_id", null=True),
    at("touched_at", null=True),
    words("traffic_source", default=""),
    words("medium", default=""),
    words("campaign", default=""),
    words("asset", default=""),
    big_number("amount_minor"),
)

credit_due = Table(
    "credit_due",
    METADATA,
    big_number("id", Identity(always=True), key=True),
    ident("opportunity_id"),
)

spend = Table(
    "spend",
    METADATA,
    ident("spend_id", key=True),
    on("since_on"),
    on("until_on"),
    words("traffic_source", default=""),
    words("campaign", default=""),
    big_number("amount_minor"),
    words("currency"),
    at("recorded_at"),
)

import_file = Table(
    "import_file",
    METADATA,
    words("sha256", key=True),
    words("kind"),
    at("recorded_at"),
    jsonb("answer"),
)

agreement = Table(
    "agreement",
    METADATA,
    words("agreement_id", key=True),
    number("version", key=True),
    at("effective_from"),
    words("document"),
    words("sha256"),
    jsonb("signatures"),
    flag("is_unsigned_default"),
    at("published_at"),
)

draft = Table(
    "draft",
    METADATA,
    ident("draft_id", key=True),
    words("agreement_id"),
    number("edition"),
    words("document"),
    words("checked_sha256", default=""),
    jsonb("findings", default="[]"),
    jsonb("signatures", default="[]"),
    number("published_version", null=True),
    words("made_by"),
    at("changed_at"),
)

active = Table(
    "active",
    METADATA,
    words("slot", key=True),
    number("version", null=True),
    ident("model_id", null=True),
    number("generation"),
)

model = Table(
    "model",
    METADATA,
    ident("model_id", key=True),
    words("family"),
    words("slot"),
    number("agreement_version"),
    at("trained_as_of"),
    at("window_from"),
    words("rows_sha256"),
    number("wins"),
    number("losses"),
    number("open"),
    real("open_weight"),
    real("rho"),
    words("card"),
    jsonb("metrics"),
    jsonb("gate"),
    flag("is_passed"),
    at("published_at"),
)

tuner_run = Table(
    "tuner_run",
    METADATA,
    words("slot", key=True),
    words("family", key=True),
    at("asked_at", null=True),
    at("ran_as_of", null=True),
    number("matured", default=0),
    words("result", default=""),
)

approval = Table(
    "approval",
    METADATA,
    ident("model_id", key=True),
    words("team", key=True),
    ident("user_id"),
    at("approved_at"),
)

promotion = Table(
    "promotion",
    METADATA,
    words("slot", key=True),
    number("generation", key=True),
    ident("model_id", null=True),
    flag("is_roll_back"),
    real("p_threshold"),
    jsonb("by_user_ids"),
    words("reason"),
    at("promoted_at"),
)

dispute = Table(
    "dispute",
    METADATA,
    ident("dispute_id", key=True),
    ident("handoff_id"),
    ident("lead_id"),
    ident("rep_id"),
    words("ground"),
    jsonb("evidence"),
    at("opened_at"),
    jsonb("rulings", default="[]"),
    words("ruling", null=True),
    flag("is_credited", default=False),
    at("ruled_at", null=True),
)
