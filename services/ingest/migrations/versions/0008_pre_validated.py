"""The checks of keys hold for those that were there before, too: read once, without keeping anybody from writing."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Validate both."""
    op.execute("alter table source_key validate constraint source_key_kind")
    op.execute("alter table source_key validate constraint source_key_wrapped")
