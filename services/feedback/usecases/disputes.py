"""The verbs of a dispute: a rep contests a handoff of theirs, one person of each team rules, both the same."""

import json
from dataclasses import replace
from uuid import UUID

from pydantic import TypeAdapter

from services.feedback.domain.disputes import Refusal, Ruling, settled, with_ruling
from services.feedback.domain.handoffs import Step
from services.feedback.store import disputes, loop
from services.feedback.store.disputes import DisputeRow
from services.feedback.usecases import SOURCE
from services.feedback.usecases.agreements import active_agreement
from shared.contracts.envelope import Event
from shared.contracts.outcomes import DisputeOpened, DisputeRuled
from shared.db.engine import Tx
from shared.errors import FieldError, NotFound, Refused, Stale
from shared.ids import derived_id
from shared.stream.outbox import emit

_STEPS = TypeAdapter(tuple[Step, ...])


async def open_dispute(tx: Tx, handoff_id: UUID, *, rep_id: UUID, ground: str) -> DisputeRow:
    """Contest a handoff on an agreed ground.

    The evidence is frozen as it is now. Refused for whoever never owned it.
    """
    steps = (await loop.lock_handoffs(tx, [handoff_id])).get(handoff_id)
    lead_id = await loop.lead_of_handoff(tx, handoff_id)
    if steps is None or lead_id is None:
        raise NotFound("There is no such handoff.")
    if all(step.owner_id != rep_id for step in steps):
        raise Refused("Only a rep who owned this handoff can contest it.", slug="not_owned")
    grounds = (await active_agreement(tx)).reasons.reject
    if ground not in grounds:
        known = ", ".join(grounds)
        raise Refused(
            "The ground must be an agreed reason.", errors=[FieldError("/ground", "unknown", f"one of {known}")]
        )
    row = DisputeRow(
        dispute_id=derived_id(SOURCE, "dispute", handoff_id, rep_id),
        handoff_id=handoff_id,
        lead_id=lead_id,
        rep_id=rep_id,
        ground=ground,
        evidence={"steps": json.loads(_STEPS.dump_json(steps))},
        opened_at=tx.now,
    )
    if await disputes.lock_dispute(tx, row.dispute_id) is not None:
        raise Stale("You have contested this handoff already.", current={"dispute_id": str(row.dispute_id)})
    await disputes.save_dispute(tx, row)
    told = DisputeOpened(
        dispute_id=row.dispute_id, handoff_id=handoff_id, lead_id=lead_id, rep_id=rep_id, ground=ground
    )
    emit(tx, Event.first(told, source=SOURCE, occurred_at=tx.now, recorded_at=tx.now))
    return row


async def rule_dispute(tx: Tx, dispute_id: UUID, ruling: Ruling) -> DisputeRow:
    """One team's ruling; when both teams rule the same the dispute is settled and told."""
    row = await disputes.lock_dispute(tx, dispute_id)
    if row is None:
        raise NotFound("There is no such dispute; list them with GET /v1/disputes.")
    if row.ruling is not None:
        raise Stale("It is settled; a ruling never changes.", current={"ruling": row.ruling})
    rulings = with_ruling(row.rulings, ruling)
    if isinstance(rulings, Refusal):
        raise Refused(rulings.message, slug=f"dispute_{rulings.code}")
    agreed = settled(rulings)
    after = replace(row, rulings=rulings)
    if agreed is not None:
        after = replace(after, ruling=agreed[0], is_credited=agreed[1], ruled_at=tx.now)
        told = DisputeRuled(
            dispute_id=row.dispute_id,
            handoff_id=row.handoff_id,
            lead_id=row.lead_id,
            rep_id=row.rep_id,
            ground=row.ground,
            ruling=agreed[0],
            is_credited=agreed[1],
            by_user_ids=[each.user_id for each in rulings],
        )
        emit(tx, Event.first(told, source=SOURCE, occurred_at=tx.now, recorded_at=tx.now))
    await disputes.save_dispute(tx, after)
    return after
