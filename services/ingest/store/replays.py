"""Replay jobs: what a person asked to feed through again or to discard, and how far it is.

A row is the whole job: whoever leases it goes on where it stands, also after a restart. No lock is held meanwhile,
since what is fed runs in transactions of its own. Its times are machine time, as those of parked events.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared.db.engine import ReadTx, Tx

__all__ = ["Job", "add_job", "job", "jobs", "lease_job", "machine_now", "running", "save_job", "stop_job"]

SHOWN_MAX: Final = 50
_COLUMNS: Final = (
    "id, action, source, reason, since_at, until_at, rate_per_second, because, state, place_at, place_id, total, "
    "done, failed, last_error, by, created_at, updated_at, places, ends, leased_until"
)
_LEASE_SECONDS: Final = 60  # a step takes seconds; a process that died in one is followed by another after it
_SAVED: Final = ("id", "leased_until", "state", "place_at", "place_id", "total", "done", "failed", "last_error")


@dataclass(slots=True)
class Job:
    """One job; `place_*` is the last parked delivery it has dealt with, `failed` those that are still parked."""

    id: UUID
    action: str
    source: str | None
    reason: str | None
    since_at: datetime | None
    until_at: datetime
    rate_per_second: int
    because: str | None
    state: str
    place_at: datetime | None
    place_id: UUID | None
    total: int
    done: int
    failed: int
    last_error: str
    by: str
    created_at: datetime
    updated_at: datetime
    places: dict[str, int] | None = None
    """Of a job over kept deliveries: by partition the offset it goes on at; None before it has looked."""
    ends: dict[str, int] | None = None
    leased_until: datetime | None = None
    """The lease of who works on it now; it names that holder, too."""

    @property
    def settler(self) -> str:
        """How parked rows name who settled them, so that what a killed process did is counted."""
        return f"replay:{self.id}"


async def add_job(tx: Tx, values: dict[str, object]) -> None:
    """Keep a new job; values has its id, action, selection, rate, because, total and by."""
    await tx.execute(
        """
        insert into replay_job (id, action, source, reason, since_at, until_at, rate_per_second, because, total, by)
        values (:id, :action, :source, :reason, :since_at, :until_at, :rate_per_second, :because, :total, :by)
        """,
        values,
    )


async def machine_now(tx: ReadTx) -> datetime:
    """The moment parked events are stamped with."""
    moment: datetime = (await tx.execute("select now()")).scalar_one()
    return moment


async def running(tx: ReadTx) -> list[UUID]:
    """The ids of the jobs that are not over, oldest first."""
    rows = await tx.execute("select id from replay_job where state = 'running' order by created_at, id")
    return list(rows.scalars())


async def lease_job(tx: Tx, job_id: UUID) -> Job | None:
    """A running job, leased for one step; None when it is over or another process works on it."""
    rows = await tx.execute(
        f"""
        update replay_job set leased_until = clock_timestamp() + make_interval(secs => :lease)
         where id = (select id from replay_job
                      where id = :id and state = 'running' and (leased_until is null or leased_until < now())
                        for update skip locked)
        returning {_COLUMNS}
        """,  # noqa: S608 - ours
        {"id": job_id, "lease": _LEASE_SECONDS},
    )
    return _job(rows.mappings().first())


async def save_job(tx: Tx, one: Job) -> None:
    """Write how far a leased job is, and let it go; nothing when the lease ran out and another process has it.

    One that a person stopped meanwhile stays stopped.
    """
    await tx.execute(
        """
        update replay_job set state = case when state = 'running' then :state else state end, place_at = :place_at,
               place_id = :place_id, done = :done, failed = :failed, last_error = :last_error, total = :total,
               places = cast(:places as jsonb), ends = cast(:ends as jsonb), updated_at = now(), leased_until = null
         where id = :id and leased_until = :leased_until
        """,
        {
            **{name: getattr(one, name) for name in _SAVED},
            "places": None if one.places is None else json.dumps(one.places),
            "ends": None if one.ends is None else json.dumps(one.ends),
        },
    )


async def stop_job(tx: Tx, job_id: UUID) -> bool:
    """End a running job where it is; False when it is over."""
    stopped = await tx.execute(
        "update replay_job set state = 'stopped', updated_at = now() where id = :id and state = 'running'",
        {"id": job_id},
    )
    return bool(stopped.rowcount)


async def job(tx: ReadTx, job_id: UUID) -> Job | None:
    """One job, or None."""
    rows = await tx.execute(f"select {_COLUMNS} from replay_job where id = :id", {"id": job_id})  # noqa: S608 - ours
    return _job(rows.mappings().first())


async def jobs(tx: ReadTx) -> list[Job]:
    """The newest jobs."""
    rows = await tx.execute(
        f"select {_COLUMNS} from replay_job order by created_at desc, id limit :most",  # noqa: S608 - ours
        {"most": SHOWN_MAX},
    )
    return [one for row in rows.mappings() if (one := _job(row)) is not None]


def _job(row: Any) -> Job | None:  # noqa: ANN401 - a row of the driver
    return None if row is None else Job(**row)
