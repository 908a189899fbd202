"""The tables of the console, as SQLAlchemy Core sees them; the migrations make them, a test compares the two.

Read-model rows keep what is searched in columns and the whole row as JSON in `body`: they are rebuilt from the topics,
never migrated. Users, sessions, keys and commands about to leave are the console's own and are not in any topic.
"""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, LargeBinary, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

__all__ = ["METADATA"]

METADATA = MetaData()


def _time(name: str, *, nullable: bool = False) -> "Column[object]":
    return Column(name, DateTime(timezone=True), nullable=nullable)


Table(
    "lead",
    METADATA,
    Column("lead_id", Uuid, primary_key=True),
    Column("root_id", Uuid, nullable=False),
    Column("parent_id", Uuid),
    Column("account_id", Uuid),
    Column("score", Integer),
    Column("is_known", Boolean, nullable=False, server_default="false"),
    Column("body", JSONB, nullable=False, server_default="{}"),
)
Table("account", METADATA, Column("account_id", Uuid, primary_key=True), Column("body", JSONB, nullable=False))
Table(
    "handoff",
    METADATA,
    Column("handoff_id", Uuid, primary_key=True),
    Column("root_lead_id", Uuid, nullable=False),
    Column("owner_id", Uuid),
    Column("state", Text, nullable=False),
    _time("opened_at"),
    Column("body", JSONB, nullable=False),
)
Table(
    "opportunity",
    METADATA,
    Column("opportunity_id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False),
    Column("body", JSONB, nullable=False),
)
Table(
    "agreement",
    METADATA,
    Column("agreement_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    _time("effective_from"),
    Column("body", JSONB, nullable=False),
)
Table(
    "timeline",
    METADATA,
    Column("entry_id", Uuid, primary_key=True),
    Column("lead_id", Uuid, nullable=False),
    Column("handoff_id", Uuid),
    Column("name", Text, nullable=False),
    _time("occurred_at"),
    _time("recorded_at"),
    Column("details", JSONB, nullable=False),
)
Table("change_counter", METADATA, Column("id", Integer, primary_key=True), Column("number", BigInteger, nullable=False))
Table(
    "change",
    METADATA,
    Column("number", BigInteger, primary_key=True),
    Column("lead_id", Uuid),
    Column("handoff_id", Uuid),
)
Table(
    "console_user",
    METADATA,
    Column("user_id", Uuid, primary_key=True),
    Column("user_name", Text, nullable=False, unique=True),
    Column("display_name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("team_id", Uuid),
    Column("time_zone", Text, nullable=False, server_default="UTC"),
    Column("password_hash", Text),
    Column("is_active", Boolean, nullable=False, server_default="true"),
    Column("version", Integer, nullable=False, server_default="1"),
    _time("created_at"),
)
Table(
    "session",
    METADATA,
    Column("token_sha256", LargeBinary, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("csrf", Text, nullable=False),
    _time("created_at"),
    _time("seen_at"),
)
Table(
    "login_failure",
    METADATA,
    Column("subject", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    _time("failed_at"),
)
Table(
    "api_key",
    METADATA,
    Column("key_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_by", Text, nullable=False),
    _time("created_at"),
    _time("expires_at", nullable=True),
    _time("used_at", nullable=True),
    _time("revoked_at", nullable=True),
)
Table(
    "leaving",
    METADATA,
    Column("leaving_id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("handoff_id", Uuid, nullable=False),
    Column("command", Text, nullable=False),
    Column("token", Integer, nullable=False),
    Column("body", JSONB, nullable=False),
    _time("pressed_at"),
    _time("leaves_at"),
)
