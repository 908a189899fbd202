"""What the tuner does inside transactions: when a fit is due, what it is given, and keeping what it came to."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.feedback.domain.gate import GateLine, reason_to_roll_back
from services.feedback.domain.labels import Ending
from services.feedback.domain.retune import Family, NotYet, Proposal, TrainingRow, Wanted, since_promotion
from services.feedback.store import models, outcomes, tuning
from services.feedback.store.models import Promotion
from services.feedback.store.tuning import TunerState
from services.feedback.usecases.models import publish_model, roll_back
from services.feedback.usecases.reports import DEFAULT_PRODUCT, wanted_now
from shared.db.engine import ReadTx, Tx
from shared.db.standing import Due

FAMILIES: tuple[Family, ...] = ("points_platt", "scorecard")
SLOT = DEFAULT_PRODUCT


@dataclass(frozen=True, slots=True)
class Job:
    """One fit to make: family, rows, outcomes, and what it is judged by."""

    state: TunerState
    rows: list[TrainingRow]
    endings: list[Ending]
    wanted: Wanted
    matured: int


async def ask_for_fits(tx: Tx) -> list[str]:
    """Note that somebody wants a fit of every family now."""
    for family in FAMILIES:
        await tuning.ask_for_fit(tx, slot=SLOT, family=family)
    return list(FAMILIES)


async def next_job(tx: ReadTx, *, declared_rate: float, every: timedelta, outcomes_more: int) -> Job | None:
    """The first family whose fit is due, with everything it needs as of now; None when none is."""
    matured = await tuning.matured_count(tx)
    state = next(
        (
            each
            for each in await _states(tx)
            if _is_due(each, tx.now, matured, every=every, outcomes_more=outcomes_more)
        ),
        None,
    )
    if state is None:
        return None
    family: Family = "scorecard" if state.family == "scorecard" else "points_platt"
    newest = await models.newest_of(tx, slot=SLOT, family=family)
    emitted = await tuning.training_rows(
        tx, as_of=tx.now, product=SLOT, challenger_id=None if newest is None else newest.model_id
    )
    wanted = replace(await wanted_now(tx, declared_rate=declared_rate, as_of=tx.now), family=family)
    return Job(
        state=state,
        rows=[each.row for each in emitted],
        endings=await outcomes.endings_as_of(tx, tx.now),
        wanted=wanted,
        matured=matured,
    )


async def finish_job(tx: Tx, job: Job, result: Proposal | NotYet, operation: GateLine | None) -> None:
    """Publish the challenger, or keep why there is none; either way this family's fit is done for now."""
    if isinstance(result, NotYet):
        told = result.reason
    else:
        sheet = result.sheet if operation is None else result.sheet.adding(operation)
        row = await publish_model(tx, replace(result, sheet=sheet), job.wanted, slot=SLOT)
        told = f"published {row.model_id}; gate {'holds' if row.is_passed else 'does not hold'}"
    done = replace(
        job.state,
        asked_at=job.state.asked_at or job.wanted.as_of,
        ran_as_of=job.wanted.as_of,
        matured=job.matured,
        result=told,
    )
    await tuning.note_fit(tx, done)


async def watch_promoted(tx: Tx, *, declared_rate: float) -> Promotion | None:
    """Take the promoted model back when the gate's way back holds on outcomes since promotion; both teams are told."""
    model_id, generation = await models.active_model(tx, SLOT)
    if model_id is None:
        return None
    history = await models.promotions(tx, SLOT)
    since = next(each for each in history if each.generation == generation)
    former = next((each.model_id for each in history if each.generation < generation), None)
    emitted = await tuning.training_rows(tx, as_of=tx.now, product=SLOT, challenger_id=former)
    rows = [each.row for each in emitted if each.model_id == model_id and each.row.handed_at >= since.promoted_at]
    wanted = await wanted_now(tx, declared_rate=declared_rate, as_of=tx.now)
    reason = reason_to_roll_back(since_promotion(rows, await outcomes.endings_as_of(tx, tx.now), wanted))
    return None if reason is None else await roll_back(tx, model_id, by_user_ids=(), reason=reason)


@dataclass(frozen=True, slots=True)
class TunerStanding:
    """Counts fits that are due and not made, and says when the next one is."""

    every: timedelta
    outcomes_more: int

    async def __call__(self, tx: ReadTx) -> Due:
        """Due fits now, and the next moment one is."""
        matured = await tuning.matured_count(tx)
        states = await _states(tx)
        due = sum(_is_due(each, tx.now, matured, every=self.every, outcomes_more=self.outcomes_more) for each in states)
        moments = [each.ran_as_of + self.every for each in states if each.ran_as_of is not None]
        return Due(due=due, next_due_at=min(moments, default=None))


async def _states(tx: ReadTx) -> list[TunerState]:
    """One state per family, in the order of FAMILIES; a family that never ran has an empty one."""
    known = {each.family: each for each in await tuning.tuner_state(tx) if each.slot == SLOT}
    return [
        known.get(family) or TunerState(slot=SLOT, family=family, asked_at=None, ran_as_of=None, matured=0, result="")
        for family in FAMILIES
    ]


def _is_due(state: TunerState, now: datetime, matured: int, *, every: timedelta, outcomes_more: int) -> bool:
    """Asked for, never run although something has matured, a week gone with news, or many outcomes more."""
    if state.asked_at is not None:
        return True
    if state.ran_as_of is None:
        return True
    return now - state.ran_as_of >= every or matured - state.matured >= outcomes_more
