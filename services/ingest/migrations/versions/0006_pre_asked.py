"""What a delivery asks for: fetches from a sender's API with the token of its source, and erasures."""

from alembic import op

revision = "0006"
down_revision = "0005"

_STATEMENTS = (
    """
    create table fetch_due (
        id uuid primary key,
        source_id uuid not null,
        sender text not null,
        verified_by text not null,
        what text not null,
        url text not null,
        headers jsonb not null,
        state text not null default 'waiting' check (state in ('waiting', 'done', 'failed')),
        tries integer not null default 0,
        due_at timestamptz not null,
        problem text not null default '',
        created_at timestamptz not null default baton_now(),
        settled_at timestamptz,
        check ((state = 'waiting') = (settled_at is null))
    )
    """,
    "create index fetch_due_waiting on fetch_due (due_at, id) where state = 'waiting'",
    """
    create table erasure_due (
        id uuid primary key,
        keys jsonb not null,
        asked_by text not null,
        asked_at timestamptz not null default baton_now()
    )
    """,
    # An API token is a secret that we show others; like a signing secret it is wrapped, never hashed.
    "alter table source_key drop constraint source_key_kind_check",
    "alter table source_key drop constraint source_key_check",
    "alter table source_key drop constraint source_key_check1",
    """
    alter table source_key add constraint source_key_kind
          check (kind in ('server_key', 'browser_key', 'secret', 'api_token')) not valid
    """,
    """
    alter table source_key add constraint source_key_wrapped
          check ((kind in ('secret', 'api_token')) = (wrapped is not null)
                 and (wrapped is null) = (sha256 is not null)) not valid
    """,
)


def upgrade() -> None:
    """Make the tables, and let a source have API tokens."""
    for statement in _STATEMENTS:
        op.execute(statement)
