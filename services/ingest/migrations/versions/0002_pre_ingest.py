"""The tables of ingest: sources, leads and keys, profiles and texts, accounts, consent, memory of ids, results."""

from alembic import op

revision = "0002"
down_revision = "0001"

_MEMORY = """
    create table activity_seen_{span} (
        activity_id uuid primary key,
        fingerprint bigint not null,
        seen_at timestamptz not null
    )
"""

_STATEMENTS = (
    # search by part of a name or address (GET /v1/leads?q=); contrib, trusted since PostgreSQL 13
    "create extension if not exists pg_trgm",
    """
    create table source (
        id uuid primary key,
        sender text not null,
        name text not null,
        address text not null unique,
        settings jsonb not null default '{}',
        version integer not null default 1,
        created_at timestamptz not null default baton_now(),
        deleted_at timestamptz
    )
    """,
    """
    create table source_key (
        id uuid primary key,
        source_id uuid not null references source,
        kind text not null check (kind in ('server_key', 'browser_key', 'secret')),
        shown_prefix text not null,
        sha256 bytea,
        wrapped bytea,
        created_at timestamptz not null default baton_now(),
        valid_until timestamptz,
        check ((kind = 'secret') = (wrapped is not null)),
        check ((kind = 'secret') = (sha256 is null))
    )
    """,
    "create unique index source_key_sha256 on source_key (sha256) where sha256 is not null",
    "create index source_key_source on source_key (source_id)",
    """
    create table lead (
        id uuid primary key,
        parent_id uuid,
        root_id uuid not null,
        identity_version integer not null default 1,
        is_known boolean not null,
        profile_version integer not null default 0,
        title_level text,
        department text,
        country text,
        language text,
        time_zone text,
        mail_domain_kind text,
        entry_channel text,
        entered_at timestamptz,
        first_touch_at timestamptz,
        traffic_source text,
        medium text,
        campaign text,
        first_page_at timestamptz,
        first_page text,
        account_id uuid,
        link_version integer not null default 0,
        link_by text,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        active_at timestamptz not null,
        erased_at timestamptz,
        check ((parent_id is null) = (root_id = id))
    ) with (fillfactor = 70)
    """,
    "create index lead_root on lead (root_id)",
    "create index lead_updated on lead (updated_at, id)",
    "create index lead_created on lead (created_at, id) where parent_id is null and erased_at is null",
    "create index lead_account on lead (account_id) where account_id is not null",
    """
    create table identity_key (
        kind text not null,
        value_hmac bytea not null,
        lead_id uuid not null,
        seen_at timestamptz not null,
        primary key (kind, value_hmac)
    ) with (fillfactor = 70)
    """,
    "create index identity_key_lead on identity_key (lead_id)",
    """
    create table external_id (
        system text not null,
        external_id text not null,
        lead_id uuid not null,
        primary key (system, external_id)
    )
    """,
    "create index external_id_lead on external_id (lead_id)",
    """
    create table profile (
        lead_id uuid primary key,
        fields jsonb not null,
        search_text text not null
    )
    """,
    "create index profile_search on profile using gin (search_text gin_trgm_ops)",
    """
    create table activity_text (
        activity_id uuid primary key,
        lead_id uuid not null,
        url text,
        recipient text,
        subject text,
        text text,
        answers jsonb not null default '{}',
        user_agent_family text,
        occurred_at timestamptz not null
    )
    """,
    "create index activity_text_lead on activity_text (lead_id)",
    """
    create table account (
        id uuid primary key,
        domain text,
        name text,
        industry text,
        staff_band text,
        country text,
        is_target boolean,
        is_competitor boolean,
        is_customer boolean,
        version integer not null default 1,
        told_version integer not null default 1,
        created_at timestamptz not null,
        updated_at timestamptz not null
    )
    """,
    "create index account_untold on account (id) where told_version < version",
    """
    create table account_key (
        kind text not null check (kind in ('domain', 'crm', 'company_name')),
        value text not null,
        account_id uuid not null,
        primary key (kind, value)
    )
    """,
    "create index account_key_account on account_key (account_id)",
    """
    create table consent (
        lead_id uuid not null,
        purpose text not null,
        own text,
        own_at timestamptz,
        other text,
        other_at timestamptz,
        source text,
        source_at timestamptz,
        consent text not null,
        told text not null default '',
        is_allowed boolean not null default false,
        is_gpc boolean not null default false,
        version integer not null default 0,
        source_id uuid,
        wording_sha256 text,
        primary key (lead_id, purpose)
    )
    """,
    """
    create table consent_statement (
        id uuid primary key,
        lead_id uuid not null,
        purpose text not null,
        consent text not null,
        voice text not null,
        wording text,
        source_id uuid,
        by_user_id uuid,
        delivery_id uuid,
        is_conflict boolean not null default false,
        stated_at timestamptz not null,
        recorded_at timestamptz not null
    )
    """,
    "create index consent_statement_lead on consent_statement (lead_id)",
    """
    create table consent_default (
        is_one boolean primary key default true check (is_one),
        unknown_means text not null default '' check (unknown_means in ('', 'scored', 'not_scored')),
        version integer not null default 1,
        answered_by text,
        answered_at timestamptz
    )
    """,
    "insert into consent_default default values",
    """
    create table suppression (
        kind text not null,
        value_hmac bytea not null,
        since timestamptz not null,
        primary key (kind, value_hmac)
    )
    """,
    """
    create table erasure (
        id uuid primary key,
        lead_ids uuid[] not null,
        keys integer not null,
        by text not null,
        at timestamptz not null
    )
    """,
    *(_MEMORY.format(span=span) for span in ("server", "browser", "import")),
    *(
        f"create index activity_seen_{span}_at on activity_seen_{span} using brin (seen_at)"
        for span in ("server", "browser", "import")
    ),
    """
    create table mail_activity (
        activity_id uuid primary key,
        message_key text not null,
        member_id uuid not null,
        kind text not null,
        link text not null,
        human real not null,
        reason text not null,
        occurred_at timestamptz not null
    )
    """,
    "create index mail_activity_message on mail_activity (message_key)",
    """
    create table delivery_result (
        delivery_id uuid primary key,
        source_id uuid not null,
        import_id uuid,
        verified_by text not null,
        events integer not null,
        activities integer not null,
        operations integer not null,
        statuses integer not null,
        repeats integer not null,
        refused integer not null,
        counted integer not null,
        suppressed integer not null,
        ambiguous integer not null,
        ids_reused integer not null,
        leads_new integer not null,
        conflicts integer not null,
        received_at timestamptz not null,
        handled_at timestamptz not null
    )
    """,
    "create index delivery_result_import on delivery_result (import_id) where import_id is not null",
    "create index delivery_result_handled on delivery_result using brin (handled_at)",
    """
    create table delivery_refusal (
        delivery_id uuid not null,
        index integer not null,
        reason text not null,
        import_id uuid,
        source_id uuid not null,
        event_id text,
        detail text not null,
        refused_at timestamptz not null,
        primary key (delivery_id, index, reason)
    )
    """,
    "create index delivery_refusal_import on delivery_refusal (import_id, index) where import_id is not null",
    """
    create table counted_activity (
        day date not null,
        source_id uuid not null,
        kind text not null,
        activities bigint not null,
        primary key (day, source_id, kind)
    )
    """,
    """
    create table import_job (
        id uuid primary key,
        kind text not null check (kind in ('leads', 'activities')),
        source_id uuid not null,
        name text not null,
        sha256 text not null,
        state text not null check (state in ('cutting', 'sent', 'broken')),
        records integer not null default 0,
        deliveries integer not null default 0,
        by text not null,
        created_at timestamptz not null,
        updated_at timestamptz not null
    )
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
