"""Finds the next fetches of each source, so that they take turns."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the index."""
    op.execute("create index fetch_due_of_source on fetch_due (source_id, due_at, id) where state = 'waiting'")
