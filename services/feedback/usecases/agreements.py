"""The verbs of the agreement: ship the default, draft, edit, check, sign, publish, activate."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from services.feedback.domain.agreement import lifecycle
from services.feedback.domain.agreement.checks import Classified, Problem, problems_of, problems_of_examples
from services.feedback.domain.agreement.lifecycle import Draft, Refusal
from services.feedback.store import agreements
from services.feedback.store.agreements import AgreementRow, DraftRow
from services.feedback.usecases import SOURCE
from shared.contracts.agreement import Agreement, canonical_json, default_agreement, sha256_of
from shared.contracts.agreements import AgreementPublished, Signature
from shared.contracts.envelope import Event
from shared.db.engine import ReadTx, Tx
from shared.errors import FieldError, NotFound, PreconditionFailed, Refused, Stale
from shared.ids import derived_id, new_id
from shared.stream.outbox import emit
from shared.telemetry import announce, log

# Parsed documents by their text: a version never changes, so this never goes stale.
DOCUMENTS_KEPT = 32


async def keep_current(tx: Tx) -> None:
    """Publish the shipped default if nothing ever was, and activate the version whose date has come."""
    if await agreements.newest_version(tx) == 0:
        await _publish_default(tx)
    due = await agreements.due_version(tx)
    if due is not None and due != await agreements.active_version(tx):
        await announce("active:before_switch")
        if await agreements.activate(tx, due):
            log.info("agreement_activated", version=due)
        await announce("active:after_switch")


async def active_agreement(tx: ReadTx) -> Agreement:
    """The agreement feedback decides by; the shipped default before the first activation."""
    version = await agreements.active_version(tx)
    return default_agreement() if version is None else await agreement_of(tx, version)


async def agreement_of(tx: ReadTx, version: int) -> Agreement:
    """A published version; the shipped default while an event is ahead of its agreement."""
    row = await agreements.version_of(tx, version)
    return default_agreement() if row is None else read_document(row.document)


@lru_cache(maxsize=DOCUMENTS_KEPT)
def read_document(document: str) -> Agreement:
    """A stored canonical document as the model."""
    return Agreement.model_validate_json(document)


async def make_draft(tx: Tx, *, agreement: Agreement | None, made_by: str) -> DraftRow:
    """A new draft: of the given document, or of the active version."""
    begun = agreement or await active_agreement(tx)
    draft = Draft(draft_id=new_id(), agreement_id=begun.agreement.id, edition=1, document=canonical_json(begun))
    row = DraftRow(draft=draft, findings=(), made_by=made_by, changed_at=tx.now)
    await agreements.save_draft(tx, row)
    return row


async def edit_draft(tx: Tx, draft_id: UUID, agreement: Agreement, *, edition_seen: str) -> DraftRow:
    """The draft with another document; its check and signatures are gone."""
    row = await _locked(tx, draft_id)
    if edition_seen not in {str(row.draft.edition), "*"}:
        raise PreconditionFailed(f"The draft is at edition {row.draft.edition}; read it again and send its ETag.")
    return await _saved(tx, row, lifecycle.edit(row.draft, agreement), findings=())


async def finish_check(
    tx: Tx, draft_id: UUID, *, sha256: str, classified: Sequence[Classified], known_reps: Collection[UUID]
) -> tuple[DraftRow, tuple[Problem, ...]]:
    """Keep what the check of a document found; the draft is checked if nothing was and nobody edited it meanwhile."""
    row = await _locked(tx, draft_id)
    agreement = read_document(row.draft.document)
    problems = (*problems_of(agreement, known_reps=known_reps), *problems_of_examples(classified))
    findings = tuple({"pointer": each.pointer, "code": each.code, "message": each.message} for each in problems)
    if problems:
        kept = replace(row, findings=findings, changed_at=tx.now)
        await agreements.save_draft(tx, kept)
        return kept, problems
    return await _saved(tx, row, lifecycle.mark_checked(row.draft, sha256=sha256), findings=()), ()


async def sign_draft(tx: Tx, draft_id: UUID, *, user_id: UUID, team: str, role: str) -> DraftRow:
    """The draft with this person's signature for their team."""
    row = await _locked(tx, draft_id)
    signed = lifecycle.sign(row.draft, user_id=user_id, team=team, role=role, now=tx.now)
    return await _saved(tx, row, signed, findings=row.findings)


async def publish_draft(tx: Tx, draft_id: UUID, *, effective_from: datetime | None) -> DraftRow:
    """Publish a draft signed by both as the next version, decisive from the given moment or from now."""
    await agreements.lock_publishing(tx)
    row = await _locked(tx, draft_id)
    version = await agreements.newest_version(tx) + 1
    published = lifecycle.publish(row.draft, version=version, effective_from=effective_from or tx.now, now=tx.now)
    saved = await _saved(tx, row, published, findings=row.findings)
    draft = saved.draft
    agreement = read_document(draft.document)
    await _add_version(
        tx,
        AgreementRow(
            agreement_id=draft.agreement_id,
            version=version,
            effective_from=agreement.agreement.effective_from,
            document=draft.document,
            sha256=draft.sha256,
            signatures=draft.signatures,
            is_unsigned_default=False,
            published_at=tx.now,
        ),
    )
    return saved


async def _publish_default(tx: Tx) -> None:
    """The shipped default as version 1, unsigned; from its own date, or from now where the world is not there yet."""
    await agreements.lock_publishing(tx)
    default = default_agreement()
    effective_from = min(default.agreement.effective_from, tx.now)
    identity = default.agreement.model_copy(update={"effective_from": effective_from})
    document = canonical_json(default.model_copy(update={"agreement": identity}))
    await _add_version(
        tx,
        AgreementRow(
            agreement_id=identity.id,
            version=identity.version,
            effective_from=effective_from,
            document=document,
            sha256=sha256_of(document),
            signatures=(),
            is_unsigned_default=True,
            published_at=tx.now,
        ),
    )


async def _add_version(tx: Tx, row: AgreementRow) -> None:
    if not await agreements.add_version(tx, row):
        return
    told = AgreementPublished(
        agreement_id=row.agreement_id,
        version=row.version,
        effective_from=row.effective_from,
        document=row.document,
        sha256=row.sha256,
        signatures=[
            Signature(user_id=each.user_id, team=each.team, signed_at=each.signed_at) for each in row.signatures
        ],
        is_unsigned_default=row.is_unsigned_default,
    )
    event_id = derived_id(SOURCE, AgreementPublished.TYPE, row.agreement_id, row.version)
    emit(tx, Event.first(told, source=SOURCE, occurred_at=tx.now, recorded_at=tx.now, id=event_id))
    log.info("agreement_published", version=row.version, is_unsigned_default=row.is_unsigned_default)


async def _locked(tx: Tx, draft_id: UUID) -> DraftRow:
    row = await agreements.lock_draft(tx, draft_id)
    if row is None:
        raise NotFound("There is no such draft; list them with GET /v1/drafts.")
    return row


async def _saved(tx: Tx, row: DraftRow, after: Draft | Refusal, *, findings: Sequence[object]) -> DraftRow:
    """Store the draft after a step, or refuse as the life cycle did."""
    if isinstance(after, Refusal):
        if after.code == "edited_meanwhile":
            raise Stale(after.message, current={"edition": row.draft.edition})
        raise Refused(after.message, errors=[FieldError("", after.code, after.message)], slug=f"draft_{after.code}")
    kept = DraftRow(draft=after, findings=() if not findings else row.findings, made_by=row.made_by, changed_at=tx.now)
    await agreements.save_draft(tx, kept)
    return kept
