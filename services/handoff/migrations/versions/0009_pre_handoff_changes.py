"""Handoffs by the moment they changed, as a log: an index on what each firing changes makes all others grow."""

from alembic import op

revision = "0009_pre_handoff_changes"
down_revision = "0008_pre_basis_stamp"

_STATEMENTS = (
    "CREATE TABLE handoff_change (handoff_id UUID NOT NULL, changed_at TIMESTAMP WITH TIME ZONE NOT NULL)",
    """
    CREATE INDEX handoff_change_at ON handoff_change USING brin (changed_at)
        WITH (pages_per_range = 16, autosummarize = true)
    """,
    # Who asks for more than the days that are kept reads the handoffs themselves.
    """
    INSERT INTO handoff_change
    SELECT id, changed_at FROM handoff WHERE changed_at > baton_now() - interval '8 days' ORDER BY changed_at
    """,
)


def upgrade() -> None:
    """Make the log and fill it."""
    for statement in _STATEMENTS:
        op.execute(statement)
