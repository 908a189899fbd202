"""Reps, teams, calendars, absences and account owners as their managers change them.

Clocks that run in a changed calendar are counted again afterwards, a page at a time; reps that go off or come back are
followed by the clocks loop.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import holidays

from services.handoff.store import absences, crews, reps
from services.handoff.usecases.firing import recompute_clocks
from shared.db.engine import Database, Tx, transaction
from shared.errors import FieldError, NotFound, Refused
from shared.ids import HandoffId, TeamId, UserId, derived_id

__all__ = ["plan_absences", "put_account_owner", "put_calendar", "put_rep", "put_team", "recount", "send_away"]

_PAGE = 200
# Public holidays are written out for so many years; a calendar that is saved again gets the next ones.
_HOLIDAY_YEARS = 3


async def put_rep(tx: Tx, rep_id: UserId, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Make or change a rep; a new one takes what waits. Raises Refused for an unknown team or calendar."""
    team_id = fields.get("team_id")
    if team_id is not None and await crews.team_row(tx, team_id) is None:
        raise Refused("Make the team first.", errors=[FieldError("/team_id", "unknown", "there is no such team")])
    await _check_calendar(tx, fields.get("calendar"))
    row = await crews.rep_row(tx, rep_id, is_locked=True)
    before: dict[str, Any] = dict(row) if row is not None else {}
    version = before.get("version", 0) + 1
    blank = {"is_away": False, "away_because": None, "load": 0, "expiries": 0, "moved": None}
    after = {**blank, **before, **fields, "id": rep_id, "version": version, "changed_at": tx.now}
    if not before or (after["is_active"] and not before["is_active"]):
        after["moved"] = "back"
    elif before["is_active"] and not after["is_active"]:
        after["moved"] = "left"
    await reps.save_rep(tx, after)
    return after


async def put_team(tx: Tx, team_id: TeamId, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Make or change a team."""
    await _check_calendar(tx, fields.get("calendar"))
    row = await crews.team_row(tx, team_id)
    before: dict[str, Any] = dict(row) if row is not None else {"party": "sales", "manager_id": None}
    version = before.get("version", 0) + 1
    after = {"calendar": "default", **before, **fields, "id": team_id, "version": version, "changed_at": tx.now}
    await reps.save_team(tx, after)
    return after


async def put_calendar(
    tx: Tx, name: str, *, zone: str, hours: Sequence[Any], off: Sequence[date], country: str | None
) -> dict[str, Any]:
    """Make or change a calendar; country adds its public holidays."""
    row = await crews.calendar_row(tx, name)
    public = _public_holidays(country, tx.now.year)
    after = {
        "name": name,
        "zone": zone,
        "hours": [list(day) for day in hours],
        "holidays": sorted({each.isoformat() for each in (*off, *public)}),
        "version": (0 if row is None else row["version"]) + 1,
        "changed_at": tx.now,
    }
    await reps.save_calendar(tx, after)
    return after


async def send_away(tx: Tx, rep_id: UserId, *, because: str | None) -> dict[str, Any]:
    """Send a rep away, or bring it back with None. Raises NotFound."""
    if await crews.rep_row(tx, rep_id, is_locked=False) is None:
        raise NotFound("There is no rep with this id.")
    await reps.set_away(tx, rep_id, because=because)
    row = await crews.rep_row(tx, rep_id, is_locked=False)
    assert row is not None, "it was there a statement ago"
    return dict(row)


async def plan_absences(
    tx: Tx, rep_id: UserId, intervals: Sequence[tuple[datetime, datetime]], *, origin: str
) -> list[dict[str, Any]]:
    """Plan absences; the same interval again is the same absence. Raises NotFound for an unknown rep."""
    if await crews.rep_row(tx, rep_id, is_locked=False) is None:
        raise NotFound("There is no rep with this id.")
    rows = [
        {
            "id": derived_id("absence", rep_id, start.isoformat(), end.isoformat()),
            "rep_id": rep_id,
            "from_at": start,
            "until_at": end,
            "origin": origin,
            "state": "planned",
        }
        for start, end in intervals
        if end > tx.now
    ]
    await absences.write_absences(tx, rows)
    return rows


async def put_account_owner(tx: Tx, account_id: UUID, rep_id: UserId, *, by: UUID | None) -> dict[str, Any]:
    """Say who owns an account. Raises Refused for an unknown rep."""
    if await crews.rep_row(tx, rep_id, is_locked=False) is None:
        raise Refused("Make the user a rep first.", errors=[FieldError("/rep_id", "unknown", "there is no such rep")])
    row = await crews.account_owner_row(tx, account_id)
    version = (0 if row is None else row["version"]) + 1
    after = {"account_id": account_id, "rep_id": rep_id, "version": version, "set_by": by, "set_at": tx.now}
    await reps.save_account_owner(tx, after)
    return after


async def recount(database: Database, *, calendars: Sequence[str] = (), rep_ids: Sequence[UserId] = ()) -> None:
    """Count the armed clocks of a calendar or a rep again, a page in each transaction."""
    after: HandoffId | None = None
    while True:
        async with transaction(database, "clocks") as tx:
            after = await recompute_clocks(tx, calendars=calendars, rep_ids=rep_ids, after=after, limit=_PAGE)
        if after is None:
            return


def _public_holidays(country: str | None, year: int) -> list[date]:
    if country is None:
        return []
    try:
        return sorted(holidays.country_holidays(country, years=range(year, year + _HOLIDAY_YEARS)))
    except NotImplementedError as error:
        wrong = FieldError("/holiday_country", "unknown", "is no ISO 3166-1 code whose holidays we know")
        raise Refused("Give the holidays one by one.", errors=[wrong]) from error


async def _check_calendar(tx: Tx, name: str | None) -> None:
    if name is not None and await crews.calendar_row(tx, name) is None:
        raise Refused("Make the calendar first.", errors=[FieldError("/calendar", "unknown", "there is no such one")])
