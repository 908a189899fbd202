"""A slot may go back to no model: the signed points decide alone, as before the first promotion."""

from alembic import op

revision = "0004_pre_no_model"
down_revision: str | None = "0003_pre_consents"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Let a line of the history name no model."""
    op.execute("alter table promotion alter column model_id drop not null")
