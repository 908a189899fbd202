"""Feeds parked or kept deliveries through again, or discards parked ones, as jobs that a restart does not end.

A step leases one job, deals with at most one second's worth of it and writes its place; each delivery is settled in a
transaction of its own, so what a killed process did is neither lost nor done twice. A job that must wait (for a broker,
a busy database) holds up no other. Bounds: JOBS_MAX running jobs, RATE_MAX a second, STEP_SECONDS of one step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from services.ingest.store import parked as parked_rows
from services.ingest.store import replays
from services.ingest.store.parked import Selection
from services.ingest.store.replays import Job
from services.ingest.usecases.feeding import KeptTopic, feed_step, until_of
from shared.clock import monotonic
from shared.db.engine import Database, Tx, is_transient, reading, transaction
from shared.errors import AppError, FieldError, NotFound, Refused
from shared.ids import new_id
from shared.runtime.pace import Pace
from shared.stream import parked
from shared.stream.handlers import Handlers
from shared.telemetry import log

__all__ = ["RATE_DEFAULT", "RATE_MAX", "Asked", "begin_job", "step_jobs", "work_off"]

RATE_DEFAULT: Final = 50
RATE_MAX: Final = 500
JOBS_MAX: Final = 20
STEP_SECONDS: Final = 4.0  # then the place is written and the next job has its turn; well below the lease of a job
TICK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks: replay or discard, of which source, reason and time, how fast; why, when discarding."""

    action: str
    source: str | None
    reason: str | None
    since_at: datetime | None
    until_at: datetime | None
    rate_per_second: int
    because: str | None


async def begin_job(tx: Tx, asked: Asked, *, by: str) -> UUID:
    """Keep a job over what is open now. Raises Refused without a selection, a reason to discard, or with too many."""
    if asked.source is None and asked.reason is None and asked.since_at is None:
        error = FieldError("/source", "missing", "name a source, a reason or a time since when")
        raise Refused("Say which parked deliveries are meant.", errors=[error])
    if asked.action == "feed":
        _check_fed(asked)
    if asked.action == "discard" and not asked.because:
        raise Refused("Say why they are discarded.", errors=[FieldError("/because", "missing", "give a reason")])
    if len(await replays.running(tx)) >= JOBS_MAX:
        raise Refused(f"{JOBS_MAX} jobs are running; wait for one to end, or stop one.")
    is_fed = asked.action == "feed"  # by when it came in, which is world time; the others by when it was parked
    now = until_of(None) if is_fed else await replays.machine_now(tx)
    chosen = Selection(min(asked.until_at or now, now), asked.source, asked.reason, asked.since_at)
    job_id = new_id()
    await replays.add_job(
        tx,
        {
            "id": job_id,
            "action": asked.action,
            "source": chosen.source,
            "reason": chosen.reason,
            "since_at": chosen.since_at,
            "until_at": chosen.until_at,
            "rate_per_second": asked.rate_per_second,
            "because": asked.because,
            "total": 0 if is_fed else await parked_rows.count_open(tx, chosen),
            "by": by,
        },
    )
    return job_id


def _check_fed(asked: Asked) -> None:
    """Kept deliveries have no reason, and all of a month are never meant by leaving something out."""
    if asked.reason is not None:
        error = FieldError("/reason", "not_of_kept", "leave it out: only parked deliveries have a reason")
        raise Refused("Kept deliveries are chosen by source and time.", errors=[error])
    if asked.source is None and asked.since_at is None:
        error = FieldError("/source", "missing", "name a source or a time since when")
        raise Refused("Say which kept deliveries are meant.", errors=[error])


async def work_off(database: Database, handlers: Handlers, topic: KeptTopic, pace: Pace) -> None:
    """The loop: one step of each running job a second, until the process is asked to stop."""
    while await pace.until(at_most_seconds=TICK_SECONDS):
        await step_jobs(database, handlers, topic)


async def step_jobs(database: Database, handlers: Handlers, topic: KeptTopic) -> None:
    """One step of each running job that no other process works on."""
    async with reading(database) as tx:
        waiting = await replays.running(tx)
    for job_id in waiting:
        try:
            await _step_one(job_id, topic, database=database, handlers=handlers)
        except Exception as error:
            if not is_transient(error) and not (isinstance(error, AppError) and error.retryable):
                raise
            log.warning("replay_job_waits", job_id=str(job_id), reason=type(error).__name__)


async def _step_one(job_id: UUID, topic: KeptTopic, *, database: Database, handlers: Handlers) -> None:
    """One step under a lease; however it ends, the place it reached is written."""
    async with transaction(database, "periodic") as tx:
        job = await replays.lease_job(tx, job_id)
    if job is None:
        return
    try:
        if job.action == "feed":
            await feed_step(job, topic, database=database, handlers=handlers, seconds=STEP_SECONDS)
        else:
            await _step(job, database=database, handlers=handlers)
    finally:
        async with transaction(database, "periodic") as tx:
            await replays.save_job(tx, job)


async def _step(job: Job, *, database: Database, handlers: Handlers) -> None:
    chosen = Selection(job.until_at, job.source, job.reason, job.since_at)
    after = None if job.place_at is None or job.place_id is None else (job.place_at, job.place_id)
    async with reading(database) as tx:
        found = await parked_rows.next_open(tx, chosen, after=after, most=job.rate_per_second)
    until = monotonic() + STEP_SECONDS
    dealt = await _deal(job, found, until, database=database, handlers=handlers)
    async with reading(database) as tx:
        job.done = await parked_rows.count_settled(tx, job.settler)
    if dealt == len(found) < job.rate_per_second:
        job.state = "done"
        log.info("replay_job_done", job_id=str(job.id), done=job.done, failed=job.failed)


async def _deal(
    job: Job, found: Sequence[tuple[UUID, datetime]], until: float, *, database: Database, handlers: Handlers
) -> int:
    """Deal with these, one by one, as long as there is time; how many. Raises when the database is busy."""
    settle = (
        partial(parked.discard, database, by=job.settler, reason=job.because or "")
        if job.action == "discard"
        else partial(parked.replay, database, [handlers], by=job.settler)
    )
    for dealt, (parked_id, parked_at) in enumerate(found):
        if monotonic() > until:
            return dealt
        try:
            await settle(parked_id)
        except Refused as error:
            job.failed += 1
            job.last_error = error.detail[:500]
        except NotFound:  # somebody settled it meanwhile and retention took it
            pass
        job.place_at, job.place_id = parked_at, parked_id
    return len(found)
