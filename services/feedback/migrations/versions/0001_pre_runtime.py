"""The runtime's own tables: progress, inbox, outbox, parked, idempotency, world time."""

from alembic import op

from shared.db.runtime_ddl import RUNTIME_1

revision = "0001_pre_runtime"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Make them."""
    for statement in RUNTIME_1:
        op.execute(statement)
