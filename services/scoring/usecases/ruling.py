"""Which terms decide a batch: read once per transaction, compiled once per process, recorded with every decision.

Without any published agreement the shipped default decides: a fresh system scores from its first event.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError

from services.scoring.domain.criteria import PointsRule, compile_rule
from services.scoring.domain.scorecard import Model
from services.scoring.store import terms
from services.scoring.store.terms import AGREEMENT_SLOT, MODEL_SLOT, Active, InForce, KeptModel
from shared.contracts.agreement import Agreement, default_agreement, load_agreement
from shared.contracts.model_card import ModelCard
from shared.db.engine import ReadTx
from shared.telemetry import log

__all__ = ["DEFAULT_PRODUCT", "Ruling", "Terms", "ruling_of"]

DEFAULT_PRODUCT = "default"
SHADOWS_MOST = 3
_KEPT_COMPILED = 16
# The scale needs a chance strictly between 0 and 1; a threshold at the edge is one nobody meant.
_P_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Ruling:
    """The agreement that decides, its compiled points rule, and the promoted model if there is one.

    shadows: the challengers that are recorded beside it, where decisions are made.
    """

    agreement_id: str
    version: int
    agreement: Agreement
    rule: PointsRule
    model: Model | None = None
    shadows: tuple[Model, ...] = ()

    @property
    def needs_counts(self) -> bool:
        """Whether the model reads how often and how lately kinds were seen: then every activity moves a score."""
        lines = () if self.model is None else self.model.card.lines
        return any(line.fact.startswith(("count.", "days_since.")) for line in lines)


@dataclass(slots=True)
class Terms:
    """Compiled agreements and cards of this process, by what never changes: (agreement, version) and model id."""

    agreements: dict[tuple[str, int], Ruling] = field(default_factory=dict)
    cards: dict[UUID, ModelCard] = field(default_factory=dict)
    last: tuple[InForce, Ruling] | None = None

    async def ruling(self, tx: ReadTx) -> Ruling:
        """What decides now."""
        return await self._of(tx, await terms.active_now(tx))

    async def ruling_held(self, tx: ReadTx, held: InForce) -> Ruling:
        """What decides while the transaction holds it; the same as last time is not put together again."""
        if self.last is None or self.last[0] != held:
            ruling = await self._of(tx, held.actives)
            self.last = (held, replace(ruling, shadows=await _shadow_models(tx, ruling)))
        return self.last[1]

    async def ruling_at(self, tx: ReadTx, as_of: datetime) -> Ruling:
        """What decided at a past moment."""
        return await self._of(tx, await terms.active_at(tx, as_of))

    async def _of(self, tx: ReadTx, actives: Sequence[Active]) -> Ruling:
        by_slot = {active.slot: active for active in actives}
        ruling = await self._agreement(tx, by_slot.get(AGREEMENT_SLOT))
        chosen = by_slot.get(MODEL_SLOT + DEFAULT_PRODUCT)
        promoted = chosen or next((each for slot, each in sorted(by_slot.items()) if slot != AGREEMENT_SLOT), None)
        model = None if promoted is None else await self._model(tx, promoted)
        if model is None:
            return ruling
        return replace(ruling, model=model)

    async def _agreement(self, tx: ReadTx, active: Active | None) -> Ruling:
        key = ("", 0) if active is None else (active.ref, active.version)
        if key not in self.agreements:
            document = None if active is None else await terms.document_of(tx, active.ref, active.version)
            if len(self.agreements) >= _KEPT_COMPILED:
                self.agreements.clear()
            ruling = ruling_of(default_agreement() if document is None else load_agreement(document))
            if active is not None:  # the published version counts, whatever the document calls itself
                ruling = replace(ruling, agreement_id=active.ref, version=active.version)
            self.agreements[key] = ruling
        return self.agreements[key]

    async def _model(self, tx: ReadTx, active: Active) -> Model | None:
        model_id = UUID(active.ref)
        if model_id not in self.cards:
            kept = await terms.model_card(tx, model_id)
            card = None if kept is None else card_of(kept)
            if card is None:
                return None  # promoted before it was published, or trees: the points rule goes on deciding
            self.cards[model_id] = card
        threshold = 0.5 if active.p_threshold is None else active.p_threshold
        return Model(model_id, self.cards[model_id], min(1 - _P_LEAST, max(_P_LEAST, threshold)))


def ruling_of(agreement: Agreement) -> Ruling:
    """The ruling of one agreement document."""
    rule = compile_rule(agreement.criteria_of(DEFAULT_PRODUCT))
    return Ruling(agreement.agreement.id, agreement.agreement.version, agreement, rule)


def card_of(kept: KeptModel) -> ModelCard | None:
    """The card of a kept model, or None when it is not one we can serve."""
    try:
        return ModelCard.model_validate_json(kept.card)
    except ValidationError:
        log.error("model_card_unreadable", model_id=str(kept.model_id))
        return None


async def _shadow_models(tx: ReadTx, ruling: Ruling) -> tuple[Model, ...]:
    """The newest challengers with a readable card, without the champion: they are recorded and decide nothing."""
    champion = None if ruling.model is None else ruling.model.model_id
    kept = [each for each in await terms.newest_models(tx, most=SHADOWS_MOST) if each.model_id != champion]
    cards = [(each.model_id, card_of(each)) for each in kept]
    return tuple(Model(model_id, card) for model_id, card in cards if card is not None)
