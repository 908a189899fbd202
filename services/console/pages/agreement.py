"""The Agreement: the version in force (or a chosen one) as people read it, its signatures, and the consent question."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from services.console.domain.agreement import agreement_page, in_force
from services.console.domain.records import AgreementRow
from services.console.domain.rights import Role
from services.console.pages.rendering import Drawing, keys_of
from services.console.pages.visit import Visiting, answer, frame, must_open
from services.console.store import pages
from shared.db.engine import reading

__all__ = ["router"]

router = APIRouter()
KEYS = keys_of([])


@router.get("/agreement")
async def show_agreement(visit: Visiting, version: int | None = None) -> HTMLResponse:
    """The page."""
    must_open(visit, "agreement")
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
        rows = await pages.agreements(tx)
    chosen = next((row for row in rows if row.version == version), None) or in_force(rows, now=tx.now)
    consent = await visit.owners.consent_default(principal=visit.principal)
    return answer(
        "pages/agreement.html",
        drawing,
        page_title="Agreement",
        page_name="agreement",
        key_sheet=KEYS,
        document=agreement_page(chosen) if chosen else None,
        versions=rows,
        signatures=_signatures(chosen, drawing) if chosen else {},
        consent_text=_consent_text(consent),
        consent_etag=str((consent or {}).get("etag", "")),
        may_answer_consent=visit.viewer.role is Role.ADMIN and consent is not None,
    )


def _signatures(row: AgreementRow, drawing: Drawing) -> dict[str, dict[str, object]]:
    found = {}
    for user_id, team, at in row.signatures:
        name = next((user.display_name for key, user in drawing.users.items() if str(key) == user_id), "a former user")
        found[team] = {"name": name, "at": at}
    return found


def _consent_text(consent: object) -> str:
    if not isinstance(consent, dict):
        return "What unknown consent means is not available now: ingest does not answer."
    if not consent.get("is_answered"):
        return "Nobody has answered yet. Until then a person without a recorded consent is not scored."
    if consent.get("is_allowed"):
        return "A person without a recorded consent is scored where the law allows it."
    return "A person without a recorded consent is not scored."
