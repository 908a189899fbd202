"""What all routers of feedback share: the databases and clients of the app, the caller's team, periods, CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import Request, Response

from services.feedback.domain.commitments import Period, period_of
from services.feedback.settings import Settings
from shared.errors import FieldError, Refused
from shared.web.auth import Principal
from shared.web.service_client import ServiceClient

Team = Literal["marketing", "sales", ""]
# Cells of a spreadsheet that begin so are run as formulas; a leading quote makes them text (SECURITY).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def settings_of(request: Request) -> Settings:
    """The settings of this process."""
    settings: Settings = request.app.state.settings
    return settings


def scoring_of(request: Request) -> ServiceClient:
    """The client of scoring's internal port."""
    client: ServiceClient = request.app.state.scoring
    return client


def handoff_of(request: Request) -> ServiceClient:
    """The client of handoff's internal port."""
    client: ServiceClient = request.app.state.handoff
    return client


def team_of(principal: Principal) -> Team:
    """The party of the agreement a person speaks for: marketers for Marketing, managers for Sales, others for none."""
    match principal.role:
        case "marketer":
            return "marketing"
        case "manager":
            return "sales"
        case _:
            return ""


def person_of(principal: Principal) -> UUID:
    """The user who acts. Raises Refused for keys and services: only a person signs or approves."""
    user_id = principal.user_id
    if user_id is None:
        raise Refused("Only a person can do this; sign in instead of using a key.", slug="no_person")
    return user_id


def period_asked(since: datetime | None, until: datetime | None, now: datetime) -> Period:
    """The period of a query; without one the month of now, without an end up to now."""
    month = period_of(now, "month")
    begins = since or month.since
    ends = until or (now if since is not None else month.until)
    if ends <= begins:
        raise Refused("The period ends before it begins.", errors=[FieldError("query:until", "order", "after since")])
    return Period(since=begins, until=ends)


def wants_csv(request: Request, output: str | None) -> bool:
    """Whether the answer is asked for as CSV, by ?format=csv or by Accept."""
    return output == "csv" or (output is None and "text/csv" in request.headers.get("accept", ""))


def csv_response(name: str, rows: Sequence[Mapping[str, Any]]) -> Response:
    """Rows as a CSV file with a header line; texts cannot start a formula."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]) if rows else ["empty"])
    writer.writeheader()
    writer.writerows([{key: _cell(value) for key, value in row.items()} for row in rows])
    return Response(
        out.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}.csv"'},
    )


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value
