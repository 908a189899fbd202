"""Indexes by source: how a source stands is read from what became of its deliveries."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the indexes."""
    op.execute("create index delivery_result_source on delivery_result (source_id, handled_at)")
    op.execute("create index delivery_refusal_source on delivery_refusal (source_id, refused_at)")
    op.execute("create index parked_open_source on parked (source, reason) where state = 'open'")
