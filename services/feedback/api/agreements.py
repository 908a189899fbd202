"""The agreement over HTTP: versions as people read them, drafts, check, sign, publish."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import orjson
import yaml
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, ValidationError

from services.feedback.api.asking import classify, known_reps_of
from services.feedback.api.parts import handoff_of, person_of, scoring_of, team_of
from services.feedback.domain.agreement.checks import Problem
from services.feedback.domain.agreement.lifecycle import Stage
from services.feedback.domain.agreement.reading import changes, sections
from services.feedback.store import agreements
from services.feedback.store.agreements import AgreementRow, DraftRow
from services.feedback.usecases.agreements import (
    active_agreement,
    edit_draft,
    finish_check,
    make_draft,
    publish_draft,
    read_document,
    sign_draft,
)
from shared.contracts.agreement import Agreement, load_agreement
from shared.db.engine import ReadTx, Tx, reading, transaction
from shared.errors import FieldError, NotFound, Refused, Unreadable
from shared.web.app_factory import Asked, DatabaseOf
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, command, etag_of, if_match
from shared.web.service_client import ServiceClient
from shared.web.times import Moment

router = APIRouter()
Reader = Annotated[Principal, Depends(requires("agreements:read"))]
Drafter = Annotated[Principal, Depends(requires("agreements:draft"))]
Signer = Annotated[Principal, Depends(requires("agreements:sign"))]
Scoring = Annotated[ServiceClient, Depends(scoring_of)]

Handoff = Annotated[ServiceClient, Depends(handoff_of)]

DRAFTS_MOST = 100


class DraftAsked(Asked):
    """A document for a draft: as an object (`document`) or as YAML or JSON text (`text`).

    Neither: the active version.
    """

    document: dict[str, Any] | None = Field(None, description="the whole agreement as an object")
    text: str | None = Field(None, max_length=500_000, description="the whole agreement as YAML or JSON")


class PublishAsked(Asked):
    """From when the version decides."""

    effective_from: Moment | None = Field(None, strict=False, description="default: now")


@router.get("/v1/agreements")
async def get_agreements(_: Reader, database: DatabaseOf) -> dict[str, Any]:
    """All published versions, newest first, and which one is active."""
    async with reading(database) as tx:
        rows = await agreements.versions(tx)
        active = await agreements.active_version(tx)
    return {"active": active, "agreements": [version_json(row, active=active) for row in rows]}


@router.get("/v1/agreements/{version}")
async def get_agreement(version: str, _: Reader, database: DatabaseOf) -> dict[str, Any]:
    """One version (`active`, or its number): the document, its sentences, its signatures."""
    async with reading(database) as tx:
        active = await agreements.active_version(tx)
        row = await _version(tx, version, active=active)
    agreement = read_document(row.document)
    return version_json(row, active=active) | {
        "document": orjson.loads(row.document),
        "sections": [{"name": section.name, "lines": section.lines} for section in sections(agreement)],
    }


@router.get("/v1/agreements/{version}/changes")
async def get_changes(version: int, _: Reader, database: DatabaseOf, since: int | None = None) -> dict[str, Any]:
    """What differs from an earlier version (default: the one before), in sentences."""
    async with reading(database) as tx:
        after = await _version(tx, str(version), active=None)
        before = await _version(tx, str(since or max(1, version - 1)), active=None)
    return {
        "version": after.version,
        "since": before.version,
        "changes": changes_json(read_document(before.document), read_document(after.document)),
    }


@router.get("/v1/drafts")
async def get_drafts(_: Reader, database: DatabaseOf) -> dict[str, Any]:
    """Drafts, last changed first."""
    async with reading(database) as tx:
        rows = await agreements.drafts(tx, most=DRAFTS_MOST)
    return {"drafts": [draft_json(row) for row in rows]}


@router.get("/v1/drafts/{draft_id}")
async def get_draft(draft_id: UUID, response: Response, _: Reader, database: DatabaseOf) -> dict[str, Any]:
    """One draft with its document, its sentences, and what it would change."""
    async with reading(database) as tx:
        row = await agreements.draft_of(tx, draft_id)
        now_active = await active_agreement(tx)
    if row is None:
        raise NotFound("There is no such draft; list them with GET /v1/drafts.")
    response.headers["etag"] = etag_of(row.draft.edition)
    agreement = read_document(row.draft.document)
    return draft_json(row) | {
        "document": orjson.loads(row.draft.document),
        "sections": [{"name": section.name, "lines": section.lines} for section in sections(agreement)],
        "changes": changes_json(now_active, agreement),
    }


@router.post("/v1/drafts", status_code=201)
async def post_draft(asked: DraftAsked, request: Request, principal: Drafter, database: DatabaseOf) -> Response:
    """Begin a draft."""
    agreement = _document(asked)

    async def run(tx: Tx) -> Answer:
        row = await make_draft(tx, agreement=agreement, made_by=f"{principal.kind}:{principal.id}")
        return _answer(row, status=201)

    return await command(request, database, principal, run)


@router.put("/v1/drafts/{draft_id}")
async def put_draft(draft_id: UUID, asked: DraftAsked, request: Request, _: Drafter, database: DatabaseOf) -> Response:
    """Replace the document of a draft: its check and its signatures are gone. Repeat-safe by If-Match."""
    agreement = _document(asked)
    if agreement is None:
        raise Refused("Send the document.", errors=[FieldError("/document", "missing", "the whole agreement")])
    seen = if_match(request)
    async with transaction(database, "command") as tx:
        row = await edit_draft(tx, draft_id, agreement, edition_seen=seen)
    return _json_response(draft_json(row), status=200, etag=etag_of(row.draft.edition))


@router.post("/v1/drafts/{draft_id}/check")
async def post_check(
    draft_id: UUID, request: Request, principal: Drafter, database: DatabaseOf, scoring: Scoring, handoff: Handoff
) -> Response:
    """Check a draft: routes and promises here, the examples by scoring, the members of pools by handoff.

    A clean one may then be signed.
    """
    async with reading(database) as tx:
        row = await agreements.draft_of(tx, draft_id)
    if row is None:
        raise NotFound("There is no such draft; list them with GET /v1/drafts.")
    sha256, document = row.draft.sha256, row.draft.document
    known_reps = await known_reps_of(handoff, read_document(document))
    classified = await classify(scoring, document)

    async def run(tx: Tx) -> Answer:
        kept, problems = await finish_check(tx, draft_id, sha256=sha256, classified=classified, known_reps=known_reps)
        return _answer(kept, status=200, problems=problems)

    return await command(request, database, principal, run)


@router.post("/v1/drafts/{draft_id}/sign")
async def post_sign(draft_id: UUID, request: Request, principal: Signer, database: DatabaseOf) -> Response:
    """Sign a checked draft for one's team; the second team's signature must be another person's."""

    async def run(tx: Tx) -> Answer:
        row = await sign_draft(
            tx, draft_id, user_id=person_of(principal), team=team_of(principal), role=principal.role or ""
        )
        return _answer(row, status=200)

    return await command(request, database, principal, run)


