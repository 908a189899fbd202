"""Lanes, endpoints with their secrets, dispatches and their attempts; the lanes of mail and of ingest."""

from alembic import op

revision = "0003_pre_dispatches"
down_revision = "0002_pre_handoffs"

_STATEMENTS = (
    """
    CREATE TABLE lane (
        id UUID NOT NULL,
        channel TEXT NOT NULL,
        is_enabled BOOLEAN DEFAULT true NOT NULL,
        disabled_because TEXT,
        rate_share FLOAT DEFAULT 1 NOT NULL,
        rate_per_second INTEGER DEFAULT 50 NOT NULL,
        failing_since TIMESTAMP WITH TIME ZONE,
        warned_at TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (id),
        CONSTRAINT lane_channel CHECK (channel in ('webhook', 'mail', 'ingest')),
        CONSTRAINT lane_rate_share CHECK (rate_share > 0 and rate_share <= 1)
    )
     WITH (fillfactor = 60)
    """,
    """
    CREATE TABLE endpoint (
        id UUID NOT NULL,
        url TEXT NOT NULL,
        description TEXT DEFAULT '' NOT NULL,
        types TEXT[] DEFAULT '{}' NOT NULL,
        pools TEXT[] DEFAULT '{}' NOT NULL,
        products TEXT[] DEFAULT '{}' NOT NULL,
        is_sharing BOOLEAN DEFAULT false NOT NULL,
        notify_email TEXT,
        headers_wrapped TEXT,
        version INTEGER DEFAULT 1 NOT NULL,
        created_by UUID,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(id) REFERENCES lane (id)
    )
    """,
    "CREATE INDEX endpoint_created ON endpoint (created_at, id)",
    """
    CREATE TABLE endpoint_secret (
        id UUID NOT NULL,
        endpoint_id UUID NOT NULL,
        secret_wrapped TEXT NOT NULL,
        made_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (id),
        FOREIGN KEY(endpoint_id) REFERENCES endpoint (id) ON DELETE CASCADE
    )
    """,
    "CREATE UNIQUE INDEX endpoint_secret_current ON endpoint_secret (endpoint_id) WHERE expires_at is null",
    "CREATE INDEX endpoint_secret_endpoint ON endpoint_secret (endpoint_id, made_at)",
    """
    CREATE TABLE dispatch (
        id UUID NOT NULL,
        lane_id UUID NOT NULL,
        recipient_id UUID,
        recipient TEXT,
        event_id UUID NOT NULL,
        type TEXT NOT NULL,
        lead_id UUID,
        handoff_id UUID,
        body TEXT NOT NULL,
        state TEXT DEFAULT 'waiting' NOT NULL,
        attempts INTEGER DEFAULT 0 NOT NULL,
        attempts_before INTEGER DEFAULT 0 NOT NULL,
        is_repeat BOOLEAN DEFAULT false NOT NULL,
        next_at TIMESTAMP WITH TIME ZONE NOT NULL,
        leased_until TIMESTAMP WITH TIME ZONE,
        made_at TIMESTAMP WITH TIME ZONE NOT NULL,
        ended_at TIMESTAMP WITH TIME ZONE,
        number BIGINT GENERATED ALWAYS AS IDENTITY,
        PRIMARY KEY (id),
        CONSTRAINT dispatch_state CHECK (state in ('waiting', 'unknown', 'done', 'failed', 'withdrawn')),
        CONSTRAINT dispatch_end CHECK ((state in ('waiting', 'unknown')) = (ended_at is null)),
        CONSTRAINT dispatch_once UNIQUE NULLS NOT DISTINCT (event_id, lane_id, recipient_id, recipient, type),
        FOREIGN KEY(lane_id) REFERENCES lane (id)
    )
     WITH (fillfactor = 70)
    """,
    "CREATE INDEX dispatch_due ON dispatch (lane_id, next_at) WHERE state in ('waiting', 'unknown')",
    "CREATE INDEX dispatch_handoff ON dispatch (handoff_id) WHERE state in ('waiting', 'unknown')",
    "CREATE INDEX dispatch_lane ON dispatch (lane_id, number)",
    "CREATE INDEX dispatch_lead ON dispatch (lead_id)",
    """
    CREATE TABLE attempt (
        dispatch_id UUID NOT NULL,
        number INTEGER NOT NULL,
        started_at TIMESTAMP WITH TIME ZONE NOT NULL,
        milliseconds INTEGER,
        outcome TEXT DEFAULT 'unknown' NOT NULL,
        status INTEGER,
        answer TEXT DEFAULT '' NOT NULL,
        error TEXT,
        is_repeat BOOLEAN DEFAULT false NOT NULL,
        next_at TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (dispatch_id, number),
        CONSTRAINT attempt_number CHECK (number >= 1),
        FOREIGN KEY(dispatch_id) REFERENCES dispatch (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX attempt_started ON attempt (started_at)",
    """
    CREATE TABLE lead_version (
        lead_id UUID NOT NULL,
        version BIGINT NOT NULL,
        PRIMARY KEY (lead_id)
    )
    """,
    "INSERT INTO lane (id, channel, rate_per_second) VALUES ('00000000-0000-0000-0000-00000000ba10', 'mail', 20)",
    "INSERT INTO lane (id, channel, rate_per_second) VALUES ('00000000-0000-0000-0000-00000000ba11', 'ingest', 50)",
)


def upgrade() -> None:
    """Make the tables of what goes out."""
    for statement in _STATEMENTS:
        op.execute(statement)
