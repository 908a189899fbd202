"""What Sales and CRMs report: deals by version, single outcomes. Each change appends one and supersedes the last."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Literal
from uuid import UUID

from services.feedback.domain.attribution import MODELS, Credit, credits_of, touchpoints
from services.feedback.domain.disposition import Result, outcome_of_result
from services.feedback.store import loop, money, outcomes, people
from services.feedback.store.outcomes import OpportunityRow, OutcomeRow
from services.feedback.usecases import SOURCE
from services.feedback.usecases.handoffs import is_contradicted, recorded
from shared.contracts.envelope import Event, canonical
from shared.contracts.outcomes import OpportunityChanged
from shared.db.engine import ReadTx, Tx
from shared.errors import FieldError, NotFound, Refused, Stale
from shared.ids import derived_id
from shared.stream.outbox import emit

# Deals credited again per round of the periodic use case; the rest wait for the next one.
CREDITS_AT_ONCE = 50
Verdict = Literal["created", "changed", "repeated", "old"]


@dataclass(frozen=True, slots=True)
class Reported:
    """One state of a deal as its system reports it; versions of one deal grow."""

    system: str
    external_id: str
    lead_id: UUID
    result: Result
    occurred_at: datetime
    object_version: int | None
    handoff_id: UUID | None = None
    account_id: UUID | None = None
    crm_status: str = ""
    reason_code: str = ""
    amount_minor: int | None = None
    currency: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def body_sha256(self) -> str:
        """Hash of what is reported: the same version with another body is a mistake of the sender's."""
        told = [
            self.lead_id, self.result, self.occurred_at.isoformat(), self.handoff_id, self.account_id, self.crm_status,
            self.reason_code, self.amount_minor, self.currency, sorted(self.tags),
        ]  # fmt: skip
        return sha256(canonical([None if each is None else str(each) for each in told])).hexdigest()


async def record_opportunity(tx: Tx, reported: Reported) -> tuple[OpportunityRow, Verdict]:
    """Take one report: a higher version changes the deal and appends an outcome, another changes nothing.

    Raises Stale when the same version comes with another body, Refused for a moment in the future.
    """
    if reported.occurred_at > tx.now:
        raise Refused(
            "It cannot have happened yet; send when it happened.",
            errors=[FieldError("/occurred_at", "future", "must not lie in the future")],
        )
    await people.make_leads(tx, [reported.lead_id])
    await people.lock_trees(tx, [reported.lead_id])
    before = await outcomes.lock_opportunity(tx, reported.system, reported.external_id)
    version = _version(reported, before)
    if before is not None and version <= before.object_version:
        if version == before.object_version and reported.body_sha256 != before.body_sha256:
            raise Stale(
                f"Version {version} of this deal was reported with another body; send a higher version.",
                current={"object_version": before.object_version},
            )
        return before, "repeated" if version == before.object_version else "old"
    row = await _changed(tx, reported, before, version=version)
    await credit(tx, row)
    return row, "created" if before is None else "changed"


async def record_churn(tx: Tx, reported: Reported) -> OutcomeRow:
    """A won customer is gone: an outcome of its own, which takes no win back."""
    await people.make_leads(tx, [reported.lead_id])
    row = _outcome(
        reported,
        derived_id(SOURCE, "outcome", reported.system, reported.external_id, "churned"),
        what="churned",
        handoff_id=reported.handoff_id or await loop.handoff_of(tx, reported.lead_id, at=reported.occurred_at),
        recorded_at=tx.now,
    )
    if await outcomes.add_outcome(tx, row):
        emit(tx, Event.first(recorded(row), source=SOURCE, occurred_at=row.occurred_at, recorded_at=tx.now))
    return row


async def credit_due(tx: Tx) -> None:
    """Credit again the deals whose person's touches or tree changed."""
    for opportunity_id in await money.take_credit_due(tx, most=CREDITS_AT_ONCE):
        row = await outcomes.lock_opportunity_by_id(tx, opportunity_id)
        if row is not None:
            await credit(tx, row)


async def credit(tx: Tx, row: OpportunityRow) -> None:
    """Store the credits of a deal under every model; each model's sum is the amount."""
    await money.replace_credits(tx, row.opportunity_id, await credits_now(tx, row))


