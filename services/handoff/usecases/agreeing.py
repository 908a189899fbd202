"""Keeps published agreements and switches to them when their time has come, with their pools and queues."""

from collections.abc import Sequence

from pydantic import ValidationError

from services.handoff.domain.routing import check_policy
from services.handoff.domain.things import QueueName
from services.handoff.store import agreements
from services.handoff.usecases.routing import SERVED_QUEUES, settle
from services.handoff.usecases.work import Cause, begin_work
from services.handoff.usecases.writing import flush
from shared.contracts.agreement import Agreement, sha256_of
from shared.contracts.agreements import AgreementPublished
from shared.contracts.envelope import Event
from shared.db.engine import Tx
from shared.ids import derived_id
from shared.stream.handlers import ParkError
from shared.telemetry import announce, log

__all__ = ["activate_agreement", "take_agreements"]


async def take_agreements(tx: Tx, received: Sequence[Event[AgreementPublished]]) -> None:
    """Store published versions; one that is already in force decides from this moment on."""
    for event in received:
        payload = event.payload
        _check(payload)
        await agreements.keep_agreement(
            tx,
            {
                "agreement_id": payload.agreement_id,
                "version": payload.version,
                "effective_from": payload.effective_from,
                "document": payload.document,
                "sha256": payload.sha256,
                "is_unsigned_default": payload.is_unsigned_default,
                "received_at": tx.now,
            },
        )
    await activate_agreement(tx)


async def activate_agreement(tx: Tx) -> None:
    """Decide by the newest version whose time has come; new pools may take what waits."""
    due = await agreements.due_activation(tx)
    if due is None:
        return
    agreement_id, version, _ = due
    terms = await agreements.terms_of(tx, agreement_id, version)
    await announce("active:before_switch")
    if not await agreements.switch(tx, terms, now=tx.now):
        return
    log.info("agreement_active", agreement_id=agreement_id, version=version)
    work = await begin_work(tx)
    work.is_load_freed = True
    cause = Cause(derived_id("agreement active", agreement_id, version))
    await settle(work, cause=cause, serves=(*SERVED_QUEUES, QueueName.UNROUTED.value))
    await flush(work)
    await announce("active:after_switch")


def _check(payload: AgreementPublished) -> None:
    """Refuse, by parking it, a version that this service could not decide by."""
    if sha256_of(payload.document) != payload.sha256:
        raise ParkError("the document's hash is not the one it was signed with", "agreement_hash")
    try:
        document = Agreement.model_validate_json(payload.document)
    except ValidationError as error:
        raise ParkError(f"the document cannot be read: {error.error_count()} fields are wrong", "agreement") from error
    routing = document.routing.model_dump(mode="json", by_alias=True, exclude_none=True)
    wrong = check_policy(routing)
    if wrong:
        raise ParkError(f"the routing section cannot be asked: {wrong[0]}", "agreement_routing")
