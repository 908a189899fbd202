"""The re-tuning loop: read what a fit needs, fit in a process of its own, publish what it came to.

Nothing is fitted inside a transaction, and nothing here promotes: two people do. It only takes back what proved
worse. The fitting process lives for one fit; if this process dies, it ends at its next word to it. What is due is
read from rows, so a restart only fits again.
"""

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from services.feedback.domain.gate import GateLine
from services.feedback.domain.labels import Ending
from services.feedback.domain.retune import NotYet, Proposal, TrainingRow, Wanted, not_yet, propose
from services.feedback.settings import Settings
from services.feedback.usecases.tuning import finish_job, next_job, watch_promoted
from shared.clock import monotonic
from shared.contracts.model_card import ModelCard
from shared.db.engine import Database, read_whole_tables, reading, transaction
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
        """Fit whatever is due until asked to stop; the fitting process lives while there is something to fit."""
        while await pace.until(at_most_seconds=LOOK_SECONDS):
            await self.fit_due(pace)

    async def fit_due(self, pace: Pace | None = None) -> int:
        """Make every fit that is due; how many there were."""
        fitter = Fitter()
        made = 0
        try:
            while (pace is None or not pace.is_stopping) and await self._fit_next(fitter):
                made += 1
        finally:
            fitter.close()
        if made:
            async with transaction(self.database, "tuner") as tx:
                await read_whole_tables(tx)
                await watch_promoted(tx, declared_rate=self.settings.declared_win_rate)
        return made

    async def _fit_next(self, fitter: "Fitter") -> bool:
        """Make the next due fit; False when none is due."""
        async with reading(self.database) as tx:
            await read_whole_tables(tx)
            job = await next_job(
                tx,
                declared_rate=self.settings.declared_win_rate,
                every=timedelta(days=self.settings.retune_days),
                outcomes_more=self.settings.retune_outcomes,
            )
        if job is None:
            return False
        result = not_yet(job.rows, job.endings, job.wanted) or await fitter.propose(job.rows, job.endings, job.wanted)
        operation = None if isinstance(result, NotYet) else serve_again(result.card, job.rows)
        async with transaction(self.database, "tuner") as tx:
            await finish_job(tx, job, result, operation)
        log.info("tuner_ran", family=job.wanted.family, is_published=not isinstance(result, NotYet))
        return True


class Fitter:
    """A process of its own that fits, so that the event loop goes on; started at the first fit, ended by `close`."""

    def __init__(self) -> None:
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    async def propose(
        self, rows: Sequence[TrainingRow], endings: Sequence[Ending], wanted: Wanted
    ) -> Proposal | NotYet:
        """One proposal. Raises RuntimeError when the process died; the loop tries again."""
        pipe = self._start()
        try:
            # Both ways in a thread: a pipe holds 64 KiB, and the process takes a moment to start reading.
            return await asyncio.to_thread(_exchange, pipe, (list(rows), list(endings), wanted))
        except (EOFError, BrokenPipeError) as ended:
            raise RuntimeError("The process that fits ended without a result; it is tried again.") from ended

    def close(self) -> None:
        """End the process; twice is fine."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(TERMINATE_SECONDS)
            self._process = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def _start(self) -> Connection:
        if self._pipe is None:
            # One thread: the cores are shared, and small fits wait for each other longer than they compute.
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
            context = get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_work, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        return self._pipe


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


def _exchange(pipe: Connection, job: tuple[list[TrainingRow], list[Ending], Wanted]) -> Proposal | NotYet:
    pipe.send(job)
    result: Proposal | NotYet = pipe.recv()
    return result


def _work(pipe: Connection) -> None:
    """The fitting process: answer until the other end is gone, which is also how it ends when its parent dies."""
    while True:
        try:
            rows, endings, wanted = pipe.recv()
            pipe.send(propose(rows, endings, wanted))
        except (EOFError, BrokenPipeError):
            return
