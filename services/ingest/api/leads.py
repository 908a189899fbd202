"""Leads by HTTP: list, search, one, make, change, merge, split, consent. A merged id answers with its root."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from services.ingest.api.parts import Parts, PartsOf
from services.ingest.domain.keys import Key, KeyKind, email_of
from services.ingest.domain.observation import Company, ConsentClaim, Person
from services.ingest.store import accounts, identity, reads
from services.ingest.usecases import leads as usecases
from shared.contracts.kinds import Consent, ConsentPurpose
from shared.db.engine import ReadTx, Tx, reading, transaction
from shared.errors import FieldError, NotFound, Refused
from shared.web.app_factory import Answered, Asked
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, command, if_match
from shared.web.pages import PAGE_DEFAULT, Limit, cursor_of, moment_in, read_place
from shared.web.times import Moment

__all__ = ["LeadShown", "router", "shown"]

router = APIRouter(prefix="/v1/leads", tags=["leads"])
Reader = Annotated[Principal, Depends(requires("leads:read"))]
Writer = Annotated[Principal, Depends(requires("leads:write"))]
_TEXT_MAX = 2_000


class External(Asked):
    """An id in another system."""

    system: str = Field(min_length=1, max_length=64)
    id: str = Field(min_length=1, max_length=256)


class ConsentAsked(Asked):
    """A statement about one purpose; is_own_act = the person himself said it, and the wording proves it."""

    purpose: ConsentPurpose = Field(strict=False)
    consent: Consent = Field(strict=False)
    is_own_act: bool = False
    wording: str | None = Field(None, max_length=_TEXT_MAX)
    at: Moment | None = Field(None, strict=False)

    def claim(self) -> ConsentClaim:
        """The statement as the domain knows it."""
        return ConsentClaim(self.purpose.value, self.consent.value, self.is_own_act, self.wording, self.at)


class _Fields(Asked):
    """The profile fields that may be written; score, stage, owner and clocks are moved by commands alone."""

    name: str | None = Field(None, max_length=_TEXT_MAX)
    title: str | None = Field(None, max_length=_TEXT_MAX)
    company: str | None = Field(None, max_length=_TEXT_MAX)
    department: str | None = Field(None, max_length=64)
    country: str | None = Field(None, max_length=64)
    language: str | None = Field(None, max_length=16)
    time_zone: str | None = Field(None, max_length=64)
    email: str | None = Field(None, max_length=254)
    phone: str | None = Field(None, max_length=32)
    note: str | None = Field(None, max_length=_TEXT_MAX)


_PROFILE = tuple(_Fields.model_fields)


class LeadAsked(_Fields):
    """A new lead; one whose identifiers are known is that lead."""

    user_id: str | None = Field(None, max_length=256)
    external: External | None = None
    company_domain: str | None = Field(None, max_length=254)
    industry: str | None = Field(None, max_length=128)
    employees: int | None = Field(None, ge=1)
    is_target: bool | None = None
    entry_channel: str | None = Field(None, max_length=32)
    consents: list[ConsentAsked] = Field(default_factory=list, max_length=8)


class LeadPatch(_Fields):
    """A merge patch of profile fields."""


class MergeAsked(Asked):
    """Into which person the lead is merged."""

    into_lead_id: UUID = Field(strict=False)


class ExternalShown(Answered):
    """An id in another system."""

    system: str
    id: str


class LeadShown(Answered):
    """One person: the root of its tree and what is known of all members together."""

    id: UUID
    merged_into: UUID | None = Field(None, description="set when the asked id is a member of this root")
    members: list[UUID]
    is_known: bool
    account_id: UUID | None
    account_name: str | None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    title: str | None = None
    company: str | None = None
    department: str | None = None
    country: str | None = None
    language: str | None = None
    time_zone: str | None = None
    note: str | None = None
    title_level: str | None
    mail_domain_kind: str | None
    entry_channel: str | None
    traffic_source: str | None
    medium: str | None
    campaign: str | None
    first_referrer: str | None
    first_page: str | None
    consents: dict[str, str]
    external: list[ExternalShown]
    created_at: datetime
    updated_at: datetime
    version: str


class LeadPage(Answered):
    """One page of leads; `next` is the cursor behind it."""

    leads: list[LeadShown]
    next: str | None = None


@router.get("")
async def list_leads(
    _: Reader,
    parts: PartsOf,
    response: Response,
    request: Request,
    *,
    q: Annotated[str | None, Query(max_length=200, description="part of a name, address or company")] = None,
    email: Annotated[str | None, Query(max_length=254)] = None,
    external: Annotated[str | None, Query(max_length=330, description="system:id")] = None,
    updated_since: Annotated[Moment | None, Query(description="inclusive; read with 5 min overlap")] = None,
    cursor: str | None = None,
    limit: Limit = PAGE_DEFAULT,
) -> LeadPage:
    """Persons in a stable order; a merged or erased one is absent."""
    after = read_place(cursor, moment_in, UUID)
    async with reading(parts.database) as tx:
        ids = await _by_identifier(tx, parts, email=email, external=external)
        found = await reads.find_people(
            tx,
            q=q,
            ids=ids,
            updated_since=updated_since,
            after=after,
            limit=limit + 1,
        )
        page = await shown(tx, [one.id for one in found[:limit]])
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        moment = last.updated_at if updated_since is not None else last.created_at
        following = cursor_of(moment.isoformat(), last.id)
        url = request.url.include_query_params(cursor=following)
        response.headers["link"] = f'<{url.path}?{url.query}>; rel="next"'
    return LeadPage(leads=page, next=following)


@router.get("/{lead_id}")
async def get_lead(_: Reader, parts: PartsOf, lead_id: UUID, request: Request, response: Response) -> Any:  # noqa: ANN401
    """One person; 304 while the version that If-None-Match names is current."""
    async with reading(parts.database) as tx:
        lead = await _one(tx, lead_id)
    etag = f'"{lead.version}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"etag": etag})
    response.headers["etag"] = etag
    return lead


@router.post("", status_code=201)
async def post_lead(principal: Writer, parts: PartsOf, request: Request, asked: LeadAsked) -> Response:
    """Make a lead by hand; 200 with the person when its identifiers are known."""

    async def run(tx: Tx) -> Answer:
        root_id, is_new = await usecases.create_lead(
            tx,
            person=Person(
                user_id=asked.user_id,
                email=asked.email,
                phone=asked.phone,
                external=None if asked.external is None else (asked.external.system, asked.external.id),
            ),
            traits=_stated(asked),
            company=Company(
                name=asked.company,
                domain=asked.company_domain,
                industry=asked.industry,
                employees=asked.employees,
                is_target=asked.is_target,
            ),
            consents=tuple(one.claim() for one in asked.consents),
            entry_channel=asked.entry_channel,
            by=_by(principal),
            hashed=parts.hashed,
        )
        return await _answer(tx, root_id, status=201 if is_new else 200)

    return await command(request, parts.database, principal, run)


@router.patch("/{lead_id}")
async def change_lead(
    principal: Writer, parts: PartsOf, request: Request, response: Response, lead_id: UUID, asked: LeadPatch
) -> LeadShown:
    """Change profile fields. If-Match names the version that was read."""
    seen = if_match(request)
    async with transaction(parts.database, "command") as tx:
        await usecases.patch_lead(tx, lead_id, fields=_stated(asked), seen=seen, by=_by(principal), hashed=parts.hashed)
        lead = await _one(tx, lead_id)
    response.headers["etag"] = f'"{lead.version}"'
    return lead


@router.post("/{lead_id}/merge")
async def merge(principal: Writer, parts: PartsOf, request: Request, lead_id: UUID, asked: MergeAsked) -> Response:
    """Join the person of this lead to another; facts stay with their members, so a split undoes it."""

    async def run(tx: Tx) -> Answer:
        root_id = await usecases.merge_leads(
            tx, lead_id, into_lead_id=asked.into_lead_id, by=_by(principal), hashed=parts.hashed
        )
        return await _answer(tx, root_id)

    return await command(request, parts.database, principal, run)


@router.post("/{lead_id}/split")
async def split(principal: Writer, parts: PartsOf, request: Request, lead_id: UUID) -> Response:
    """Take this member out of its person again."""

    async def run(tx: Tx) -> Answer:
        return await _answer(tx, await usecases.split_lead(tx, lead_id, by=_by(principal), hashed=parts.hashed))

    return await command(request, parts.database, principal, run)


@router.post("/{lead_id}/consents")
async def consents(principal: Writer, parts: PartsOf, request: Request, lead_id: UUID, asked: ConsentAsked) -> Response:
    """Record a statement about one purpose."""

    async def run(tx: Tx) -> Answer:
        root_id = await usecases.state_consent(tx, lead_id, asked.claim(), by=_by(principal), hashed=parts.hashed)
        return await _answer(tx, root_id)

    return await command(request, parts.database, principal, run)


async def shown(tx: ReadTx, root_ids: list[UUID], *, asked: UUID | None = None) -> list[LeadShown]:
    """These roots as people see them, in the given order."""
    people = await reads.show_people(tx, root_ids)
    rows = await accounts.accounts(tx, {one.root.account_id for one in people.values() if one.root.account_id})
    found = []
    for root_id in root_ids:
        person = people.get(root_id)
        if person is None:
            continue
        account = rows.get(person.root.account_id) if person.root.account_id else None
        found.append(
            LeadShown(
                id=root_id,
                merged_into=root_id if asked is not None and asked != root_id else None,
                members=list(person.members),
                is_known=person.root.is_known,
                account_id=person.root.account_id,
                account_name=None if account is None else account.name or account.domain,
                title_level=person.root.title_level,
                mail_domain_kind=person.root.mail_domain_kind,
                consents=person.consents,
                external=[ExternalShown(system=system, id=one) for system, one in person.external],
                created_at=person.root.created_at,
                updated_at=person.root.updated_at,
                version=person.version,
                **person.origin,
                **person.fields,
            )
        )
    return found


async def _one(tx: ReadTx, lead_id: UUID) -> LeadShown:
    roots = await reads.roots_of(tx, [lead_id])
    if lead_id not in roots:
        raise NotFound("There is no lead with this id.")
    return (await shown(tx, [roots[lead_id]], asked=lead_id))[0]


async def _answer(tx: Tx, root_id: UUID, *, status: int = 200) -> Answer:
    lead = await _one(tx, root_id)
    return Answer(status, lead, {"location": f"/v1/leads/{root_id}", "etag": f'"{lead.version}"'})


async def _by_identifier(tx: ReadTx, parts: Parts, *, email: str | None, external: str | None) -> list[UUID] | None:
    """The leads that own the given identifiers; None when none was given."""
    keys = []
    if email is not None:
        keys.append(Key(KeyKind.EMAIL, email_of(email) or ""))
    if external is not None:
        system, separator, one = external.partition(":")
        if not separator:
            raise Refused("Write external as system:id.", errors=[FieldError("query:external", "form", "system:id")])
        keys.append(Key(KeyKind.CRM, f"{system.lower()}\x1f{one}"))
    if not keys:
        return None
    return list((await identity.find_owners(tx, [parts.hashed.of(key) for key in keys])).values())


def _stated(asked: _Fields) -> dict[str, str]:
    return {name: value for name in _PROFILE if (value := getattr(asked, name)) is not None}


def _by(principal: Principal) -> str:
    return f"{principal.kind}:{principal.id}"
