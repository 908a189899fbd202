"""Topic `models`: fitted scorers, their promotion and their way back."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Part, Payload

__all__ = ["MODEL_EVENTS", "GateResult", "Metric", "ModelPromoted", "ModelPublished", "ModelRolledBack"]


class Metric(Part):
    """One measured number of a fit."""

    name: str = Field(description="log_loss, ece, predicted_over_actual, ...")
    value: float = Field(description="its value")


class GateResult(Part):
    """One test of the promotion gate."""

    test: str = Field(description="G1 to G6")
    is_passed: bool = Field(description="the verdict")
    detail: str = Field(description="the numbers behind it")


class ModelPublished(Payload):
    """A scorer was fitted."""

    TYPE: ClassVar[str] = "baton.model.published.v1"
    KEY: ClassVar[str] = "model_id"

    model_id: UUID = Field(description="the model")
    family: str = Field(description="points_platt, scorecard or trees")
    slot: str = Field(description="what it would decide: a product's win probability")
    agreement_version: int = Field(ge=1, description="whose points it reads")
    trained_as_of: datetime = Field(description="nothing learned later was used")
    window_from: datetime = Field(description="oldest handoff in training")
    rows_sha256: str = Field(description="hash of the training rows")
    wins: int = Field(ge=0, description="rows labelled won")
    losses: int = Field(ge=0, description="rows labelled lost")
    open: int = Field(ge=0, description="open rows")
    open_weight: float = Field(ge=0, description="share of the label weight that is soft")
    rho: float = Field(ge=0, le=1, description="share of non-wins that ever get a loss record")
    card: str | None = Field(None, description="JSON text of the card (shared/contracts/model_card.py)")
    trees: str | None = Field(None, description="text of the trees")
    metrics: list[Metric] = Field(default_factory=list, description="measured numbers")
    gate: list[GateResult] = Field(default_factory=list, description="the gate sheet")


class ModelPromoted(Payload):
    """A model decides from now on; a lower generation is ignored."""

    TYPE: ClassVar[str] = "baton.model.promoted.v1"
    KEY: ClassVar[str] = "model_id"

    model_id: UUID = Field(description="the model")
    slot: str = Field(description="what it decides")
    generation: int = Field(ge=1, description="counter of the slot's activations")
    p_threshold: float = Field(ge=0, le=1, description="win probability that a score of 65 means")
    by_user_ids: list[UUID] = Field(default_factory=list, description="who approved")
    reason: str = Field(description="why")


class ModelRolledBack(ModelPromoted):
    """The former model decides again."""

    TYPE: ClassVar[str] = "baton.model.rolled_back.v1"


MODEL_EVENTS: tuple[type[Payload], ...] = (
    ModelPublished,
    ModelPromoted,
    ModelRolledBack,
)
