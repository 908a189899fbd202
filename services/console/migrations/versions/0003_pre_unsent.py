"""Commands that waited and did not take effect: kept until their person has read it."""

from alembic import op

revision = "0003_pre_unsent"
down_revision = "0002_pre_console"


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """
        create table unsent (
            leaving_id uuid primary key,
            user_id uuid not null,
            lead_id uuid not null,
            told text not null,
            failed_at timestamptz not null
        )
        """
    )
    op.execute("create index unsent_by_user on unsent (user_id)")
