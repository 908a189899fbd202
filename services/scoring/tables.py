"""Scoring's own tables: leads with their exact sums, the history they are folded from, decisions, terms in force.

`lead` is a fold of `activity`, `correction` and `lead_record`, kept for speed; explanations as of a past moment read
the history. Nothing personal is stored here. The runtime's tables are made by its own DDL.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

__all__ = ["METADATA"]

METADATA = MetaData()
_Instant = DateTime(timezone=True)

lead = Table(
    "lead",
    METADATA,
    Column("lead_id", Uuid, primary_key=True),
    Column("root_id", Uuid, nullable=False),
    Column("parent_id", Uuid),
    Column("identity_version", Integer, nullable=False, server_default=text("0")),
    Column("tree_size", SmallInteger, nullable=False, server_default=text("1")),
    Column("account_id", Uuid),
    Column("state", Text, nullable=False, server_default=text("'[]'")),
    Column("print", Text, nullable=False, server_default=text("''")),
    Column("active_us", BigInteger, nullable=False, server_default=text("0")),
    Column("standing", Text, nullable=False, server_default=text("'[]'")),
    Column("shown", Text, nullable=False, server_default=text("''")),
    Column("score_version", Integer, nullable=False, server_default=text("0")),
    Column("recheck_at", _Instant),
    Index("lead_member", "root_id", postgresql_where=text("root_id <> lead_id")),
    Index("lead_account", "account_id", postgresql_where=text("account_id is not null")),
    Index("lead_recheck", "recheck_at", postgresql_where=text("recheck_at is not null")),
    postgresql_with={"fillfactor": 60},
)
activity = Table(
    "activity",
    METADATA,
    Column("activity_id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("content", Text),
    Column("is_hard", Boolean),
    Column("verified_by", Text, nullable=False),
    Column("human", Double, nullable=False),
    Column("occurred_at", _Instant, nullable=False),
    Column("recorded_at", _Instant, nullable=False),
    Index("activity_lead", "lead_id", "recorded_at"),
    Index("activity_age", "recorded_at", postgresql_using="brin"),
)
correction = Table(
    "correction",
    METADATA,
    Column("activity_id", Uuid, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False),
    Column("human", Double, nullable=False),
    Column("recorded_at", _Instant, nullable=False),
    Index("correction_lead", "lead_id"),
)
lead_record = Table(
    "lead_record",
    METADATA,
    Column("lead_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("recorded_at", _Instant, nullable=False),
    Column("content", Text, nullable=False),
    Column("occurred_at", _Instant),
    Index("lead_record_parent", "name", postgresql_where=text("kind = 'identity'")),
)
decision = Table(
    "decision",
    METADATA,
    Column("decision_id", Uuid, primary_key=True),
    Column("lead_id", Uuid),
    Column("account_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("decided_at", _Instant, nullable=False),
    Column("content", Text, nullable=False),
    Index("decision_lead", "lead_id", "decided_at"),
    Index("decision_account", "account_id", "decided_at", postgresql_where=text("account_id is not null")),
    Index("decision_age", "decided_at"),
)
account = Table(
    "account",
    METADATA,
    Column("account_id", Uuid, primary_key=True),
    Column("standing", Text, nullable=False, server_default=text("'[]'")),
    Column("shown", Text, nullable=False, server_default=text("''")),
    Column("score_version", Integer, nullable=False, server_default=text("0")),
    Column("is_customer", Boolean, nullable=False, server_default=text("false")),
    Column("content", Text, nullable=False, server_default=text("'{}'")),
    Column("computed_at", _Instant),
    Column("recheck_at", _Instant),
    Index("account_recheck", "recheck_at", postgresql_where=text("recheck_at is not null")),
)
account_due = Table(
    "account_due",
    METADATA,
    Column("id", BigInteger, Identity(always=True, cache=1), primary_key=True),
    Column("account_id", Uuid, nullable=False),
)
agreement = Table(
    "agreement",
    METADATA,
    Column("agreement_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("effective_from", _Instant, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("document", Text, nullable=False),
)
model = Table(
    "model",
    METADATA,
    Column("model_id", Uuid, primary_key=True),
    Column("slot", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("card", Text),
    Column("trained_as_of", _Instant, nullable=False),
)
active = Table(
    "active",
    METADATA,
    Column("slot", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("ref", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("0")),
    Column("p_threshold", Double),
    Column("switched_at", _Instant, nullable=False),
)
activation = Table(
    "activation",
    METADATA,
    Column("slot", Text, primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("ref", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("0")),
    Column("p_threshold", Double),
    Column("switched_at", _Instant, nullable=False),
)
rescan = Table(
    "rescan",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("after_id", Uuid, nullable=False),
)
exploration = Table(
    "exploration",
    METADATA,
    Column("on_date", Date, primary_key=True),
    Column("draw_limit", Double, nullable=False),
    Column("handoffs", Integer, nullable=False),
    Column("eligible", Integer, nullable=False),
)
simulation = Table(
    "simulation",
    METADATA,
    Column("simulation_id", Uuid, primary_key=True),
    Column("state", Text, nullable=False),
    Column("asked_at", _Instant, nullable=False),
    Column("asked", Text, nullable=False),
    Column("answer", Text),
)
