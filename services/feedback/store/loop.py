"""Rows of what happened to leads on their way: touches, decisions as emitted, handoffs with their steps."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import text

from services.feedback.domain.attribution import Touching
from services.feedback.domain.handoffs import HandoffRecord, Step, fold
from shared.db.engine import ReadTx, Tx

_STEPS = TypeAdapter(tuple[Step, ...])

_TOUCH = text(
    """
    insert into touching (activity_id, lead_id, kind, direction, human, occurred_at, recorded_at, channel,
                          traffic_source, medium, campaign, referrer_host, asset)
    values (:activity_id, :lead_id, :kind, :direction, :human, :occurred_at, :recorded_at, :channel, :traffic_source,
            :medium, :campaign, :referrer_host, :asset)
    on conflict (activity_id) do nothing
    """
)
_CORRECT = text("update touching set human = :human where activity_id = :activity_id")
_TOUCHES = text(
    """
    select activity_id, lead_id, kind, direction, human, occurred_at, channel, traffic_source, medium, campaign,
           referrer_host, asset
      from touching where lead_id = any(cast(:ids as uuid[])) and occurred_at <= :until
     order by occurred_at, activity_id
    """
)
_DECIDE = text(
    """
    insert into decision (decision_id, lead_id, decided_at, recorded_at, policy, propensity, score, fit, engagement,
                          p_win, model_id, agreement_version, product, entry_channel, campaign, facts, lines, shadow)
    values (:decision_id, :lead_id, :decided_at, :recorded_at, :policy, :propensity, :score, :fit, :engagement, :p_win,
            :model_id, :agreement_version, :product, :entry_channel, :campaign, cast(:facts as jsonb),
            cast(:lines as jsonb), cast(:shadow as jsonb))
    on conflict (decision_id) do nothing
    """
)
_LOCK_HANDOFFS = text(
    """
    select handoff_id, lead_id, steps from handoff where handoff_id = any(cast(:ids as uuid[]))
     order by handoff_id for update
    """
)
_SAVE_HANDOFF = text(
    """
    insert into handoff (handoff_id, lead_id, opened_at, decision_id, seq, steps)
    values (:handoff_id, :lead_id, :opened_at, :decision_id, :seq, cast(:steps as jsonb))
    on conflict (handoff_id) do update set opened_at = excluded.opened_at, decision_id = excluded.decision_id,
                                           seq = excluded.seq, steps = excluded.steps
    """
)
_HANDOFFS = text(
    """
    select h.handoff_id, l.root_id as lead_id, h.steps from handoff h join lead l on l.lead_id = h.lead_id
     where h.opened_at >= :since and h.opened_at < :until
     order by h.opened_at, h.handoff_id
    """
)
_HANDOFF_OF = text(
    """
    select h.handoff_id from handoff h join lead m on m.lead_id = h.lead_id join lead l on l.root_id = m.root_id
     where l.lead_id = :lead_id
     order by h.opened_at <= :at desc, h.opened_at desc, h.handoff_id limit 1
    """
)
_LEAD_OF_HANDOFF = text("select lead_id from handoff where handoff_id = :handoff_id")
_QUALIFIED = text(
    """
    select l.root_id as lead_id, d.decided_at from decision d join lead l on l.lead_id = d.lead_id
     where d.decided_at >= :since and d.decided_at < :until order by d.decided_at, l.root_id
    """
)


@dataclass(frozen=True, slots=True)
class Decision:
    """A qualification as emitted: what training and evaluation may read of it."""

    decision_id: UUID
    lead_id: UUID
    decided_at: datetime
    recorded_at: datetime
    policy: str
    propensity: float
    score: int
    fit: int
    engagement: int
    p_win: float | None
    model_id: UUID | None
    agreement_version: int
    product: str
    entry_channel: str
    campaign: str
    facts: Sequence[Mapping[str, str]]
    lines: Mapping[str, int]
    shadow: Mapping[str, float]


def read_json(value: Any) -> Any:  # noqa: ANN401 - JSON of our own columns
    """A jsonb column as values, whether the driver decoded it or not."""
    return json.loads(value) if isinstance(value, str) else value


async def add_touches(tx: Tx, touches: Sequence[tuple[Touching, datetime]]) -> None:
    """Keep activities that may be touchpoints, each once, with when they were recorded."""
    if touches:
        await tx.execute(
            _TOUCH,
            [
                {
                    "activity_id": touch.activity_id,
                    "lead_id": touch.lead_id,
                    "kind": touch.kind,
                    "direction": touch.direction,
                    "human": touch.human,
                    "occurred_at": touch.occurred_at,
                    "recorded_at": recorded_at,
                    "channel": touch.channel,
                    "traffic_source": touch.traffic_source,
                    "medium": touch.medium,
                    "campaign": touch.campaign,
                    "referrer_host": touch.referrer_host,
                    "asset": touch.asset,
                }
                for touch, recorded_at in touches
            ],
        )


async def correct_touch(tx: Tx, activity_id: UUID, *, human: float) -> None:
    """Keep the new judgement whether a person did it."""
    await tx.execute(_CORRECT, {"activity_id": activity_id, "human": human})


async def touches_of(tx: ReadTx, lead_ids: Iterable[UUID], *, until: datetime) -> list[Touching]:
    """Activities of these members up to a moment, in order of time."""
    rows = await tx.execute(_TOUCHES, {"ids": list(lead_ids), "until": until})
    return [Touching(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's own name for a row as a mapping


async def add_decisions(tx: Tx, decisions: Sequence[Decision]) -> None:
    """Keep decisions as emitted, each once."""
    if decisions:
        await tx.execute(
            _DECIDE,
            [
                {
                    "decision_id": each.decision_id,
                    "lead_id": each.lead_id,
                    "decided_at": each.decided_at,
                    "recorded_at": each.recorded_at,
                    "policy": each.policy,
                    "propensity": each.propensity,
                    "score": each.score,
                    "fit": each.fit,
                    "engagement": each.engagement,
                    "p_win": each.p_win,
                    "model_id": each.model_id,
                    "agreement_version": each.agreement_version,
                    "product": each.product,
                    "entry_channel": each.entry_channel,
                    "campaign": each.campaign,
                    "facts": json.dumps(list(each.facts)),
                    "lines": json.dumps(dict(each.lines)),
                    "shadow": json.dumps(dict(each.shadow)),
                }
                for each in decisions
            ],
        )


async def lock_handoffs(tx: Tx, handoff_ids: Iterable[UUID]) -> dict[UUID, tuple[Step, ...]]:
    """The steps of the handoffs that are known, their rows locked in id order."""
    rows = await tx.execute(_LOCK_HANDOFFS, {"ids": sorted(set(handoff_ids))})
    return {row.handoff_id: _STEPS.validate_python(read_json(row.steps)) for row in rows}


async def save_handoffs(tx: Tx, records: Sequence[HandoffRecord]) -> None:
    """Store handoffs with all their steps."""
    if records:
        await tx.execute(
            _SAVE_HANDOFF,
            [
                {
                    "handoff_id": record.handoff_id,
                    "lead_id": record.lead_id,
                    "opened_at": record.opened_at,
                    "decision_id": record.opening.decision_id if record.opening else None,
                    "seq": record.last.seq,
                    "steps": _STEPS.dump_json(record.steps).decode(),
                }
                for record in records
            ],
        )


async def handoffs_between(tx: ReadTx, since: datetime, until: datetime) -> list[HandoffRecord]:
    """Handoffs opened in [since, until), by the root of their person's tree, in order of opening."""
    rows = await tx.execute(_HANDOFFS, {"since": since, "until": until})
    return [fold(row.handoff_id, row.lead_id, _STEPS.validate_python(read_json(row.steps))) for row in rows]


async def handoff_of(tx: ReadTx, lead_id: UUID, *, at: datetime) -> UUID | None:
    """The handoff of this person that an outcome at that moment belongs to: the newest one opened by then."""
    return (await tx.execute(_HANDOFF_OF, {"lead_id": lead_id, "at": at})).scalar()


async def lead_of_handoff(tx: ReadTx, handoff_id: UUID) -> UUID | None:
    """The lead a handoff was opened for."""
    return (await tx.execute(_LEAD_OF_HANDOFF, {"handoff_id": handoff_id})).scalar()


async def qualified_between(tx: ReadTx, since: datetime, until: datetime) -> list[tuple[UUID, datetime]]:
    """Who met the criteria when, by the root of the person's tree."""
    rows = await tx.execute(_QUALIFIED, {"since": since, "until": until})
    return [(row.lead_id, row.decided_at) for row in rows]
