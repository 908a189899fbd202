"""The read model with its change numbers; users, sessions, keys, and commands about to leave."""

from alembic import op

revision = "0002_pre_console"
down_revision = "0001_pre_runtime"

_STATEMENTS = (
    """
    create table lead (
        lead_id uuid primary key,
        root_id uuid not null,
        parent_id uuid,
        account_id uuid,
        score integer,
        is_known boolean not null default false,
        body jsonb not null default '{}'
    )
    """,
    "create index lead_root on lead (root_id)",
    "create index lead_account on lead (account_id) where account_id is not null",
    "create index lead_list on lead (coalesce(score, -1) desc, lead_id) where lead_id = root_id and is_known",
    "create table account (account_id uuid primary key, body jsonb not null)",
    """
    create table handoff (
        handoff_id uuid primary key,
        root_lead_id uuid not null,
        owner_id uuid,
        state text not null,
        opened_at timestamptz not null,
        body jsonb not null
    )
    """,
    "create index handoff_root on handoff (root_lead_id)",
    "create index handoff_owner on handoff (owner_id, state)",
    """
    create index handoff_open on handoff (opened_at)
     where state in ('qualified', 'queued', 'assigned', 'accepted', 'working', 'opportunity')
    """,
    "create table opportunity (opportunity_id uuid primary key, lead_id uuid not null, body jsonb not null)",
    "create index opportunity_lead on opportunity (lead_id)",
    """
    create table agreement (
        agreement_id text not null,
        version integer not null,
        effective_from timestamptz not null,
        body jsonb not null,
        primary key (agreement_id, version)
    )
    """,
    """
    create table timeline (
        entry_id uuid primary key,
        lead_id uuid not null,
        handoff_id uuid,
        name text not null,
        occurred_at timestamptz not null,
        recorded_at timestamptz not null,
        details jsonb not null
    )
    """,
    "create index timeline_lead on timeline (lead_id, occurred_at desc)",
    "create table change_counter (id integer primary key check (id = 1), number bigint not null)",
    "insert into change_counter values (1, 0)",
    "create table change (number bigint primary key, lead_id uuid, handoff_id uuid)",
    """
    create table console_user (
        user_id uuid primary key,
        user_name text not null unique,
        display_name text not null,
        role text not null check (role in ('rep', 'manager', 'marketer', 'revops', 'admin')),
        team_id uuid,
        time_zone text not null default 'UTC',
        password_hash text,
        is_active boolean not null default true,
        version integer not null default 1,
        created_at timestamptz not null
    )
    """,
    """
    create table session (
        token_sha256 bytea primary key,
        user_id uuid not null references console_user (user_id) on delete cascade,
        csrf text not null,
        created_at timestamptz not null,
        seen_at timestamptz not null
    )
    """,
    "create index session_by_user on session (user_id)",
    "create index session_seen on session (seen_at)",
    "create table login_failure (subject text primary key, failures integer not null, failed_at timestamptz not null)",
    """
    create table api_key (
        key_id text primary key,
        name text not null,
        secret_sha256 bytea not null,
        scopes text[] not null,
        created_by text not null,
        created_at timestamptz not null,
        expires_at timestamptz,
        used_at timestamptz,
        revoked_at timestamptz
    )
    """,
    """
    create table leaving (
        leaving_id uuid primary key,
        user_id uuid not null,
        handoff_id uuid not null unique,
        command text not null,
        token integer not null,
        body jsonb not null,
        pressed_at timestamptz not null,
        leaves_at timestamptz not null
    )
    """,
    "create index leaving_due on leaving (leaves_at)",
)


def upgrade() -> None:
    """Make the console's tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
