"""The runtime's own tables, the same in every service."""

from alembic import op

from shared.db.runtime_ddl import RUNTIME_1

revision = "0001_pre_runtime"
down_revision = None


def upgrade() -> None:
    """Make progress, inbox, outbox and the rest of the runtime."""
    for statement in RUNTIME_1:
        op.execute(statement)
