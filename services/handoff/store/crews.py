"""Reps, teams, calendars, absences and account owners as rows: what people see and change one at a time."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.handoff.store.rows import Rows, in_ids, plain_rows
from services.handoff.tables import absence, account_owner, calendar, rep, team
from shared.db.engine import ReadTx

__all__ = [
    "absences_of",
    "account_owner_row",
    "calendar_row",
    "known_reps",
    "list_calendars",
    "list_reps",
    "list_teams",
    "rep_row",
    "team_row",
]

_LISTED_MAX = 1000  # a deployment has tens of each; more is a script gone wrong


async def rep_row(tx: ReadTx, rep_id: UUID, *, is_locked: bool) -> dict[str, Any] | None:
    """One rep, or None."""
    statement = select(rep).where(rep.c.id == rep_id)
    return next(iter(plain_rows(await tx.execute(statement.with_for_update() if is_locked else statement))), None)


async def known_reps(tx: ReadTx, rep_ids: Sequence[UUID]) -> list[UUID]:
    """Those of the ids that are reps, by id."""
    statement = select(rep.c.id).where(in_ids(rep.c.id)).order_by(rep.c.id)
    return list((await tx.execute(statement, {"ids": list(rep_ids)})).scalars())


async def list_reps(tx: ReadTx, *, team_id: UUID | None) -> Rows:
    """Reps of one team, or all, by name."""
    statement = select(rep).order_by(rep.c.name, rep.c.id).limit(_LISTED_MAX)
    if team_id is not None:
        statement = statement.where(rep.c.team_id == team_id)
    return plain_rows(await tx.execute(statement))


async def team_row(tx: ReadTx, team_id: UUID) -> dict[str, Any] | None:
    """One team, or None."""
    return next(iter(plain_rows(await tx.execute(select(team).where(team.c.id == team_id)))), None)


async def list_teams(tx: ReadTx) -> Rows:
    """All teams, by name."""
    return plain_rows(await tx.execute(select(team).order_by(team.c.name, team.c.id).limit(_LISTED_MAX)))


async def calendar_row(tx: ReadTx, name: str) -> dict[str, Any] | None:
    """One calendar, or None."""
    return next(iter(plain_rows(await tx.execute(select(calendar).where(calendar.c.name == name)))), None)


async def list_calendars(tx: ReadTx) -> Rows:
    """All calendars, by name."""
    return plain_rows(await tx.execute(select(calendar).order_by(calendar.c.name).limit(_LISTED_MAX)))


async def absences_of(tx: ReadTx, rep_id: UUID) -> Rows:
    """A rep's absences that are not over, earliest first."""
    statement = (
        select(absence)
        .where(absence.c.rep_id == rep_id, absence.c.state.in_(("planned", "begun")))
        .order_by(absence.c.from_at)
        .limit(_LISTED_MAX)
    )
    return plain_rows(await tx.execute(statement))


async def account_owner_row(tx: ReadTx, account_id: UUID) -> dict[str, Any] | None:
    """Who owns an account, or None."""
    statement = select(account_owner).where(account_owner.c.account_id == account_id)
    return next(iter(plain_rows(await tx.execute(statement))), None)
