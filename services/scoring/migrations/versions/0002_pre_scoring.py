"""Leads with their sums, the history they are folded from, decisions, accounts, the terms in force."""

from alembic import op

revision = "0002_pre_scoring"
down_revision = "0001_pre_runtime"

_STATEMENTS = (
    """
    CREATE TABLE account (
        account_id UUID NOT NULL,
        standing TEXT DEFAULT '[]' NOT NULL,
        shown TEXT DEFAULT '' NOT NULL,
        score_version INTEGER DEFAULT 0 NOT NULL,
        is_customer BOOLEAN DEFAULT false NOT NULL,
        content TEXT DEFAULT '{}' NOT NULL,
        computed_at TIMESTAMP WITH TIME ZONE,
        recheck_at TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (account_id)
    )
    """,
    "CREATE INDEX account_recheck ON account (recheck_at) WHERE recheck_at is not null",
    """
    CREATE TABLE account_due (
        id BIGINT GENERATED ALWAYS AS IDENTITY (CACHE 1) NOT NULL,
        account_id UUID NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE activation (
        slot TEXT NOT NULL,
        generation INTEGER NOT NULL,
        ref TEXT NOT NULL,
        version INTEGER DEFAULT 0 NOT NULL,
        p_threshold DOUBLE PRECISION,
        switched_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (slot, generation)
    )
    """,
    """
    CREATE TABLE active (
        slot TEXT NOT NULL,
        generation INTEGER NOT NULL,
        ref TEXT NOT NULL,
        version INTEGER DEFAULT 0 NOT NULL,
        p_threshold DOUBLE PRECISION,
        switched_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (slot)
    )
    """,
    """
    CREATE TABLE activity (
        activity_id UUID NOT NULL,
        lead_id UUID NOT NULL,
        kind TEXT NOT NULL,
        content TEXT,
        is_hard BOOLEAN,
        verified_by TEXT NOT NULL,
        human DOUBLE PRECISION NOT NULL,
        occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
        recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (activity_id)
    )
    """,
    "CREATE INDEX activity_age ON activity USING brin (recorded_at)",
    "CREATE INDEX activity_lead ON activity (lead_id, recorded_at)",
    """
    CREATE TABLE agreement (
        agreement_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        effective_from TIMESTAMP WITH TIME ZONE NOT NULL,
        sha256 TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (agreement_id, version)
    )
    """,
    """
    CREATE TABLE correction (
        activity_id UUID NOT NULL,
        event_id UUID NOT NULL,
        lead_id UUID NOT NULL,
        human DOUBLE PRECISION NOT NULL,
        recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (activity_id, event_id)
    )
    """,
    "CREATE INDEX correction_lead ON correction (lead_id)",
    """
    CREATE TABLE decision (
        decision_id UUID NOT NULL,
        lead_id UUID,
        account_id UUID,
        kind TEXT NOT NULL,
        number INTEGER NOT NULL,
        decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
        content TEXT NOT NULL,
        PRIMARY KEY (decision_id)
    )
    """,
    "CREATE INDEX decision_account ON decision (account_id, decided_at) WHERE account_id is not null",
    "CREATE INDEX decision_age ON decision (decided_at)",
    "CREATE INDEX decision_lead ON decision (lead_id, decided_at)",
    """
    CREATE TABLE exploration (
        on_date DATE NOT NULL,
        draw_limit DOUBLE PRECISION NOT NULL,
        handoffs INTEGER NOT NULL,
        eligible INTEGER NOT NULL,
        PRIMARY KEY (on_date)
    )
    """,
    """
    CREATE TABLE lead (
        lead_id UUID NOT NULL,
        root_id UUID NOT NULL,
        parent_id UUID,
        identity_version INTEGER DEFAULT 0 NOT NULL,
        tree_size SMALLINT DEFAULT 1 NOT NULL,
        account_id UUID,
        state TEXT DEFAULT '[]' NOT NULL,
        print TEXT DEFAULT '' NOT NULL,
        active_us BIGINT DEFAULT 0 NOT NULL,
        standing TEXT DEFAULT '[]' NOT NULL,
        shown TEXT DEFAULT '' NOT NULL,
        score_version INTEGER DEFAULT 0 NOT NULL,
        recheck_at TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (lead_id)
    )
 WITH (fillfactor = 60)
    """,
    "CREATE INDEX lead_account ON lead (account_id) WHERE account_id is not null",
    "CREATE INDEX lead_member ON lead (root_id) WHERE root_id <> lead_id",
    "CREATE INDEX lead_recheck ON lead (recheck_at) WHERE recheck_at is not null",
    """
    CREATE TABLE lead_record (
        lead_id UUID NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        version BIGINT NOT NULL,
        recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
        content TEXT NOT NULL,
        PRIMARY KEY (lead_id, kind, name, version)
    )
    """,
    "CREATE INDEX lead_record_parent ON lead_record (name) WHERE kind = 'identity'",
    """
    CREATE TABLE model (
        model_id UUID NOT NULL,
        slot TEXT NOT NULL,
        family TEXT NOT NULL,
        card TEXT,
        trained_as_of TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (model_id)
    )
    """,
    """
    CREATE TABLE rescan (
        name TEXT NOT NULL,
        after_id UUID NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE simulation (
        simulation_id UUID NOT NULL,
        state TEXT NOT NULL,
        asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
        asked TEXT NOT NULL,
        answer TEXT,
        PRIMARY KEY (simulation_id)
    )
    """,
)


def upgrade() -> None:
    """Make every table of scoring."""
    for statement in _STATEMENTS:
        op.execute(statement)
