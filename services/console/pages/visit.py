"""One visit of a signed-in person: who, with what rights, and the parts every page is drawn from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from services.console.commands.owners import Owners
from services.console.commands.profiles import Profiles
from services.console.domain.agreement import in_force
from services.console.domain.records import AgreementRow, UserRow
from services.console.domain.rights import Role, Viewer, may_open
from services.console.domain.words import label
from services.console.pages.rendering import Bands, Drawing, World, draw, zone_of
from services.console.settings import Settings
from services.console.store import changes, pages, people
from services.console.usecases.people import Session
from shared import clock
from shared.config import Environment
from shared.db.engine import Database, ReadTx
from shared.errors import Forbidden
from shared.web.auth import Principal, requires

__all__ = ["Visit", "Visiting", "answer", "frame", "must_open", "reason_choices", "visit_of"]


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of a signed-in person."""

    request: Request
    session: Session
    principal: Principal
    settings: Settings
    database: Database
    owners: Owners
    profiles: Profiles

    @property
    def user(self) -> UserRow:
        """Who is signed in."""
        return self.session.user

    @property
    def viewer(self) -> Viewer:
        """What the row rules need of the user."""
        return Viewer(self.user.user_id, Role(self.user.role), self.user.team_id)

    @property
    def is_fragment(self) -> bool:
        """Whether htmx asks, which wants a part of a page."""
        return self.request.headers.get("hx-request") == "true"


async def visit_of(request: Request, principal: Annotated[Principal, Depends(requires("any"))]) -> Visit:
    """The visit of a request. Raises Forbidden for keys and services: pages are for people."""
    session: Session | None = getattr(request.state, "session", None)
    if session is None:
        raise Forbidden("Pages are for people who signed in; keys use /v1.")
    state = request.app.state
    return Visit(request, session, principal, state.settings, state.database, state.owners, state.profiles)


Visiting = Annotated[Visit, Depends(visit_of)]


def must_open(visit: Visit, page: str) -> None:
    """Raise Forbidden unless the visitor's role has this page."""
    if not may_open(page, Role(visit.user.role)):
        raise Forbidden("Your role does not have this page. An administrator can give you a role that has it.")


def world_of(visit: Visit, tx: ReadTx) -> World:
    """World time of a transaction as this visitor's page needs it."""
    moving = clock.world_clock()
    return World(
        now=tx.now,
        speed=moving.speed if moving else 1.0,
        zone=zone_of(visit.user.time_zone),
        is_demo=visit.settings.environment is Environment.DEMO,
    )


async def frame(visit: Visit, tx: ReadTx, lead_ids: Iterable[UUID] = ()) -> Drawing:
    """What every page shares, with the names of these leads."""
    agreement = in_force(await pages.agreements(tx), now=tx.now)
    return Drawing(
        user=visit.user,
        csrf=visit.session.csrf,
        world=world_of(visit, tx),
        users=await people.users(tx),
        profiles=await visit.profiles.of(lead_ids),
        bands=Bands(
            consent_unanswered=await _is_consent_open(visit),
            unsigned_default=agreement is not None and agreement.is_unsigned_default,
        ),
        badges={"queue": await pages.waiting_count(tx, visit.user.user_id)},
    )


async def _is_consent_open(visit: Visit) -> bool:
    found = await visit.owners.consent_default(principal=visit.principal)
    return found is not None and not found.get("is_answered")


async def stream_address(tx: ReadTx, page: str, **more: object) -> str:
    """Where this page's stream is, from the newest change now.

    Asked before the page's rows are read: a reading transaction sees each statement's own moment, so a number read
    after the rows would skip what changed in between.
    """
    number = await changes.current_number(tx)
    rest = "".join(f"&{name}={value}" for name, value in more.items() if value)
    return f"/stream?page={page}&since={number}{rest}"


def answer(template: str, drawing: Drawing, /, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401
    """An HTML answer."""
    return HTMLResponse(draw(template, drawing, **values), status_code=status)


def reason_choices(agreement: AgreementRow | None) -> dict[str, list[dict[str, str]]]:
    """The agreed reasons as choices of a form: code, title, where it leads."""
    from_document = agreement.document.get("reasons", {}) if agreement else {}
    return {group: _in_order(from_document.get(group) or {}) for group in ("reject", "recycle", "lost", "pause")}


def _in_order(codes: Any) -> list[dict[str, str]]:  # noqa: ANN401  # part of the document
    """By title, since the stored document keeps no order; what is anything else comes last."""
    return sorted(_choices(codes), key=lambda choice: (choice["code"] == "other", choice["title"]))


def _needs(route: Any) -> str:  # noqa: ANN401  # part of the document
    """What else a reason asks for, as the form's script-free rules read it."""
    needs = route.get("needs") if isinstance(route, dict) else None
    return needs if isinstance(needs, str) else " ".join(needs or ())


def _choices(codes: Any) -> list[dict[str, str]]:  # noqa: ANN401  # part of the document
    pairs = codes.items() if isinstance(codes, dict) else ((code, "") for code in codes)
    return [
        {
            "code": str(code),
            "title": label("reason", code),
            "leads_to": label("route", route.get("route", "") if isinstance(route, dict) else route) if route else "",
            "needs": _needs(route),
        }
        for code, route in pairs
    ]
