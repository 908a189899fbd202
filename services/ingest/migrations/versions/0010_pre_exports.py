"""Exports of one person: who asked for whom, and when. The document itself is never stored."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """
        create table export (
            id uuid primary key,
            lead_id uuid not null,
            by text not null,
            at timestamptz not null default baton_now()
        )
        """
    )
