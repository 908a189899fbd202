"""Jobs that feed parked deliveries through again or discard them."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """
        create table replay_job (
            id uuid primary key,
            action text not null check (action in ('replay', 'discard')),
            source text,
            reason text,
            since_at timestamptz,
            until_at timestamptz not null,
            rate_per_second integer not null check (rate_per_second > 0),
            because text,
            state text not null default 'running' check (state in ('running', 'done', 'stopped')),
            place_at timestamptz,
            place_id uuid,
            total integer not null,
            done integer not null default 0,
            failed integer not null default 0,
            last_error text not null default '',
            by text not null,
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now(),
            check (action <> 'discard' or because is not null)
        )
        """
    )
    op.execute("create index replay_job_running on replay_job (created_at) where state = 'running'")
