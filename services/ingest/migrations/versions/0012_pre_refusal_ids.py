"""Finds the refused events whose id is still kept, to forget it after 30 days."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the index."""
    op.execute("create index delivery_refusal_told on delivery_refusal (refused_at) where event_id is not null")
