"""What unknown consent means: the answer of the first run, and telling it to all it concerns, in small batches."""

from services.ingest.domain.consent import is_allowed
from services.ingest.store import consents, identity
from services.ingest.store.statements import save_together
from services.ingest.usecases.normalise.consenting import consent_event
from services.ingest.usecases.normalise.draft import SOURCE
from shared.contracts.envelope import Event
from shared.contracts.kinds import Consent
from shared.db.engine import Tx
from shared.errors import PreconditionFailed
from shared.ids import derived_id
from shared.stream.outbox import emit

__all__ = ["LEADS_MAX", "answer_default", "tell_unknown"]

LEADS_MAX = 500  # leads told in one transaction


async def answer_default(tx: Tx, *, scored: bool, seen: str, by: str) -> consents.DefaultRow:
    """Keep the answer. Raises PreconditionFailed when somebody answered since it was read."""
    current = await consents.default(tx, for_update=True)
    if seen not in {str(current.version), "*"}:
        raise PreconditionFailed("Somebody answered meanwhile: read it again, and send the new ETag in If-Match.")
    await consents.answer_default(tx, "scored" if scored else "not_scored", by=by)
    return await consents.default(tx)


async def tell_unknown(tx: Tx) -> None:
    """Tell up to LEADS_MAX leads of unknown consent what that means now; does nothing once all were told."""
    meaning = (await consents.default(tx)).unknown_means
    allowed = is_allowed(Consent.UNKNOWN, meaning)
    waiting = await consents.unknown_leads(tx, is_allowed=allowed, limit=LEADS_MAX)
    if not waiting:
        return
    await identity.lock_trees(tx, waiting)
    found = await consents.consents(tx, waiting)
    rows = [row for row in found.values() if row.told == Consent.UNKNOWN and row.is_allowed != allowed]
    for row in rows:
        row.is_allowed = allowed
        row.version += 1
        event_id = derived_id("lead.consent_changed", row.lead_id, row.purpose, row.version)
        emit(tx, Event.first(consent_event(row), source=SOURCE, occurred_at=tx.now, recorded_at=tx.now, id=event_id))
    await save_together(tx, [consents.changed_consents(rows)])
