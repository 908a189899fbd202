"""The verbs of models: publish a fit with its gate sheet, approve by one person of each team, promote, roll back."""

from uuid import UUID

from services.feedback.domain.retune import Proposal, Wanted
from services.feedback.store import models
from services.feedback.store.models import Approval, ModelRow, Promotion
from services.feedback.usecases import SOURCE
from shared.contracts.envelope import Event
from shared.contracts.models import GateResult, Metric, ModelPromoted, ModelPublished, ModelRolledBack
from shared.db.engine import Tx
from shared.errors import FieldError, NotFound, Refused, Stale
from shared.ids import derived_id
from shared.stream.outbox import emit
from shared.telemetry import announce, log

TEAMS = ("marketing", "sales")
# Told when a roll-back leaves no model: readers know no such model, so the signed points decide alone.
NO_MODEL = UUID(int=0)
P_UNSET = 0.5


async def publish_model(tx: Tx, proposal: Proposal, wanted: Wanted, *, slot: str) -> ModelRow:
    """Store and emit a fitted challenger; its id rests on what it was fitted to, so a repeat is the same model."""
    row = ModelRow(
        model_id=derived_id(SOURCE, "model", slot, proposal.family, proposal.rows_sha256, wanted.as_of.isoformat()),
        family=proposal.family,
        slot=slot,
        agreement_version=wanted.agreement_version,
        trained_as_of=wanted.as_of,
        window_from=proposal.window_from,
        rows_sha256=proposal.rows_sha256,
        wins=proposal.wins,
        losses=proposal.losses,
        open=proposal.open,
        open_weight=proposal.open_weight,
        rho=proposal.rho,
        card=proposal.card.model_dump_json(),
        metrics={**proposal.sheet.metrics, "p_threshold": proposal.p_threshold},
        gate=proposal.sheet.lines,
        is_passed=proposal.sheet.is_passed,
        published_at=tx.now,
    )
    if await models.add_model(tx, row):
        event_id = derived_id(SOURCE, ModelPublished.TYPE, row.model_id)
        emit(tx, Event.first(_published(row), source=SOURCE, occurred_at=tx.now, recorded_at=tx.now, id=event_id))
        log.info("model_published", model_id=str(row.model_id), family=row.family, is_passed=row.is_passed)
    return row


async def approve_model(tx: Tx, model_id: UUID, *, user_id: UUID, team: str) -> tuple[ModelRow, Promotion | None]:
    """One team's consent; with the second team's the model is promoted in the same transaction.

    Refused unless the gate holds, for a second person of the same team, and for one person twice.
    """
    row = await _locked(tx, model_id)
    approvals = await models.approvals_of(tx, model_id)
    _may_approve(row, approvals, user_id=user_id, team=team)
    approval = Approval(team=team, user_id=user_id, approved_at=tx.now)
    await models.add_approval(tx, model_id, approval)
    if {each.team for each in (*approvals, approval)} != set(TEAMS):
        return row, None
    by_user_ids = tuple(each.user_id for each in sorted((*approvals, approval), key=lambda each: each.team))
    reason = "approved by both teams after the gate held"
    return row, await _switch(tx, row.slot, row, by_user_ids=by_user_ids, reason=reason, is_roll_back=False)


async def roll_back(tx: Tx, model_id: UUID, *, by_user_ids: tuple[UUID, ...], reason: str) -> Promotion:
    """Take the promoted model back: what decided before it decides again, be it the signed points alone."""
    row = await _locked(tx, model_id)
    active, _ = await models.lock_active_model(tx, row.slot)
    if active != model_id:
        raise Stale(
            "This model does not decide now; only the promoted one can be rolled back.",
            current={"model_id": None if active is None else str(active)},
        )
    former = await _former(tx, row)
    return await _switch(tx, row.slot, former, by_user_ids=by_user_ids, reason=reason, is_roll_back=True)


async def _former(tx: Tx, row: ModelRow) -> ModelRow | None:
    """The model that decided before this one was promoted, by the history of the slot; none before the first."""
    history = await models.promotions(tx, row.slot)
    first = min(each.generation for each in history if each.model_id == row.model_id)
    before = next((each for each in history if each.generation < first), None)
    return None if before is None or before.model_id is None else await models.model_of(tx, before.model_id)


async def _switch(
    tx: Tx, slot: str, row: ModelRow | None, *, by_user_ids: tuple[UUID, ...], reason: str, is_roll_back: bool
) -> Promotion:
    """Compare-and-set of the slot's generation and the event of it, in one transaction."""
    _, seen = await models.lock_active_model(tx, slot)
    promotion = Promotion(
        slot=slot,
        generation=seen + 1,
        model_id=None if row is None else row.model_id,
        is_roll_back=is_roll_back,
        p_threshold=P_UNSET if row is None else row.metrics.get("p_threshold", P_UNSET),
        by_user_ids=by_user_ids,
        reason=reason,
        promoted_at=tx.now,
    )
    await announce("active:before_switch")
    if not await models.promote(tx, promotion, seen=seen):
        raise Stale("Another model was promoted meanwhile; look again.", current={"generation": seen})
    await announce("active:after_switch")
    kind = ModelRolledBack if is_roll_back else ModelPromoted
    told = kind(
        model_id=promotion.model_id or NO_MODEL,
        slot=slot,
        generation=promotion.generation,
        p_threshold=promotion.p_threshold,
        by_user_ids=list(by_user_ids),
        reason=reason,
    )
    emit(tx, Event.first(told, source=SOURCE, occurred_at=tx.now, recorded_at=tx.now))
    log.info("model_promoted", model_id=str(told.model_id), generation=promotion.generation, is_roll_back=is_roll_back)
    return promotion


async def _locked(tx: Tx, model_id: UUID) -> ModelRow:
    row = await models.lock_model(tx, model_id)
    if row is None:
        raise NotFound("There is no such model; list them with GET /v1/models.")
    return row


def _may_approve(row: ModelRow, approvals: list[Approval], *, user_id: UUID, team: str) -> None:
    """Raises Refused with what stands in the way."""
    failed = [line.test for line in row.gate if not line.is_passed]
    if failed:
        raise Refused(
            f"The gate does not hold ({', '.join(failed)}); wait for more outcomes.",
            errors=[FieldError(f"/gate/{test}", "gate", "this test does not hold") for test in failed],
            slug="gate",
        )
    if team not in TEAMS:
        raise Refused("Only a person of Marketing or Sales approves.", slug="no_team")
    if any(each.team == team for each in approvals):
        raise Refused(f"{team.capitalize()} has approved already; the other team is missing.", slug="team_approved")
    if any(each.user_id == user_id for each in approvals):
        raise Refused("One person cannot approve for both teams.", slug="approved_already")


def _published(row: ModelRow) -> ModelPublished:
    return ModelPublished(
        model_id=row.model_id,
        family=row.family,
        slot=row.slot,
        agreement_version=row.agreement_version,
        trained_as_of=row.trained_as_of,
        window_from=row.window_from,
        rows_sha256=row.rows_sha256,
        wins=row.wins,
        losses=row.losses,
        open=row.open,
        open_weight=row.open_weight,
        rho=row.rho,
        card=row.card,
        metrics=[Metric(name=name, value=value) for name, value in sorted(row.metrics.items())],
        gate=[GateResult(test=line.test, is_passed=line.is_passed, detail=line.detail) for line in row.gate],
    )
