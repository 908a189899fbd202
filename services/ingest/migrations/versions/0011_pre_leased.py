"""Leases of replay jobs: who works on one holds no lock while its deliveries run in transactions of their own."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the column."""
    op.execute("alter table replay_job add column leased_until timestamptz")
