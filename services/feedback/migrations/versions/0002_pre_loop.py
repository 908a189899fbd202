"""What the loop remembers: people, touches, decisions, handoffs, outcomes, deals with credits, agreement, models."""

from alembic import op

revision = "0002_pre_loop"
down_revision: str | None = "0001_pre_runtime"
branch_labels: str | None = None
depends_on: str | None = None

STATEMENTS = (
    """
    create table lead (
        lead_id uuid primary key,
        parent_id uuid,
        root_id uuid not null,
        identity_version integer not null default 0,
        profile_version integer not null default 0,
        link_version integer not null default 0,
        account_id uuid,
        known_at timestamptz,
        engaged_at timestamptz,
        entry_channel text not null default '',
        traffic_source text not null default '',
        campaign text not null default '',
        is_erased boolean not null default false
    )
    """,
    "create index lead_root_id on lead (root_id)",
    "create index lead_parent_id on lead (parent_id) where parent_id is not null",
    "create index lead_known_at on lead (known_at) where known_at is not null",
    """
    create table touching (
        activity_id uuid primary key,
        lead_id uuid not null,
        kind text not null,
        direction text not null,
        human double precision not null,
        occurred_at timestamptz not null,
        recorded_at timestamptz not null,
        channel text not null,
        traffic_source text not null default '',
        medium text not null default '',
        campaign text not null default '',
        referrer_host text not null default '',
        asset text not null default ''
    )
    """,
    "create index touching_lead_id on touching (lead_id, occurred_at)",
    """
    create table decision (
        decision_id uuid primary key,
        lead_id uuid not null,
        decided_at timestamptz not null,
        recorded_at timestamptz not null,
        policy text not null,
        propensity double precision not null,
        score integer not null,
        fit integer not null,
        engagement integer not null,
        p_win double precision,
        model_id uuid,
        agreement_version integer not null,
        product text not null,
        entry_channel text not null default '',
        campaign text not null default '',
        facts jsonb not null,
        lines jsonb not null,
        shadow jsonb not null
    )
    """,
    "create index decision_decided_at on decision (decided_at)",
    "create index decision_lead_id on decision (lead_id)",
    """
    create table handoff (
        handoff_id uuid primary key,
        lead_id uuid not null,
        opened_at timestamptz not null,
        decision_id uuid,
        seq integer not null,
        steps jsonb not null
    )
    """,
    "create index handoff_lead_id on handoff (lead_id, opened_at)",
    "create index handoff_opened_at on handoff (opened_at)",
    "create index handoff_decision_id on handoff (decision_id) where decision_id is not null",
    """
    create table outcome (
        outcome_id uuid primary key,
        lead_id uuid not null,
        handoff_id uuid,
        what text not null,
        reason_code text not null default '',
        amount_minor bigint,
        currency text,
        occurred_at timestamptz not null,
        recorded_at timestamptz not null,
        source text not null,
        object text,
        object_version integer,
        supersedes uuid references outcome (outcome_id),
        is_conflict boolean not null default false,
        tags text[] not null default '{}',
        check ((amount_minor is null) = (currency is null))
    )
    """,
    "create unique index outcome_object on outcome (source, object, object_version) where object is not null",
    "create unique index outcome_supersedes on outcome (supersedes) where supersedes is not null",
    "create index outcome_handoff_id on outcome (handoff_id) where handoff_id is not null",
    "create index outcome_lead_id on outcome (lead_id)",
    "create index outcome_occurred_at on outcome (occurred_at)",
    """
    create view current_outcome as
    select o.* from outcome o where not exists (select from outcome s where s.supersedes = o.outcome_id)
    """,
    """
    create table opportunity (
        opportunity_id uuid primary key,
        system text not null,
        external_id text not null,
        lead_id uuid not null,
        account_id uuid,
        handoff_id uuid,
        crm_status text not null,
        result text not null check (result in ('open', 'won', 'lost')),
        reason_code text not null default '',
        amount_minor bigint,
        currency text,
        opened_at timestamptz not null,
        occurred_at timestamptz not null,
        recorded_at timestamptz not null,
        object_version integer not null,
        body_sha256 text not null,
        outcome_id uuid not null references outcome (outcome_id),
        unique (system, external_id),
        check ((amount_minor is null) = (currency is null))
    )
    """,
    "create index opportunity_lead_id on opportunity (lead_id)",
    """
    create table credit (
        opportunity_id uuid not null references opportunity (opportunity_id),
        model text not null,
        position integer not null,
        activity_id uuid,
        lead_id uuid,
        touched_at timestamptz,
        traffic_source text not null default '',
        medium text not null default '',
        campaign text not null default '',
        asset text not null default '',
        amount_minor bigint not null,
        primary key (opportunity_id, model, position)
    )
    """,
    "create table credit_due (id bigint generated always as identity primary key, opportunity_id uuid not null)",
    """
    create table spend (
        spend_id uuid primary key,
        since_on date not null,
        until_on date not null,
        traffic_source text not null default '',
        campaign text not null default '',
        amount_minor bigint not null,
        currency text not null,
        recorded_at timestamptz not null,
        check (until_on >= since_on)
    )
    """,
    """
    create table import_file (
        sha256 text primary key,
        kind text not null,
        recorded_at timestamptz not null,
        answer jsonb not null
    )
    """,
    """
    create table agreement (
        agreement_id text not null,
        version integer not null,
        effective_from timestamptz not null,
        document text not null,
        sha256 text not null,
        signatures jsonb not null,
        is_unsigned_default boolean not null,
        published_at timestamptz not null,
        primary key (agreement_id, version)
    )
    """,
    """
    create table draft (
        draft_id uuid primary key,
        agreement_id text not null,
        edition integer not null,
        document text not null,
        checked_sha256 text not null default '',
        findings jsonb not null default '[]',
        signatures jsonb not null default '[]',
        published_version integer,
        made_by text not null,
        changed_at timestamptz not null
    )
    """,
    """
    create table active (
        slot text primary key,
        version integer,
        model_id uuid,
        generation integer not null
    )
    """,
    """
    create table model (
        model_id uuid primary key,
        family text not null,
        slot text not null,
        agreement_version integer not null,
        trained_as_of timestamptz not null,
        window_from timestamptz not null,
        rows_sha256 text not null,
        wins integer not null,
        losses integer not null,
        open integer not null,
        open_weight double precision not null,
        rho double precision not null,
        card text not null,
        metrics jsonb not null,
        gate jsonb not null,
        is_passed boolean not null,
        published_at timestamptz not null
    )
    """,
    """
    create table tuner_run (
        slot text not null,
        family text not null,
        asked_at timestamptz,
        ran_as_of timestamptz,
        matured integer not null default 0,
        result text not null default '',
        primary key (slot, family)
    )
    """,
    """
    create table approval (
        model_id uuid not null references model (model_id),
        team text not null check (team in ('marketing', 'sales')),
        user_id uuid not null,
        approved_at timestamptz not null,
        primary key (model_id, team),
        unique (model_id, user_id)
    )
    """,
    """
    create table promotion (
        slot text not null,
        generation integer not null,
        model_id uuid not null references model (model_id),
        is_roll_back boolean not null,
        p_threshold double precision not null,
        by_user_ids jsonb not null,
        reason text not null,
        promoted_at timestamptz not null,
        primary key (slot, generation)
    )
    """,
)


def upgrade() -> None:
    """Make them."""
    for statement in STATEMENTS:
        op.execute(statement)
