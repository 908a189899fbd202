"""What a person must be told of how an imported file was read."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the column."""
    op.execute("alter table import_job add column note text not null default ''")
