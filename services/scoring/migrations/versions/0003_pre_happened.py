"""Records keep when what they say happened, beside when it was recorded: decisions are dated by it."""

from alembic import op

revision = "0003_pre_happened"
down_revision: str | None = "0002_pre_scoring"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the moment; of what the running release writes it is when it was recorded."""
    op.execute("alter table lead_record add column occurred_at timestamptz")
