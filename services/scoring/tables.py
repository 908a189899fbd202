"""Scoring's own tables: leads with their exact sums, the history they are folded from, decisions, terms in force.

`lead` is a fold of `activity`, `correction` and `lead_record`, kept for speed; explanations as of a past moment read
the history. Nothing personal is stored here. The runtime's tables are made by its own DDL.
"""

from sqlalchemy import Column, Identity, Index, MetaData, SmallInteger, Table, text

from shared.db.columns import at, big_number, flag, ident, number, on, real, words

__all__ = ["METADATA"]

METADATA = MetaData()

lead = Table(
    "lead",
    METADATA,
    ident("lead_id", key=True),
    ident("root_id"),
    ident("parent_id", null=True),
    number("identity_version", default=0),
    Column("tree_size", SmallInteger, nullable=False, server_default=text("1")),
    ident("account_id", null=True),
    words("state", default="[]"),
    words("print", default=""),
    big_number("active_us", default=0),
    words("standing", default="[]"),
    words("shown", default=""),
    number("score_version", default=0),
    at("recheck_at", null=True),
    Index("lead_member", "root_id", postgresql_where=text("root_id <> lead_id")),
    Index("lead_account", "account_id", postgresql_where=text("account_id is not null")),
    Index("lead_recheck", "recheck_at", postgresql_where=text("recheck_at is not null")),
    postgresql_with={"fillfactor": 60},
)
activity = Table(
    "activity",
    METADATA,
    ident("activity_id", key=True),
    ident("lead_id"),
    words("kind"),
    words("content", null=True),
    flag("is_hard", null=True),
    words("verified_by"),
    real("human"),
    at("occurred_at"),
    at("recorded_at"),
    Index("activity_lead", "lead_id", "recorded_at"),
    Index("activity_age", "recorded_at", postgresql_using="brin"),
)
correction = Table(
    "correction",
    METADATA,
    ident("activity_id", key=True),
    ident("event_id", key=True),
    ident("lead_id"),
    real("human"),
    at("recorded_at"),
    Index("correction_lead", "lead_id"),
)
lead_record = Table(
    "lead_record",
    METADATA,
    ident("lead_id", key=True),
    words("kind", key=True),
    words("name", key=True),
    big_number("version", key=True),
    at("recorded_at"),
    words("content"),
    at("occurred_at", null=True),
    Index("lead_record_parent", "name", postgresql_where=text("kind = 'identity'")),
)
decision = Table(
    "decision",
    METADATA,
    ident("decision_id", key=True),
    ident("lead_id", null=True),
    ident("account_id", null=True),
    words("kind"),
    number("number"),
    at("decided_at"),
    words("content"),
    Index("decision_lead", "lead_id", "decided_at"),
    Index("decision_account", "account_id", "decided_at", postgresql_where=text("account_id is not null")),
    Index("decision_age", "decided_at"),
)
account = Table(
    "account",
    METADATA,
    ident("account_id", key=True),
    words("standing", default="[]"),
    words("shown", default=""),
    number("score_version", default=0),
    flag("is_customer", default=False),
    words("content", default="{}"),
    at("computed_at", null=True),
    at("recheck_at", null=True),
    Index("account_recheck", "recheck_at", postgresql_where=text("recheck_at is not null")),
)
account_due = Table(
    "account_due",
    METADATA,
    big_number("id", Identity(always=True, cache=1), key=True),
    ident("account_id"),
)
agreement = Table(
    "agreement",
    METADATA,
    words("agreement_id", key=True),
    number("version", key=True),
    at("effective_from"),
    words("sha256"),
    words("document"),
)
model = Table(
    "model",
    METADATA,
    ident("model_id", key=True),
    words("slot"),
    words("family"),
    words("card", null=True),
    at("trained_as_of"),
)
active = Table(
    "active",
    METADATA,
    words("slot", key=True),
    number("generation"),
    words("ref"),
    number("version", default=0),
    real("p_threshold", null=True),
    at("switched_at"),
)
activation = Table(
    "activation",
    METADATA,
    words("slot", key=True),
    number("generation", key=True),
    words("ref"),
    number("version", default=0),
    real("p_threshold", null=True),
    at("switched_at"),
)
rescan = Table(
    "rescan",
    METADATA,
    words("name", key=True),
    ident("after_id"),
)
exploration = Table(
    "exploration",
    METADATA,
    on("on_date", key=True),
    real("draw_limit"),
    number("handoffs"),
    number("eligible"),
)
simulation = Table(
    "simulation",
    METADATA,
    ident("simulation_id", key=True),
    words("state"),
    at("asked_at"),
    words("asked"),
    words("answer", null=True),
)
