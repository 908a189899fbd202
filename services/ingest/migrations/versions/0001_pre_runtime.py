"""The runtime's own tables: progress, inbox, outbox, parked and their kind."""

from alembic import op

from shared.db.runtime_ddl import RUNTIME_1

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables every service has."""
    for statement in RUNTIME_1:
        op.execute(statement)