async def credits_now(tx: ReadTx, row: OpportunityRow) -> Mapping[str, tuple[Credit, ...]]:
    """Credits of a deal by model, from the touches of its person's whole tree up to its opening."""
    members = await people.members_of(tx, [row.lead_id])
    points = touchpoints(await loop.touches_of(tx, members, until=row.opened_at), until=row.opened_at)
    return {model: credits_of(row.amount_minor or 0, points, model) for model in MODELS}


def _version(reported: Reported, before: OpportunityRow | None) -> int:
    """The version reported; without one, the next, unless nothing changed."""
    if reported.object_version is not None:
        return reported.object_version
    if before is None:
        return 1
    return before.object_version if before.body_sha256 == reported.body_sha256 else before.object_version + 1


async def _changed(tx: Tx, reported: Reported, before: OpportunityRow | None, *, version: int) -> OpportunityRow:
    """Append the outcome of this version, supersede the one before, store the deal, and tell handoff."""
    opportunity_id = derived_id(SOURCE, "opportunity", reported.system, reported.external_id)
    is_same_person = before is not None and before.lead_id in await people.members_of(tx, [reported.lead_id])
    handoff_id = (
        reported.handoff_id
        or (before.handoff_id if before is not None and is_same_person else None)
        or await loop.handoff_of(tx, reported.lead_id, at=reported.occurred_at)
    )
    what = outcome_of_result(reported.result)
    superseded = None if before is None else before.outcome_id
    outcome = replace(
        _outcome(
            reported,
            derived_id(SOURCE, "outcome", opportunity_id, version),
            what=what,
            handoff_id=handoff_id,
            recorded_at=tx.now,
        ),
        object=reported.external_id,
        object_version=version,
        supersedes=superseded,
        is_conflict=await is_contradicted(tx, handoff_id, what, superseded=superseded),
    )
    await outcomes.add_outcome(tx, outcome)
    row = OpportunityRow(
        opportunity_id=opportunity_id,
        system=reported.system,
        external_id=reported.external_id,
        lead_id=reported.lead_id,
        account_id=reported.account_id,
        handoff_id=handoff_id,
        crm_status=reported.crm_status or reported.result,
        result=reported.result,
        reason_code=reported.reason_code,
        amount_minor=reported.amount_minor,
        currency=reported.currency,
        opened_at=reported.occurred_at if before is None else min(before.opened_at, reported.occurred_at),
        occurred_at=reported.occurred_at,
        recorded_at=tx.now,
        object_version=version,
        body_sha256=reported.body_sha256,
        outcome_id=outcome.outcome_id,
    )
    await outcomes.save_opportunity(tx, row)
    told = Event.first(recorded(outcome), source=SOURCE, occurred_at=row.occurred_at, recorded_at=tx.now)
    emit(tx, told)
    emit(tx, Event.caused(_told(row), by=told, source=SOURCE, recorded_at=tx.now))
    return row


def _outcome(
    reported: Reported, outcome_id: UUID, *, what: str, handoff_id: UUID | None, recorded_at: datetime
) -> OutcomeRow:
    """What is reported as an outcome of its own, of no version of a deal yet."""
    return OutcomeRow(
        outcome_id=outcome_id,
        lead_id=reported.lead_id,
        handoff_id=handoff_id,
        what=what,
        reason_code=reported.reason_code,
        amount_minor=reported.amount_minor,
        currency=reported.currency,
        occurred_at=reported.occurred_at,
        recorded_at=recorded_at,
        source=reported.system,
        tags=reported.tags,
    )


def _told(row: OpportunityRow) -> OpportunityChanged:
    return OpportunityChanged(
        opportunity_id=row.opportunity_id,
        lead_id=row.lead_id,
        account_id=row.account_id,
        system=row.system,
        external_id=row.external_id,
        crm_status=row.crm_status,
        result=row.result,
        reason_code=row.reason_code or None,
        amount_minor=row.amount_minor,
        currency=row.currency,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        object_version=row.object_version,
    )


async def opportunity_or_missing(tx: ReadTx, system: str, external_id: str) -> OpportunityRow:
    """A deal by its id in its CRM. Raises NotFound."""
    row = await outcomes.opportunity_of(tx, system, external_id)
    if row is None:
        raise NotFound("There is no deal with this id of this system; report it with PUT on the same address.")
    return row
