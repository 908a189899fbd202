"""Tries of Sales that no handoff has claimed yet: topics overtake each other."""

from alembic import op

revision = "0004_pre_sales_activities"
down_revision = "0003_pre_dispatches"

_STATEMENTS = (
    """
    CREATE TABLE sales_activity (
        id UUID NOT NULL,
        lead_id UUID NOT NULL,
        actor_id UUID NOT NULL,
        kind TEXT NOT NULL,
        occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
        recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX sales_activity_lead ON sales_activity (lead_id)",
    "CREATE INDEX sales_activity_recorded ON sales_activity (recorded_at)",
)


def upgrade() -> None:
    """Make the table."""
    for statement in _STATEMENTS:
        op.execute(statement)
