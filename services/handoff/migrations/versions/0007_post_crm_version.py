"""One version for all deals of a handoff is read by nobody any more: each deal has its own."""

from alembic import op

revision = "0007_post_crm_version"
down_revision = "0006_pre_deals"


def upgrade() -> None:
    """Drop the column."""
    op.execute("ALTER TABLE handoff DROP COLUMN crm_version")
