"""Disputes: what a rep contests, the evidence as it was then, and the rulings of both teams."""

from alembic import op

revision = "0005_pre_disputes"
down_revision: str | None = "0004_pre_no_model"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Make it."""
    op.execute(
        """
        create table dispute (
            dispute_id uuid primary key,
            handoff_id uuid not null,
            lead_id uuid not null,
            rep_id uuid not null,
            ground text not null,
            evidence jsonb not null,
            opened_at timestamptz not null,
            rulings jsonb not null default '[]',
            ruling text check (ruling in ('upheld', 'denied')),
            is_credited boolean not null default false,
            ruled_at timestamptz,
            unique (handoff_id, rep_id)
        )
        """
    )
