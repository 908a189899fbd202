"""Models over HTTP: cards with their gate sheets, ask for a fit, approve by one person of each team, roll back."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.feedback.api.parts import person_of, team_of
from services.feedback.store import models, tuning
from services.feedback.store.models import Approval, ModelRow, Promotion
from services.feedback.usecases.models import approve_model, roll_back
from services.feedback.usecases.tuning import ask_for_fits
from shared.db.engine import Tx, reading
from shared.errors import NotFound
from shared.web.app_factory import Asked, DatabaseOf
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, command

router = APIRouter()
Reader = Annotated[Principal, Depends(requires("models:read"))]
Trainer = Annotated[Principal, Depends(requires("models:train"))]
Approver = Annotated[Principal, Depends(requires("models:approve"))]

SLOT = "default"
MODELS_MOST = 100


class RollBackAsked(Asked):
    """Why the promoted model is taken back."""

    reason: str = Field(min_length=3, max_length=500, description="both teams read it")


@router.get("/v1/models")
async def get_models(_: Reader, database: DatabaseOf) -> dict[str, Any]:
    """Published models, newest first; which one decides; its history; what the tuner did last."""
    async with reading(database) as tx:
        rows = await models.models(tx, most=MODELS_MOST)
        active, generation = await models.active_model(tx, SLOT)
        history = await models.promotions(tx, SLOT)
        tuner = await tuning.tuner_state(tx)
        approvals = {row.model_id: await models.approvals_of(tx, row.model_id) for row in rows}
    return {
        "active": active,
        "generation": generation,
        "models": [_model_json(row, approvals[row.model_id], active=active) for row in rows],
        "history": [_promotion_json(each) for each in history],
        "tuner": [{name: getattr(each, name) for name in type(each).__slots__} for each in tuner],
    }


@router.get("/v1/models/{model_id}")
async def get_model(model_id: UUID, _: Reader, database: DatabaseOf) -> dict[str, Any]:
    """One model with its card, its gate sheet and who approved."""
    async with reading(database) as tx:
        row = await models.model_of(tx, model_id)
        approvals = await models.approvals_of(tx, model_id)
        active, _generation = await models.active_model(tx, SLOT)
    if row is None:
        raise NotFound("There is no such model; list them with GET /v1/models.")
    return _model_json(row, approvals, active=active) | {"card": orjson.loads(row.card)}


@router.post("/v1/models/train", status_code=202)
async def post_train(request: Request, principal: Trainer, database: DatabaseOf) -> Response:
    """Ask the tuner for a fit of every family now; the result appears under GET /v1/models."""

    async def run(tx: Tx) -> Answer:
        return Answer(202, {"asked": await ask_for_fits(tx)})

    return await command(request, database, principal, run)


@router.post("/v1/models/{model_id}/approve")
async def post_approve(model_id: UUID, request: Request, principal: Approver, database: DatabaseOf) -> Response:
    """One team's consent; the second team's promotes it."""

    async def run(tx: Tx) -> Answer:
        row, promotion = await approve_model(tx, model_id, user_id=person_of(principal), team=team_of(principal))
        approvals = await models.approvals_of(tx, model_id)
        active = row.model_id if promotion is not None else None
        body = _model_json(row, approvals, active=active)
        return Answer(200, body | {"promotion": None if promotion is None else _promotion_json(promotion)})

    return await command(request, database, principal, run)


@router.post("/v1/models/{model_id}/roll-back")
async def post_roll_back(
    model_id: UUID, asked: RollBackAsked, request: Request, principal: Approver, database: DatabaseOf
) -> Response:
    """Take the promoted model back; one person of either team may."""

    async def run(tx: Tx) -> Answer:
        promotion = await roll_back(tx, model_id, by_user_ids=(person_of(principal),), reason=asked.reason)
        return Answer(200, _promotion_json(promotion))

    return await command(request, database, principal, run)


def _model_json(row: ModelRow, approvals: list[Approval], *, active: UUID | None) -> dict[str, Any]:
    approved = {each.team for each in approvals}
    return {
        "model_id": row.model_id,
        "family": row.family,
        "slot": row.slot,
        "agreement_version": row.agreement_version,
        "trained_as_of": row.trained_as_of,
        "window_from": row.window_from,
        "rows_sha256": row.rows_sha256,
        "wins": row.wins,
        "losses": row.losses,
        "open": row.open,
        "open_weight": row.open_weight,
        "rho": row.rho,
        "metrics": dict(row.metrics),
        "gate": [{"test": line.test, "is_passed": line.is_passed, "detail": line.detail} for line in row.gate],
        "is_passed": row.is_passed,
        "is_active": row.model_id == active,
        "published_at": row.published_at,
        "approvals": [
            {"team": each.team, "user_id": each.user_id, "approved_at": each.approved_at} for each in approvals
        ],
        "missing_approvals": [team for team in ("marketing", "sales") if team not in approved],
    }


def _promotion_json(promotion: Promotion) -> dict[str, Any]:
    return {name: getattr(promotion, name) for name in Promotion.__slots__}
