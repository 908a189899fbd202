"""The tables of ingest, as SQLAlchemy Core sees them; the migrations make them, a test compares the two.

Personal data stands in `profile`, `activity_text`, `consent_statement.wording` and `external_id` alone;
`identity_key` and `suppression` hold keyed hashes.
"""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

__all__ = ["METADATA"]

METADATA = MetaData()


def _time(name: str, *, nullable: bool = False) -> "Column[object]":
    return Column(name, DateTime(timezone=True), nullable=nullable)


Table(
    "source",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("sender", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("settings", JSONB, nullable=False),
    Column("version", Integer, nullable=False),
    _time("created_at"),
    _time("deleted_at", nullable=True),
)
Table(
    "source_key",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("source_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("shown_prefix", Text, nullable=False),
    Column("sha256", LargeBinary),
    Column("wrapped", LargeBinary),
    _time("created_at"),
    _time("valid_until", nullable=True),
)
Table(
    "lead",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("parent_id", Uuid),
    Column("root_id", Uuid, nullable=False),
    Column("identity_version", Integer, nullable=False),
    Column("is_known", Boolean, nullable=False),
    Column("profile_version", Integer, nullable=False),
    Column("title_level", Text),
    Column("department", Text),
    Column("country", Text),
    Column("language", Text),
    Column("time_zone", Text),
    Column("mail_domain_kind", Text),
    Column("entry_channel", Text),
    _time("entered_at", nullable=True),
    _time("first_touch_at", nullable=True),
    Column("traffic_source", Text),
    Column("medium", Text),
    Column("campaign", Text),
    _time("first_page_at", nullable=True),
    Column("first_page", Text),
    Column("account_id", Uuid),
    Column("link_version", Integer, nullable=False),
    Column("link_by", Text),
    _time("created_at"),
    _time("updated_at"),
    _time("active_at"),
    _time("erased_at", nullable=True),
)
Table(
    "identity_key",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("value_hmac", LargeBinary, primary_key=True),
    Column("lead_id", Uuid, nullable=False),
    _time("seen_at"),
)
Table(
    "external_id",
    METADATA,
    Column("system", Text, primary_key=True),
    Column("external_id", Text, primary_key=True),
    Column("lead_id", Uuid, nullable=False),
)
Table(
    "profile",
    METADATA,
    Column("lead_id", Uuid, primary_key=True),
    Column("fields", JSONB, nullable=False),
    Column("search_text", Text, nullable=False),
)
Table(
    "activity_text",
    METADATA,
    Column("activity_id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False),
    Column("url", Text),
    Column("recipient", Text),
    Column("subject", Text),
    Column("text", Text),
    Column("answers", JSONB, nullable=False),
    Column("user_agent_family", Text),
    _time("occurred_at"),
)
Table(
    "account",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("domain", Text),
    Column("name", Text),
    Column("industry", Text),
    Column("staff_band", Text),
    Column("country", Text),
    Column("is_target", Boolean),
    Column("is_competitor", Boolean),
    Column("is_customer", Boolean),
    Column("version", Integer, nullable=False),
    Column("told_version", Integer, nullable=False),
    _time("created_at"),
    _time("updated_at"),
)
Table(
    "account_key",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("account_id", Uuid, nullable=False),
)
Table(
    "consent",
    METADATA,
    Column("lead_id", Uuid, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("own", Text),
    _time("own_at", nullable=True),
    Column("other", Text),
    _time("other_at", nullable=True),
    Column("source", Text),
    _time("source_at", nullable=True),
    Column("consent", Text, nullable=False),
    Column("told", Text, nullable=False),
    Column("is_allowed", Boolean, nullable=False),
    Column("is_gpc", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("source_id", Uuid),
    Column("wording_sha256", Text),
)
Table(
    "consent_statement",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("consent", Text, nullable=False),
    Column("voice", Text, nullable=False),
    Column("wording", Text),
    Column("source_id", Uuid),
    Column("by_user_id", Uuid),
    Column("delivery_id", Uuid),
    Column("is_conflict", Boolean, nullable=False),
    _time("stated_at"),
    _time("recorded_at"),
)
Table(
    "consent_default",
    METADATA,
    Column("is_one", Boolean, primary_key=True),
    Column("unknown_means", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("answered_by", Text),
    _time("answered_at", nullable=True),
)
Table(
    "suppression",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("value_hmac", LargeBinary, primary_key=True),
    _time("since"),
)
Table(
    "erasure",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("lead_ids", ARRAY(Uuid), nullable=False),
    Column("keys", Integer, nullable=False),
    Column("by", Text, nullable=False),
    _time("at"),
)
for _memory in ("server", "browser", "import"):
    Table(
        f"activity_seen_{_memory}",
        METADATA,
        Column("activity_id", Uuid, primary_key=True),
        Column("fingerprint", BigInteger, nullable=False),
        _time("seen_at"),
    )
Table(
    "mail_activity",
    METADATA,
    Column("activity_id", Uuid, primary_key=True),
    Column("message_key", Text, nullable=False),
    Column("member_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("human", REAL, nullable=False),
    Column("reason", Text, nullable=False),
    _time("occurred_at"),
)
Table(
    "delivery_result",
    METADATA,
    Column("delivery_id", Uuid, primary_key=True),
    Column("source_id", Uuid, nullable=False),
    Column("import_id", Uuid),
    Column("verified_by", Text, nullable=False),
    Column("events", Integer, nullable=False),
    Column("activities", Integer, nullable=False),
    Column("operations", Integer, nullable=False),
    Column("statuses", Integer, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("counted", Integer, nullable=False),
    Column("suppressed", Integer, nullable=False),
    Column("ambiguous", Integer, nullable=False),
    Column("ids_reused", Integer, nullable=False),
    Column("leads_new", Integer, nullable=False),
    Column("conflicts", Integer, nullable=False),
    _time("received_at"),
    _time("handled_at"),
)
Table(
    "delivery_refusal",
    METADATA,
    Column("delivery_id", Uuid, primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("import_id", Uuid),
    Column("source_id", Uuid, nullable=False),
    Column("event_id", Text),
    Column("detail", Text, nullable=False),
    _time("refused_at"),
)
Table(
    "counted_activity",
    METADATA,
    Column("day", Date, primary_key=True),
    Column("source_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("activities", BigInteger, nullable=False),
)
Table(
    "import_job",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("source_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("records", Integer, nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("by", Text, nullable=False),
    _time("created_at"),
    _time("updated_at"),
)
