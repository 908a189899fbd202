"""Leads and accounts as handoff knows them (mirrors by version), account owners, and the connectors' watermarks."""

from sqlalchemy import Index, Table

from services.handoff.tables.metadata import METADATA
from shared.db.columns import at, flag, ident, jsonb, number, words

__all__ = ["account", "account_owner", "connector", "lead"]

# A member of a tree: root_id is the person. Made by whichever event names the lead first; versions order the rest.
lead = Table(
    "lead",
    METADATA,
    ident("id", key=True),
    ident("parent_id", null=True),
    ident("root_id"),
    number("identity_version", default=0),
    ident("account_id", null=True),
    number("link_version", default=0),
    number("profile_version", default=0),
    jsonb("consents", default="{}"),  # per purpose: version, is_allowed
    flag("is_suppressed", default=False),
    flag("is_erased", default=False),
    number("score_version", default=0),
    number("qualified_number", default=0),
    number("demoted_number", default=0),
    jsonb("facts", default="{}"),
    jsonb("external", default="[]"),
    at("changed_at"),
    Index("lead_root", "root_id"),
    Index("lead_account", "account_id"),
    postgresql_with={"fillfactor": "70"},
)

account = Table(
    "account",
    METADATA,
    ident("id", key=True),
    number("link_version", default=0),
    number("score_version", default=0),
    number("qualified_number", default=0),
    jsonb("facts", default="{}"),
    at("changed_at"),
)

account_owner = Table(
    "account_owner",
    METADATA,
    ident("account_id", key=True),
    ident("rep_id"),
    number("version", default=1),
    ident("set_by", null=True),
    at("set_at"),
    Index("account_owner_rep", "rep_id"),
)

# A CRM connector whose calls, mails and meetings are evidence of a first touch.
connector = Table("connector", METADATA, words("id", key=True), at("watermark_at"))
