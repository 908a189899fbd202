"""Results of the CRM that came before their handoff had an owner: topics overtake each other."""

from alembic import op

revision = "0005_pre_kept_results"
down_revision = "0004_pre_sales_activities"

_STATEMENTS = (
    """
    CREATE TABLE kept_result (
        id UUID NOT NULL,
        lead_id UUID NOT NULL,
        result TEXT NOT NULL,
        version INTEGER NOT NULL,
        reason_code TEXT,
        occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
        recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX kept_result_lead ON kept_result (lead_id)",
    "CREATE INDEX kept_result_recorded ON kept_result (recorded_at)",
)


def upgrade() -> None:
    """Make the table."""
    for statement in _STATEMENTS:
        op.execute(statement)
