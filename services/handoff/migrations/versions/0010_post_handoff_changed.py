"""The log of changes serves those who ask by time; the index it replaces kept updates of a handoff from being HOT."""

from alembic import op

revision = "0010_post_handoff_changed"
down_revision = "0009_pre_handoff_changes"

_STATEMENTS = (
    # What the release before wrote after the log was filled.
    """
    INSERT INTO handoff_change
    SELECT h.id, h.changed_at FROM handoff h
     WHERE h.changed_at > (SELECT coalesce(max(changed_at), '-infinity') FROM handoff_change) - interval '1 hour'
       AND NOT EXISTS (SELECT FROM handoff_change c WHERE c.handoff_id = h.id AND c.changed_at = h.changed_at)
     ORDER BY h.changed_at
    """,
    "DROP INDEX handoff_changed",
)


def upgrade() -> None:
    """Complete the log and drop the index."""
    for statement in _STATEMENTS:
        op.execute(statement)
