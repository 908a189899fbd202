"""The tables of the console, as SQLAlchemy Core sees them; the migrations make them, a test compares the two.

Read-model rows keep what is searched in columns and the whole row as JSON in `body`: they are rebuilt from the topics,
never migrated. Users, sessions, keys, commands about to leave and those that did not take effect are the console's own
and are not in any topic.
"""

from sqlalchemy import Column, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.columns import at, big_number, flag, ident, jsonb, number, octets, words

__all__ = ["METADATA"]

METADATA = MetaData()

Table(
    "lead",
    METADATA,
    ident("lead_id", key=True),
    ident("root_id"),
    ident("parent_id", null=True),
    ident("account_id", null=True),
    number("score", null=True),
    flag("is_known", default=False),
    jsonb("body", default="{}"),
)
Table("account", METADATA, ident("account_id", key=True), jsonb("body"))
Table(
    "handoff",
    METADATA,
    ident("handoff_id", key=True),
    ident("root_lead_id"),
    ident("owner_id", null=True),
    words("state"),
    at("opened_at"),
    jsonb("body"),
)
Table(
    "opportunity",
    METADATA,
    ident("opportunity_id", key=True),
    ident("lead_id"),
    jsonb("body"),
)
Table(
    "agreement",
    METADATA,
    words("agreement_id", key=True),
    number("version", key=True),
    at("effective_from"),
    jsonb("body"),
)
Table(
    "timeline",
    METADATA,
    ident("entry_id", key=True),
    ident("lead_id"),
    ident("handoff_id", null=True),
    words("name"),
    at("occurred_at"),
    at("recorded_at"),
    jsonb("details"),
)
Table("change_counter", METADATA, number("id", key=True), big_number("number"))
Table(
    "change",
    METADATA,
    big_number("number", key=True),
    ident("lead_id", null=True),
    ident("handoff_id", null=True),
)
Table(
    "console_user",
    METADATA,
    ident("user_id", key=True),
    Column("user_name", Text, nullable=False, unique=True),
    words("display_name"),
    words("role"),
    ident("team_id", null=True),
    words("time_zone", default="UTC"),
    words("password_hash", null=True),
    flag("is_active", default=True),
    number("version", default=1),
    at("created_at"),
)
Table(
    "session",
    METADATA,
    octets("token_sha256", key=True),
    ident("user_id"),
    words("csrf"),
    at("created_at"),
    at("seen_at"),
)
Table(
    "login_failure",
    METADATA,
    words("subject", key=True),
    number("failures"),
    at("failed_at"),
)
Table(
    "api_key",
    METADATA,
    words("key_id", key=True),
    words("name"),
    octets("secret_sha256"),
    Column("scopes", ARRAY(Text), nullable=False),
    words("created_by"),
    at("created_at"),
    at("expires_at", null=True),
    at("used_at", null=True),
    at("revoked_at", null=True),
)
Table(
    "leaving",
    METADATA,
    ident("leaving_id", key=True),
    ident("user_id"),
    ident("handoff_id"),
    words("command"),
    number("token"),
    jsonb("body"),
    at("pressed_at"),
    at("leaves_at"),
)
Table(
    "unsent",
    METADATA,
    ident("leaving_id", key=True),
    ident("user_id"),
    ident("lead_id"),
    words("told"),
    at("failed_at"),
)
