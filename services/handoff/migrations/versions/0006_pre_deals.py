"""Deals by their own versions: which handoff counts each, and what each last said of it."""

from alembic import op

revision = "0006_pre_deals"
down_revision = "0005_pre_kept_results"

_STATEMENTS = (
    """
    CREATE TABLE deal (
        id UUID NOT NULL,
        lead_id UUID NOT NULL,
        version INTEGER NOT NULL,
        handoff_id UUID,
        changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    "ALTER TABLE handoff ADD COLUMN deals JSONB DEFAULT '[]'::jsonb NOT NULL",
    # What was told so far did not say of which deal: it stands as told of no deal in particular.
    """
    UPDATE handoff SET deals = jsonb_build_array(jsonb_build_array(null, crm_version,
               CASE WHEN state = 'won' THEN 'won' WHEN 'lost' IN (state, result) THEN 'lost' ELSE 'open' END,
               reason_code))
     WHERE crm_version > 0
    """,
)


def upgrade() -> None:
    """Make the table and the column."""
    for statement in _STATEMENTS:
        op.execute(statement)
