"""The re-tuning loop: read what a fit needs, fit in a process of its own, publish what it came to.

Nothing is fitted inside a transaction, and nothing here promotes: two people do. The fitting process lives for one
fit; if this process dies, it ends at its next word to it. What is due is read from rows, so a restart only fits
again.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection

from services.feedback.domain.gate import GateLine
from services.feedback.domain.labels import Ending
from services.feedback.domain.retune import NotYet, Proposal, TrainingRow, Wanted, propose
from services.feedback.settings import Settings
from services.feedback.usecases.tuning import finish_job, next_job
from shared.clock import monotonic
from shared.contracts.model_card import ModelCard
from shared.db.engine import Database, reading, transaction
from shared.runtime.pace import Pace
from shared.telemetry import log

# Leads the card is served for to measure it; SCORING 10 asks for 1,000 replayed identically at p99 <= 1 ms.
REPLAYED_MAX = 1_000
SERVE_SECONDS_MAX = 0.001
LOOK_SECONDS = 1.0
TERMINATE_SECONDS = 5.0


class Tuner:
    """The loop of one process; one instance of the role runs it."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database

    async def run(self, pace: Pace) -> None:
        """Fit whatever is due until asked to stop."""
        while await pace.until(at_most_seconds=LOOK_SECONDS):
            while not pace.is_stopping and await self.fit_next():
                pass

    async def fit_next(self) -> bool:
        """Make the next due fit; False when none is due."""
        async with reading(self.database) as tx:
            job = await next_job(
                tx,
                declared_rate=self.settings.declared_win_rate,
                every=timedelta(days=self.settings.retune_days),
                outcomes_more=self.settings.retune_outcomes,
            )
        if job is None:
            return False
        result = await fit_apart(job.rows, job.endings, job.wanted)
        operation = None if isinstance(result, NotYet) else serve_again(result.card, job.rows)
        async with transaction(self.database, "tuner") as tx:
            await finish_job(tx, job, result, operation)
        log.info("tuner_ran", family=job.wanted.family, is_published=not isinstance(result, NotYet))
        return True


async def fit_apart(rows: Sequence[TrainingRow], endings: Sequence[Ending], wanted: Wanted) -> Proposal | NotYet:
    """Propose in a process of its own, so that the event loop goes on. Raises RuntimeError when that process died."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, list(rows), list(endings), wanted), daemon=True)
    process.start()
    theirs.close()
    try:
        result: Proposal | NotYet = await asyncio.to_thread(ours.recv)
    except EOFError as ended:
        raise RuntimeError("The process that fits ended without a result; it is tried again.") from ended
    finally:
        process.terminate()
        process.join(TERMINATE_SECONDS)
        ours.close()
    return result


def serve_again(card: ModelCard, rows: Sequence[TrainingRow]) -> GateLine:
    """G6: the card as scoring will read it (through its JSON text) gives each stored lead the same, fast enough."""
    served = ModelCard.model_validate_json(card.model_dump_json())
    taken: list[float] = []
    differing = 0
    for row in rows[:REPLAYED_MAX]:
        started = monotonic()
        p_win = served.p_win(row.points, row.facts)
        taken.append(monotonic() - started)
        differing += p_win != card.p_win(row.points, row.facts)
    p99 = sorted(taken)[min(len(taken) - 1, int(len(taken) * 0.99))] if taken else 0.0
    return GateLine(
        test="G6",
        is_passed=not differing and p99 <= SERVE_SECONDS_MAX,
        detail=f"{len(taken)} stored leads replayed, {differing} differ; p99 {p99 * 1e6:.0f} us (may be 1000)",
    )


def _work(answer: Connection, rows: list[TrainingRow], endings: list[Ending], wanted: Wanted) -> None:
    answer.send(propose(rows, endings, wanted))
    answer.close()
