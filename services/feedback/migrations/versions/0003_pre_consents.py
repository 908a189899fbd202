"""The newest consent per lead and purpose: who withdrew it is never trained on."""

from alembic import op

revision = "0003_pre_consents"
down_revision: str | None = "0002_pre_loop"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Make it, and the order in which outcomes are listed by when they were learned."""
    op.execute(
        """
        create table consent (
            lead_id uuid not null,
            purpose text not null,
            version integer not null,
            is_allowed boolean not null,
            primary key (lead_id, purpose)
        )
        """
    )
    op.execute("create index outcome_recorded_at on outcome (recorded_at, outcome_id)")
