"""A stamp that changes with whatever every unit of work begins with, so that a process need not read all of it anew."""

from alembic import op

revision = "0008_pre_basis_stamp"
down_revision = "0007_post_crm_version"

_STATEMENTS = (
    """
    CREATE TABLE basis_stamp (
        name TEXT NOT NULL,
        value UUID DEFAULT gen_random_uuid() NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    "INSERT INTO basis_stamp (name) VALUES ('basis')",
    # Never the same twice, also not after a roll-back: what was read under a stamp is what it stands for.
    """
    CREATE FUNCTION renew_basis_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE basis_stamp SET value = gen_random_uuid();
        RETURN NULL;
    END $$
    """,
    *(
        f"""
        CREATE TRIGGER {table}_renews_basis AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION renew_basis_stamp()
        """
        for table in ("calendar", "team", "queue", "endpoint")
    ),
    # The sending loop writes lanes all the time; only this column is read by others.
    """
    CREATE TRIGGER lane_renews_basis AFTER UPDATE ON lane
        FOR EACH ROW WHEN (old.is_enabled IS DISTINCT FROM new.is_enabled) EXECUTE FUNCTION renew_basis_stamp()
    """,
)


def upgrade() -> None:
    """Make the stamp and what renews it."""
    for statement in _STATEMENTS:
        op.execute(statement)
