"""Holding the terms and reading them becomes one statement: a batch of one activity pays for each round trip."""

from alembic import op

revision = "0004_pre_hold_terms"
down_revision: str | None = "0003_pre_happened"
branch_labels: str | None = None
depends_on: str | None = None

# Volatile: what it reads is as of after the lock was got, not as of the start of the statement that called it.
_HOLD_TERMS = """
    create function hold_terms()
    returns table (slot text, generation integer, ref text, version integer, p_threshold double precision,
                   switched_at timestamp with time zone)
    language plpgsql volatile as $$
    begin
        perform pg_advisory_xact_lock_shared(hashtextextended('scoring terms', 0));
        return query
            select a.slot, a.generation, a.ref, a.version, a.p_threshold, a.switched_at from active a
            union all
            select 'models', count(*)::integer, '', 0, null, baton_now() from model;
    end
    $$
"""


def upgrade() -> None:
    """Add the function; the running release goes on asking in two statements."""
    op.execute(_HOLD_TERMS)
