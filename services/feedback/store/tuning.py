"""What the tuner reads and notes: the rows a fit is trained on, how many matured, and when each family last ran."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.feedback.domain.calibration import Emitted
from services.feedback.domain.retune import TrainingRow
from services.feedback.store.loop import read_json
from shared.contracts.model_card import signed_points
from shared.db.engine import ReadTx, Tx

_ROWS = text(
    """
    select h.handoff_id, h.opened_at, d.recorded_at as decided_at, d.fit, d.engagement, d.facts, d.propensity, d.p_win,
           d.entry_channel, d.policy, d.shadow, d.model_id, coalesce(l.root_id, h.lead_id) as root_id
      from handoff h join decision d on d.decision_id = h.decision_id
      left join lead l on l.lead_id = h.lead_id
     where h.opened_at <= :as_of and d.product = :product and not coalesce(l.is_erased, false)
       and not exists (select from lead m join consent c on c.lead_id = m.lead_id
                        where m.root_id = l.root_id and c.purpose <> 'sharing' and not c.is_allowed)
       and not exists (select from dispute x where x.handoff_id = h.handoff_id and x.ruling is distinct from 'denied')
     order by h.opened_at, h.handoff_id
    """
)
_COUNTS = text(
    """
    select count(*) from current_outcome
     where handoff_id is not null
       and (what in ('won', 'lost', 'disqualified') or (what = 'rejected' and 'unfit' = any(tags)))
    """
)
_TUNER = text("select * from tuner_run order by slot, family")
_ASK = text(
    """
    insert into tuner_run (slot, family, asked_at, matured, result) values (:slot, :family, :now, 0, '')
    on conflict (slot, family) do update set asked_at = excluded.asked_at
    """
)
_NOTE = text(
    """
    insert into tuner_run (slot, family, asked_at, ran_as_of, matured, result)
    values (:slot, :family, null, :ran_as_of, :matured, :result)
    on conflict (slot, family) do update
       set ran_as_of = excluded.ran_as_of, matured = excluded.matured, result = excluded.result,
           asked_at = case when tuner_run.asked_at > :asked_at then tuner_run.asked_at end
    """
)


@dataclass(frozen=True, slots=True)
class TunerState:
    """One family's last run: as of when, on how many matured outcomes, with which result; and what is asked for."""

    slot: str
    family: str
    asked_at: datetime | None
    ran_as_of: datetime | None
    matured: int
    result: str


async def training_rows(
    tx: ReadTx, *, as_of: datetime, product: str, challenger_id: UUID | None = None
) -> list[Emitted]:
    """Handed-off leads with what their decision stored, in order of handoff.

    Who is erased, withdrew consent or is disputed is left out.

    `challenger_id` names the shadow score to read along.
    """
    rows = await tx.execute(_ROWS, {"as_of": as_of, "product": product})
    return [Emitted(row=_training_row(row, challenger_id), lead_id=row.root_id, model_id=row.model_id) for row in rows]


async def matured_count(tx: ReadTx) -> int:
    """How many handoffs have an end that matures a label."""
    return int((await tx.execute(_COUNTS)).scalar_one())


async def tuner_state(tx: ReadTx) -> list[TunerState]:
    """Every family's last run and whether a new one was asked for."""
    return [_tuner(row) for row in await tx.execute(_TUNER)]


async def ask_for_fit(tx: Tx, *, slot: str, family: str) -> None:
    """Note that somebody wants a fit now."""
    await tx.execute(_ASK, {"slot": slot, "family": family, "now": tx.now})


async def note_fit(tx: Tx, state: TunerState) -> None:
    """Keep what the last run came to; what was asked for before it began is answered."""
    await tx.execute(_NOTE, {name: getattr(state, name) for name in TunerState.__slots__})


def _tuner(row: Any) -> TunerState:  # noqa: ANN401 - a row of SQLAlchemy
    return TunerState(**{name: getattr(row, name) for name in TunerState.__slots__})


def _training_row(row: Any, challenger_id: UUID | None) -> TrainingRow:  # noqa: ANN401 - a row of SQLAlchemy
    facts: Sequence[Mapping[str, str]] = read_json(row.facts)
    shadow: Mapping[str, float] = read_json(row.shadow)
    return TrainingRow(
        handoff_id=row.handoff_id,
        handed_at=row.opened_at,
        decided_at=row.decided_at,
        points=signed_points(row.fit, row.engagement),
        facts={fact["name"]: fact["value"] for fact in facts},
        known_at={fact["name"]: datetime.fromisoformat(fact["known_at"]) for fact in facts},
        propensity=row.propensity,
        p_win=row.p_win,
        group=row.entry_channel,
        policy=row.policy,
        shadow=None if challenger_id is None else shadow.get(str(challenger_id)),
    )
