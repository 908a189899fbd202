"""The Funnel: feedback's report of a period, drawn; each bar opens the leads behind it."""

from datetime import datetime, timedelta

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from services.console.domain.funnel import BAR_WIDTH_MAX, funnel_of
from services.console.pages.rendering import Told, keys_of
from services.console.pages.visit import Visiting, answer, frame, must_open
from shared.db.engine import reading

__all__ = ["period_of", "router"]

router = APIRouter()

PERIODS = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "A year"))
DAYS_MOST = 3_660
KEYS = keys_of([])
_AWAY = "The funnel is not available now: feedback does not answer. Load the page again in a moment."


def period_of(now: datetime, days: int) -> dict[str, str]:
    """The period of the last days, as feedback's reports are asked."""
    days = max(1, min(days, DAYS_MOST))
    return {"since": (now - timedelta(days=days)).isoformat(), "until": now.isoformat()}


@router.get("/funnel")
async def show_funnel(visit: Visiting, days: int = 90) -> HTMLResponse:
    """The page."""
    must_open(visit, "funnel")
    days = days if days in dict(PERIODS) else 90
    async with reading(visit.database) as tx:
        drawing = await frame(visit, tx)
    params = period_of(tx.now, days)
    report = await visit.owners.ask("feedback", "/v1/reports/funnel", principal=visit.principal, params=params)
    failed = None if report is not None else Told("bad", _AWAY)
    return answer(
        "pages/funnel.html",
        drawing,
        page_title="Funnel",
        page_name="funnel",
        key_sheet=KEYS,
        funnel=funnel_of(report or {}),
        bar_width=BAR_WIDTH_MAX,
        failed=failed,
        periods=PERIODS,
        days=days,
        period_text=f"The last {days} days" if days != PERIODS[-1][0] else "The last year",
        step_address=lambda name: f"/leads?step={name}&days={days}",
    )
