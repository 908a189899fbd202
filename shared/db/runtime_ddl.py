"""The runtime's own tables, the same in every service's database; each service's first migration executes RUNTIME_1.

Applied statements are never edited: a change is a RUNTIME_2 that a later migration of every service executes.
`now()` here is machine time (leases, inbox age, progress); world time is baton_now(), which in production is the
same and is inlined.
"""

from typing import Final

__all__ = ["BATON_NOW_BODY", "RUNTIME_1", "SENT_SLOTS"]

# outbox_sent keeps days in a ring of slots: yesterday's neighbours are truncated, never deleted row by row
# (RELIABILITY 3.5).
SENT_SLOTS: Final = 10
# The body that production must have; a service compares it at start (DECISIONS 8).
BATON_NOW_BODY: Final = "select now()"

RUNTIME_1: Final[tuple[str, ...]] = (
    f"create function baton_now() returns timestamptz language sql stable parallel safe as '{BATON_NOW_BODY}'",
    """
    create table progress (
        consumer text not null,
        topic text not null,
        partition integer not null,
        next_offset bigint not null,
        worker text not null default '',
        moved_at timestamptz not null default now(),
        stopped_because text,
        primary key (consumer, topic, partition)
    ) with (fillfactor = 50)
    """,
    """
    create table inbox (
        consumer text not null,
        event_id uuid not null,
        seen_at timestamptz not null default now(),
        primary key (consumer, event_id)
    )
    """,
    "create index inbox_seen_at on inbox using brin (seen_at)",
    """
    create table outbox (
        id bigint generated always as identity (cache 1) primary key,
        topic text not null,
        key text not null,
        event_id uuid not null,
        headers text not null,
        payload text not null,
        written_at timestamptz not null default now()
    ) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000)
    """,
    """
    create table outbox_sent (
        slot smallint not null,
        id bigint not null,
        topic text not null,
        key text not null,
        event_id uuid not null,
        headers text not null,
        payload text not null,
        sent_at timestamptz not null default now()
    ) partition by list (slot)
    """,
    *(f"create table outbox_sent_{slot} partition of outbox_sent for values in ({slot})" for slot in range(SENT_SLOTS)),
    """
    create table parked (
        id uuid primary key,
        consumer text not null,
        topic text not null,
        partition integer not null,
        "offset" bigint not null,
        event_id uuid not null,
        event_type text not null,
        key text not null,
        source text not null default '',
        headers text not null,
        payload bytea not null,
        reason text not null,
        detail text not null,
        is_ours boolean not null,
        state text not null default 'open' check (state in ('open', 'replayed', 'discarded')),
        parked_at timestamptz not null default now(),
        settled_at timestamptz,
        settled_by text,
        settled_because text,
        check (state <> 'discarded' or settled_because is not null)
    )
    """,
    "create index parked_open on parked (consumer, parked_at) where state = 'open'",
    """
    create table batch_start (
        consumer text not null,
        topic text not null,
        partition integer not null,
        "offset" bigint not null,
        starts integer not null,
        primary key (consumer, topic, partition)
    )
    """,
    """
    create table idempotency (
        principal text not null,
        route text not null,
        key text not null,
        body_sha256 bytea not null,
        kept_until timestamptz not null,
        status integer,
        answer text,
        primary key (principal, route, key)
    )
    """,
    "create index idempotency_kept_until on idempotency (kept_until)",
    "create table heartbeat (name text primary key, beaten_at timestamptz not null)",
    """
    create table outage (
        id bigint generated always as identity primary key,
        name text not null,
        started_at timestamptz not null,
        ended_at timestamptz not null,
        reason text not null,
        check (ended_at >= started_at)
    )
    """,
)
