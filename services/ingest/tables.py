"""The tables of ingest, as SQLAlchemy Core sees them; the migrations make them, a test compares the two.

Personal data stands in `profile`, `activity_text`, `consent_statement.wording` and `external_id` alone;
`identity_key` and `suppression` hold keyed hashes.
"""

from sqlalchemy import REAL, Column, MetaData, Table, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.columns import at, big_number, flag, ident, jsonb, number, octets, on, words

__all__ = ["METADATA"]

METADATA = MetaData()

Table(
    "source",
    METADATA,
    ident("id", key=True),
    words("sender"),
    words("name"),
    words("address"),
    jsonb("settings", default="{}"),
    number("version", default=1),
    at("created_at", default="baton_now()"),
    at("deleted_at", null=True),
)
Table(
    "source_key",
    METADATA,
    ident("id", key=True),
    ident("source_id"),
    words("kind"),
    words("shown_prefix"),
    octets("sha256", null=True),
    octets("wrapped", null=True),
    at("created_at", default="baton_now()"),
    at("valid_until", null=True),
)
Table(
    "fetch_due",
    METADATA,
    ident("id", key=True),
    ident("source_id"),
    words("sender"),
    words("verified_by"),
    words("what"),
    words("url"),
    jsonb("headers"),
    words("state", default="waiting"),
    number("tries", default=0),
    at("due_at"),
    words("problem", default=""),
    at("created_at", default="baton_now()"),
    at("settled_at", null=True),
)
Table(
    "erasure_due",
    METADATA,
    ident("id", key=True),
    jsonb("keys"),
    words("asked_by"),
    at("asked_at", default="baton_now()"),
)
Table(
    "lead",
    METADATA,
    ident("id", key=True),
    ident("parent_id", null=True),
    ident("root_id"),
    number("identity_version", default=1),
    flag("is_known"),
    number("profile_version", default=0),
    words("title_level", null=True),
    words("department", null=True),
    words("country", null=True),
    words("language", null=True),
    words("time_zone", null=True),
    words("mail_domain_kind", null=True),
    words("entry_channel", null=True),
    at("entered_at", null=True),
    at("first_touch_at", null=True),
    words("traffic_source", null=True),
    words("medium", null=True),
    words("campaign", null=True),
    at("first_page_at", null=True),
    words("first_page", null=True),
    ident("account_id", null=True),
    number("link_version", default=0),
    words("link_by", null=True),
    at("created_at"),
    at("updated_at"),
    at("active_at"),
    at("erased_at", null=True),
)
Table(
    "identity_key",
    METADATA,
    words("kind", key=True),
    octets("value_hmac", key=True),
    ident("lead_id"),
    at("seen_at"),
)
Table(
    "external_id",
    METADATA,
    words("system", key=True),
    words("external_id", key=True),
    ident("lead_id"),
)
Table(
    "profile",
    METADATA,
    ident("lead_id", key=True),
    jsonb("fields"),
    words("search_text"),
)
Table(
    "activity_text",
    METADATA,
    ident("activity_id", key=True),
    ident("lead_id"),
    words("url", null=True),
    words("recipient", null=True),
    words("subject", null=True),
    words("text", null=True),
    jsonb("answers", default="{}"),
    words("user_agent_family", null=True),
    at("occurred_at"),
)
Table(
    "account",
    METADATA,
    ident("id", key=True),
    words("domain", null=True),
    words("name", null=True),
    words("industry", null=True),
    words("staff_band", null=True),
    words("country", null=True),
    flag("is_target", null=True),
    flag("is_competitor", null=True),
    flag("is_customer", null=True),
    number("version", default=1),
    number("told_version", default=1),
    at("created_at"),
    at("updated_at"),
)
Table(
    "account_key",
    METADATA,
    words("kind", key=True),
    words("value", key=True),
    ident("account_id"),
)
Table(
    "consent",
    METADATA,
    ident("lead_id", key=True),
    words("purpose", key=True),
    words("own", null=True),
    at("own_at", null=True),
    words("other", null=True),
    at("other_at", null=True),
    words("source", null=True),
    at("source_at", null=True),
    words("consent"),
    words("told", default=""),
    flag("is_allowed", default=False),
    flag("is_gpc", default=False),
    number("version", default=0),
    ident("source_id", null=True),
    words("wording_sha256", null=True),
)
Table(
    "consent_statement",
    METADATA,
    ident("id", key=True),
    ident("lead_id"),
    words("purpose"),
    words("consent"),
    words("voice"),
    words("wording", null=True),
    ident("source_id", null=True),
    ident("by_user_id", null=True),
    ident("delivery_id", null=True),
    flag("is_conflict", default=False),
    at("stated_at"),
    at("recorded_at"),
)
Table(
    "consent_default",
    METADATA,
    flag("is_one", key=True, default=True),
    words("unknown_means", default=""),
    number("version", default=1),
    words("answered_by", null=True),
    at("answered_at", null=True),
)
Table(
    "suppression",
    METADATA,
    words("kind", key=True),
    octets("value_hmac", key=True),
    at("since"),
)
Table(
    "erasure",
    METADATA,
    ident("id", key=True),
    Column("lead_ids", ARRAY(Uuid), nullable=False),
    number("keys"),
    words("by"),
    at("at"),
)
for _memory in ("server", "browser", "import"):
    Table(
        f"activity_seen_{_memory}",
        METADATA,
        ident("activity_id", key=True),
        big_number("fingerprint"),
        at("seen_at"),
    )
Table(
    "mail_activity",
    METADATA,
    ident("activity_id", key=True),
    words("message_key"),
    ident("member_id"),
    words("kind"),
    words("link"),
    Column("human", REAL, nullable=False),
    words("reason"),
    at("occurred_at"),
)
Table(
    "delivery_result",
    METADATA,
    ident("delivery_id", key=True),
    ident("source_id"),
    ident("import_id", null=True),
    words("verified_by"),
    number("events"),
    number("activities"),
    number("operations"),
    number("statuses"),
    number("repeats"),
    number("refused"),
    number("counted"),
    number("suppressed"),
    number("ambiguous"),
    number("ids_reused"),
    number("leads_new"),
    number("conflicts"),
    at("received_at"),
    at("handled_at"),
)
Table(
    "delivery_refusal",
    METADATA,
    ident("delivery_id", key=True),
    number("index", key=True),
    words("reason", key=True),
    ident("import_id", null=True),
    ident("source_id"),
    words("event_id", null=True),
    words("detail"),
    at("refused_at"),
)
Table(
    "counted_activity",
    METADATA,
    on("day", key=True),
    ident("source_id", key=True),
    words("kind", key=True),
    big_number("activities"),
)
Table(
    "import_job",
    METADATA,
    ident("id", key=True),
    words("kind"),
    ident("source_id"),
    words("name"),
    words("sha256"),
    words("state"),
    number("records", default=0),
    number("deliveries", default=0),
    words("by"),
    at("created_at"),
    at("updated_at"),
    words("note", default=""),
)
Table(
    "replay_job",
    METADATA,
    ident("id", key=True),
    words("action"),
    words("source", null=True),
    words("reason", null=True),
    at("since_at", null=True),
    at("until_at"),
    number("rate_per_second"),
    words("because", null=True),
    words("state", default="running"),
    at("place_at", null=True),
    ident("place_id", null=True),
    number("total"),
    number("done", default=0),
    number("failed", default=0),
    words("last_error", default=""),
    words("by"),
    at("created_at", default="now()"),
    at("updated_at", default="now()"),
)
