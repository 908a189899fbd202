"""Leads as seen here, handoffs with assignments and inputs, clocks, calendars, reps, pools, agreements."""

from alembic import op

revision = "0002_pre_handoffs"
down_revision = "0001_pre_runtime"

_STATEMENTS = (
    """
    CREATE TABLE absence (
        id UUID NOT NULL,
        rep_id UUID NOT NULL,
        from_at TIMESTAMP WITH TIME ZONE NOT NULL,
        until_at TIMESTAMP WITH TIME ZONE NOT NULL,
        origin TEXT DEFAULT 'api' NOT NULL,
        state TEXT DEFAULT 'planned' NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT absence_has_length CHECK (from_at < until_at),
        CONSTRAINT absence_state CHECK (state in ('planned', 'begun', 'ended', 'cancelled'))
    )
    """,
    "CREATE INDEX absence_due ON absence (state, from_at, until_at) WHERE state in ('planned', 'begun')",
    "CREATE INDEX absence_rep ON absence (rep_id, until_at)",
    """
    CREATE TABLE account (
        id UUID NOT NULL,
        link_version INTEGER DEFAULT 0 NOT NULL,
        score_version INTEGER DEFAULT 0 NOT NULL,
        qualified_number INTEGER DEFAULT 0 NOT NULL,
        facts JSONB DEFAULT '{}'::jsonb NOT NULL,
        changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE account_owner (
        account_id UUID NOT NULL,
        rep_id UUID NOT NULL,
        version INTEGER DEFAULT 1 NOT NULL,
        set_by UUID,
        set_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (account_id)
    )
    """,
    "CREATE INDEX account_owner_rep ON account_owner (rep_id)",
    """
    CREATE TABLE active (
        slot TEXT NOT NULL,
        agreement_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        activated_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (slot)
    )
    """,
    """
    CREATE TABLE agreement (
        agreement_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        effective_from TIMESTAMP WITH TIME ZONE NOT NULL,
        document TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        is_unsigned_default BOOLEAN DEFAULT false NOT NULL,
        received_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (agreement_id, version)
    )
    """,
    """
    CREATE TABLE calendar (
        name TEXT NOT NULL,
        zone TEXT NOT NULL,
        hours JSONB DEFAULT '[]'::jsonb NOT NULL,
        holidays JSONB DEFAULT '[]'::jsonb NOT NULL,
        version INTEGER DEFAULT 1 NOT NULL,
        changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE clock_tick (
        name TEXT NOT NULL,
        beaten_at TIMESTAMP WITH TIME ZONE NOT NULL,
        world_at TIMESTAMP WITH TIME ZONE NOT NULL,
        beaten_by TEXT DEFAULT '' NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE connector (
        id TEXT NOT NULL,
        watermark_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE handoff (
        id UUID NOT NULL,
        lead_id UUID NOT NULL,
        root_lead_id UUID NOT NULL,
        account_id UUID,
        scope_id UUID NOT NULL,
        motion TEXT NOT NULL,
        product TEXT NOT NULL,
        tier TEXT NOT NULL,
        policy TEXT NOT NULL,
        cycle INTEGER NOT NULL,
        decision_id UUID NOT NULL,
        propensity FLOAT DEFAULT 1 NOT NULL,
        is_hand_raiser BOOLEAN DEFAULT false NOT NULL,
        state TEXT NOT NULL,
        token INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        priority INTEGER DEFAULT 0 NOT NULL,
        owner_id UUID,
        former_owner_id UUID,
        attempt INTEGER DEFAULT 0 NOT NULL,
        tried UUID[] DEFAULT '{}' NOT NULL,
        pool TEXT,
        queue TEXT,
        queue_reason TEXT,
        queue_level INTEGER DEFAULT 0 NOT NULL,
        evidence INTEGER DEFAULT 1 NOT NULL,
        pauses INTEGER DEFAULT 0 NOT NULL,
        is_paused BOOLEAN DEFAULT false NOT NULL,
        carried JSONB DEFAULT '[]'::jsonb NOT NULL,
        clocks_made INTEGER DEFAULT 0 NOT NULL,
        breached_at_token INTEGER,
        missed_touches INTEGER[] DEFAULT '{}' NOT NULL,
        result TEXT,
        reason_code TEXT,
        crm_version BIGINT DEFAULT 0 NOT NULL,
        has_deal BOOLEAN DEFAULT false NOT NULL,
        merged_into UUID,
        is_superseded BOOLEAN DEFAULT false NOT NULL,
        agreement_id TEXT NOT NULL,
        agreement_version INTEGER NOT NULL,
        qualified_at TIMESTAMP WITH TIME ZONE NOT NULL,
        opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
        state_at TIMESTAMP WITH TIME ZONE NOT NULL,
        waiting_since TIMESTAMP WITH TIME ZONE,
        assigned_at TIMESTAMP WITH TIME ZONE,
        accepted_at TIMESTAMP WITH TIME ZONE,
        touched_at TIMESTAMP WITH TIME ZONE,
        disposed_at TIMESTAMP WITH TIME ZONE,
        closed_at TIMESTAMP WITH TIME ZONE,
        paused_until TIMESTAMP WITH TIME ZONE,
        correlation_id UUID,
        changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT handoff_owned_has_owner
            CHECK ((state in ('assigned', 'accepted', 'working', 'opportunity')) = (owner_id is not null)),
        CONSTRAINT handoff_queued_has_queue CHECK ((state = 'queued') = (queue is not null)),
        CONSTRAINT handoff_counters CHECK (token >= 1 and seq >= 1 and cycle >= 1)
    )
        WITH (fillfactor = 60)
    """,
    "CREATE INDEX handoff_account ON handoff (account_id) WHERE account_id is not null",
    "CREATE INDEX handoff_changed ON handoff (changed_at, id)",
    "CREATE INDEX handoff_lead ON handoff (lead_id)",
    """
    CREATE UNIQUE INDEX handoff_open_person ON handoff (root_lead_id, motion)
    WHERE state in ('qualified', 'queued', 'assigned', 'accepted', 'working', 'opportunity')
    """,
    """
    CREATE UNIQUE INDEX handoff_open_scope ON handoff (scope_id, motion)
    WHERE state in ('qualified', 'queued', 'assigned', 'accepted', 'working', 'opportunity')
    """,
    "CREATE INDEX handoff_owner ON handoff (owner_id, state) WHERE owner_id is not null",
    "CREATE INDEX handoff_queue ON handoff (queue, opened_at) WHERE state = 'queued'",
    "CREATE INDEX handoff_root ON handoff (root_lead_id, motion, cycle)",
    """
    CREATE TABLE handoff_event (
        id BIGINT GENERATED ALWAYS AS IDENTITY,
        handoff_id UUID NOT NULL,
        kind TEXT NOT NULL,
        input JSONB DEFAULT '{}'::jsonb NOT NULL,
        actor TEXT NOT NULL,
        actor_id UUID,
        token_seen INTEGER,
        verdict TEXT NOT NULL,
        why TEXT DEFAULT '' NOT NULL,
        state_before TEXT,
        state_after TEXT NOT NULL,
        token_after INTEGER NOT NULL,
        seq_after INTEGER NOT NULL,
        effects JSONB DEFAULT '[]'::jsonb NOT NULL,
        agreement_id TEXT NOT NULL,
        agreement_version INTEGER NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT handoff_event_verdict CHECK (verdict in ('ok', 'stale', 'invalid'))
    )
    """,
    "CREATE INDEX handoff_event_handoff ON handoff_event (handoff_id, id)",
    """
    CREATE TABLE lead (
        id UUID NOT NULL,
        parent_id UUID,
        root_id UUID NOT NULL,
        identity_version INTEGER DEFAULT 0 NOT NULL,
        account_id UUID,
        link_version INTEGER DEFAULT 0 NOT NULL,
        profile_version INTEGER DEFAULT 0 NOT NULL,
        consents JSONB DEFAULT '{}'::jsonb NOT NULL,
        is_suppressed BOOLEAN DEFAULT false NOT NULL,
        is_erased BOOLEAN DEFAULT false NOT NULL,
        score_version INTEGER DEFAULT 0 NOT NULL,
        qualified_number INTEGER DEFAULT 0 NOT NULL,
        demoted_number INTEGER DEFAULT 0 NOT NULL,
        facts JSONB DEFAULT '{}'::jsonb NOT NULL,
        external JSONB DEFAULT '[]'::jsonb NOT NULL,
        changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (id)
    )
        WITH (fillfactor = 70)
    """,
    "CREATE INDEX lead_account ON lead (account_id)",
    "CREATE INDEX lead_root ON lead (root_id)",
    """
    CREATE TABLE pool (
        name TEXT NOT NULL,
        skills JSONB DEFAULT '[]'::jsonb NOT NULL,
        sequence BIGINT DEFAULT 0 NOT NULL,
        is_active BOOLEAN DEFAULT true NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE queue (
        name TEXT NOT NULL,
        owner TEXT NOT NULL,
        is_pull BOOLEAN DEFAULT true NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE rep (
        id UUID NOT NULL,
        team_id UUID,
        name TEXT DEFAULT '' NOT NULL,
        email TEXT,
        slack_id TEXT,
        calendar TEXT,
        languages JSONB DEFAULT '[]'::jsonb NOT NULL,
        skills JSONB DEFAULT '[]'::jsonb NOT NULL,
        is_active BOOLEAN DEFAULT true NOT NULL,
        is_away BOOLEAN DEFAULT false NOT NULL,
        away_because TEXT,
        load INTEGER DEFAULT 0 NOT NULL,
        expiries INTEGER DEFAULT 0 NOT NULL,
        moved TEXT,
        version INTEGER DEFAULT 1 NOT NULL,
        changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT rep_load CHECK (load >= 0),
        CONSTRAINT rep_moved CHECK (moved in ('left', 'back'))
    )
        WITH (fillfactor = 60)
    """,
    "CREATE INDEX rep_moved_now ON rep (id) WHERE moved is not null",
    "CREATE INDEX rep_team ON rep (team_id)",
    """
    CREATE TABLE routing_decision (
        id UUID NOT NULL,
        handoff_id UUID NOT NULL,
        lead_id UUID NOT NULL,
        decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
        agreement_id TEXT NOT NULL,
        agreement_version INTEGER NOT NULL,
        rep_id UUID,
        queue TEXT,
        pool TEXT,
        reason TEXT NOT NULL,
        record JSONB DEFAULT '{}'::jsonb NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX routing_decision_at ON routing_decision (decided_at)",
    "CREATE INDEX routing_decision_handoff ON routing_decision (handoff_id, decided_at)",
    """
    CREATE TABLE team (
        id UUID NOT NULL,
        name TEXT NOT NULL,
        party TEXT DEFAULT 'sales' NOT NULL,
        manager_id UUID,
        calendar TEXT DEFAULT 'default' NOT NULL,
        version INTEGER DEFAULT 1 NOT NULL,
        changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT team_party CHECK (party in ('marketing', 'sales'))
    )
    """,
    """
    CREATE TABLE assignment (
        id UUID NOT NULL,
        handoff_id UUID NOT NULL,
        attempt INTEGER NOT NULL,
        rep_id UUID NOT NULL,
        pool TEXT,
        is_over_capacity BOOLEAN DEFAULT false NOT NULL,
        started_at TIMESTAMP WITH TIME ZONE NOT NULL,
        accepted_at TIMESTAMP WITH TIME ZONE,
        ended_at TIMESTAMP WITH TIME ZONE,
        ended_how TEXT,
        PRIMARY KEY (id),
        CONSTRAINT assignment_end_has_how CHECK ((ended_at is null) = (ended_how is null)),
        CONSTRAINT assignment_attempt UNIQUE (handoff_id, attempt),
        FOREIGN KEY(handoff_id) REFERENCES handoff (id)
    )
    """,
    "CREATE UNIQUE INDEX assignment_current ON assignment (handoff_id) WHERE ended_at is null",
    "CREATE INDEX assignment_rep ON assignment (rep_id, started_at)",
    """
    CREATE TABLE clock (
        id UUID NOT NULL,
        handoff_id UUID NOT NULL,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        token INTEGER NOT NULL,
        state TEXT DEFAULT 'armed' NOT NULL,
        level INTEGER DEFAULT 0 NOT NULL,
        level_at_arm INTEGER DEFAULT 0 NOT NULL,
        carries INTEGER,
        calendar TEXT NOT NULL,
        rep_id UUID,
        calendar_version INTEGER DEFAULT 0 NOT NULL,
        base_at TIMESTAMP WITH TIME ZONE NOT NULL,
        used_seconds INTEGER DEFAULT 0 NOT NULL,
        total_seconds INTEGER NOT NULL,
        fractions FLOAT[] NOT NULL,
        actions TEXT[] NOT NULL,
        armed_at TIMESTAMP WITH TIME ZONE NOT NULL,
        due_at TIMESTAMP WITH TIME ZONE NOT NULL,
        due_at_first TIMESTAMP WITH TIME ZONE NOT NULL,
        fire_at TIMESTAMP WITH TIME ZONE NOT NULL,
        ended_at TIMESTAMP WITH TIME ZONE,
        is_late_by_system BOOLEAN DEFAULT false NOT NULL,
        is_late_evidence BOOLEAN DEFAULT false NOT NULL,
        is_held BOOLEAN DEFAULT false NOT NULL,
        cause TEXT,
        PRIMARY KEY (id),
        CONSTRAINT clock_state CHECK (state in ('armed', 'met', 'breached', 'void')),
        CONSTRAINT clock_end_is_once CHECK ((state = 'armed') = (ended_at is null)),
        CONSTRAINT clock_number UNIQUE (handoff_id, number),
        FOREIGN KEY(handoff_id) REFERENCES handoff (id)
    )
        WITH (fillfactor = 60)
    """,
    "CREATE INDEX clock_calendar ON clock (calendar) WHERE state = 'armed'",
    "CREATE INDEX clock_due ON clock (fire_at) WHERE state = 'armed'",
    "CREATE INDEX clock_rep ON clock (rep_id) WHERE state = 'armed'",
    """
    CREATE TABLE evidence (
        handoff_id UUID NOT NULL,
        decision_id UUID NOT NULL,
        lead_id UUID NOT NULL,
        score INTEGER,
        fit INTEGER,
        engagement INTEGER,
        reasons JSONB DEFAULT '[]'::jsonb NOT NULL,
        facts JSONB DEFAULT '[]'::jsonb NOT NULL,
        activities UUID[] DEFAULT '{}' NOT NULL,
        attached_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (handoff_id, decision_id),
        FOREIGN KEY(handoff_id) REFERENCES handoff (id)
    )
    """,
    """
    CREATE TABLE member (
        pool TEXT NOT NULL,
        rep_id UUID NOT NULL,
        weight INTEGER DEFAULT 1 NOT NULL,
        load_max INTEGER DEFAULT 5 NOT NULL,
        leads_per_30_days INTEGER DEFAULT 30 NOT NULL,
        received BIGINT DEFAULT 0 NOT NULL,
        credited BIGINT DEFAULT 0 NOT NULL,
        entitled BIGINT DEFAULT 0 NOT NULL,
        is_member BOOLEAN DEFAULT true NOT NULL,
        PRIMARY KEY (pool, rep_id),
        FOREIGN KEY(pool) REFERENCES pool (name)
    )
        WITH (fillfactor = 60)
    """,
    "CREATE INDEX member_rep ON member (rep_id)",
    """
    CREATE TABLE note (
        id UUID NOT NULL,
        handoff_id UUID NOT NULL,
        by_id UUID,
        about TEXT NOT NULL,
        text TEXT NOT NULL,
        written_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(handoff_id) REFERENCES handoff (id)
    )
    """,
    "CREATE INDEX note_handoff ON note (handoff_id)",
    """
    CREATE TABLE touch (
        id UUID NOT NULL,
        handoff_id UUID NOT NULL,
        actor_id UUID,
        kind TEXT NOT NULL,
        occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
        recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
        is_late_evidence BOOLEAN DEFAULT false NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(handoff_id) REFERENCES handoff (id)
    )
    """,
    "CREATE INDEX touch_handoff ON touch (handoff_id, occurred_at)",
    """
    CREATE TABLE escalation (
        clock_id UUID NOT NULL,
        level INTEGER NOT NULL,
        handoff_id UUID NOT NULL,
        rep_id UUID,
        action TEXT NOT NULL,
        cause TEXT NOT NULL,
        fired_at TIMESTAMP WITH TIME ZONE NOT NULL,
        is_last BOOLEAN DEFAULT false NOT NULL,
        is_verified BOOLEAN DEFAULT true NOT NULL,
        is_late_by_system BOOLEAN DEFAULT false NOT NULL,
        retracted_at TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (clock_id, level),
        FOREIGN KEY(clock_id) REFERENCES clock (id)
    )
    """,
    "CREATE INDEX escalation_handoff ON escalation (handoff_id)",
    # The two that clocks and calendars begin with: Monday to Friday, 08 to 18, in UTC until somebody says otherwise.
    """
    insert into calendar (name, zone, hours, changed_at) values
        ('default', 'UTC', '[[[480, 1080]], [[480, 1080]], [[480, 1080]], [[480, 1080]], [[480, 1080]], [], []]',
         baton_now())
    """,
    """
    insert into queue (name, owner, is_pull) values
        ('unrouted', 'revops', true), ('no_eligible_rep', 'revops', true),
        ('overflow', 'revops', true), ('manual_review', 'revops', true)
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
