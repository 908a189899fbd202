"""Agreements and models as they are published and switched: kept when they arrive, active by generation.

New terms start a rescan: the loop scores every lead again under them, in id order, so that nobody keeps an old number.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from services.scoring.store import terms
from services.scoring.store.terms import AGREEMENT_SLOT, MODEL_SLOT
from services.scoring.usecases.ruling import Terms
from shared.contracts.agreement import load_agreement
from shared.contracts.agreements import AgreementPublished
from shared.contracts.models import ModelPromoted, ModelPublished
from shared.db.engine import Tx
from shared.stream.handlers import ParkError
from shared.telemetry import announce, log

__all__ = ["activate_due_agreement", "keep_agreements", "keep_models"]


async def keep_agreements(tx: Tx, received: Sequence[Any]) -> None:
    """Keep published versions and switch to what is effective. Parks a document that is not an agreement."""
    for event in received:
        published: AgreementPublished = event.payload
        try:
            load_agreement(published.document)
        except ValidationError as error:
            raise ParkError(f"The document is no agreement: {error.error_count()} errors.", "agreement") from error
        await terms.keep_agreement(
            tx,
            published.agreement_id,
            published.version,
            effective_from=published.effective_from,
            sha256=published.sha256,
            document=published.document,
        )
    await activate_due_agreement(tx)


async def activate_due_agreement(tx: Tx) -> None:
    """Switch to the newest version that is effective now; does nothing when it is active already."""
    due = await terms.due_agreements(tx)
    if due is None:
        return
    agreement_id, version = due
    before = await Terms().ruling(tx)
    await announce("active:before_switch")
    if await terms.activate(tx, AGREEMENT_SLOT, version, ref=agreement_id, version=version):
        after = await Terms().ruling(tx)
        log.info("agreement_activated", agreement_id=agreement_id, version=version)
        if (before.rule.criteria, before.agreement.sla) != (after.rule.criteria, after.agreement.sla):
            await terms.start_rescan(tx)
    await announce("active:after_switch")


async def keep_models(tx: Tx, received: Sequence[Any]) -> None:
    """Keep published models; promote and roll back by generation."""
    for event in received:
        payload = event.payload
        if isinstance(payload, ModelPublished):
            await terms.keep_model(
                tx,
                payload.model_id,
                slot=payload.slot,
                family=payload.family,
                card=payload.card,
                trained_as_of=payload.trained_as_of,
            )
        elif isinstance(payload, ModelPromoted):  # a roll-back is the promotion of the former one
            is_switched = await terms.activate(
                tx,
                MODEL_SLOT + payload.slot,
                payload.generation,
                ref=str(payload.model_id),
                p_threshold=payload.p_threshold,
            )
            if is_switched:
                log.info("model_activated", model_id=str(payload.model_id), generation=payload.generation)
                await terms.start_rescan(tx)