@router.post("/v1/drafts/{draft_id}/publish", status_code=202)
async def post_publish(
    draft_id: UUID, asked: PublishAsked, request: Request, principal: Drafter, database: DatabaseOf
) -> Response:
    """Publish a draft signed by both; services switch at its date."""

    async def run(tx: Tx) -> Answer:
        row = await publish_draft(tx, draft_id, effective_from=asked.effective_from)
        return _answer(row, status=202)

    return await command(request, database, principal, run)


def version_json(row: AgreementRow, *, active: int | None) -> dict[str, Any]:
    """A published version without its document."""
    return {
        "agreement_id": row.agreement_id,
        "version": row.version,
        "effective_from": row.effective_from,
        "published_at": row.published_at,
        "sha256": row.sha256,
        "is_active": row.version == active,
        "is_unsigned_default": row.is_unsigned_default,
        "state": _state(row, active),
        "signatures": [
            {"user_id": each.user_id, "team": each.team, "signed_at": each.signed_at} for each in row.signatures
        ],
    }


def draft_json(row: DraftRow) -> dict[str, Any]:
    """A draft without its document."""
    draft = row.draft
    signed = {each.team for each in draft.signatures}
    return {
        "draft_id": draft.draft_id,
        "agreement_id": draft.agreement_id,
        "edition": draft.edition,
        "stage": draft.stage.value,
        "is_signable": draft.stage in {Stage.CHECKED, Stage.SIGNED_BY_ONE},
        "findings": row.findings,
        "signatures": [
            {"user_id": each.user_id, "team": each.team, "signed_at": each.signed_at} for each in draft.signatures
        ],
        "missing_signatures": [team for team in ("marketing", "sales") if team not in signed],
        "published_version": draft.published_version,
        "made_by": row.made_by,
        "changed_at": row.changed_at,
    }


def changes_json(before: Agreement, after: Agreement) -> list[dict[str, str]]:
    """The readable difference."""
    return [
        {"path": each.path, "before": each.before, "after": each.after, "sentence": each.sentence}
        for each in changes(before, after)
    ]


def _state(row: AgreementRow, active: int | None) -> str:
    if row.version == active:
        return "active"
    return "superseded" if active is not None and row.version < active else "published"


async def _version(tx: ReadTx, named: str, *, active: int | None) -> AgreementRow:
    number = active if named == "active" else int(named) if named.isdigit() and len(named) < 9 else None
    row = None if number is None else await agreements.version_of(tx, number)
    if row is None:
        raise NotFound("There is no such version; list them with GET /v1/agreements.")
    return row


def _document(asked: DraftAsked) -> Agreement | None:
    """The document asked for. Raises Refused with every field that is wrong."""
    try:
        if asked.text is not None:
            return load_agreement(asked.text)
        return None if asked.document is None else Agreement.model_validate(asked.document)
    except yaml.YAMLError as wrong:
        raise Unreadable("The text is neither YAML nor JSON; check its indentation.") from wrong
    except ValidationError as wrong:
        errors = [
            FieldError("/" + "/".join(map(str, each["loc"])), each["type"], each["msg"])
            for each in wrong.errors(include_input=False, include_url=False)
        ]
        raise Refused("The document does not have the shape of an agreement.", errors=errors, slug="schema") from wrong


def _answer(row: DraftRow, *, status: int, problems: Sequence[Problem] = ()) -> Answer:
    body = draft_json(row)
    if problems:
        body["findings"] = [{"pointer": each.pointer, "code": each.code, "message": each.message} for each in problems]
    return Answer(status, body, headers={"etag": etag_of(row.draft.edition)})


def _json_response(body: dict[str, Any], *, status: int, etag: str) -> Response:
    content = orjson.dumps(body, default=str)
    return Response(content, status_code=status, media_type="application/json", headers={"etag": etag})
