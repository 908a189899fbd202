"""The referrer of the first touch, kept beside its traffic source, medium and campaign."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the column."""
    op.execute("alter table lead add column first_referrer text")
