"""The database writes the log of changes itself: a process of the release before, which knows no log, is in it too."""

from alembic import op

revision = "0011_pre_changes_by_trigger"
down_revision = "0010_post_handoff_changed"

_STATEMENTS = (
    """
    CREATE FUNCTION log_handoff_changes() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO handoff_change (handoff_id, changed_at) SELECT id, changed_at FROM news;
        RETURN NULL;
    END $$
    """,
    # An upsert is both: each of the two sees its own rows.
    *(
        f"""
        CREATE TRIGGER handoff_{event.lower()}_is_logged AFTER {event} ON handoff REFERENCING NEW TABLE AS news
            FOR EACH STATEMENT EXECUTE FUNCTION log_handoff_changes()
        """
        for event in ("INSERT", "UPDATE")
    ),
    # What was written without it; the triggers' lock has waited for all who had not committed.
    """
    INSERT INTO handoff_change
    SELECT h.id, h.changed_at FROM handoff h
     WHERE h.changed_at > baton_now() - interval '8 days'
       AND NOT EXISTS (SELECT FROM handoff_change c WHERE c.handoff_id = h.id AND c.changed_at = h.changed_at)
     ORDER BY h.changed_at
    """,
)


def upgrade() -> None:
    """Let each change log itself, and complete the log."""
    for statement in _STATEMENTS:
        op.execute(statement)
