"""Reps, teams, calendars, absences and account owners as rows: what people see and change one at a time."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping, select

from services.handoff.tables import absence, account_owner, calendar, rep, team
from shared.db.engine import ReadTx

__all__ = [
    "absences_of",
    "account_owner_row",
    "calendar_row",
    "list_calendars",
    "list_reps",
    "list_teams",
    "rep_row",
    "team_row",
]

_LISTED_MAX = 1000  # a deployment has tens of each; more is a script gone wrong


async def rep_row(tx: ReadTx, rep_id: UUID, *, is_locked: bool) -> RowMapping | None:
    """One rep, or None."""
    statement = select(rep).where(rep.c.id == rep_id)
    return (await tx.execute(statement.with_for_update() if is_locked else statement)).mappings().first()


async def list_reps(tx: ReadTx, *, team_id: UUID | None) -> Sequence[RowMapping]:
    """Reps of one team, or all, by name."""
    statement = select(rep).order_by(rep.c.name, rep.c.id).limit(_LISTED_MAX)
    if team_id is not None:
        statement = statement.where(rep.c.team_id == team_id)
    return (await tx.execute(statement)).mappings().all()


async def team_row(tx: ReadTx, team_id: UUID) -> RowMapping | None:
    """One team, or None."""
    return (await tx.execute(select(team).where(team.c.id == team_id))).mappings().first()


async def list_teams(tx: ReadTx) -> Sequence[RowMapping]:
    """All teams, by name."""
    return (await tx.execute(select(team).order_by(team.c.name, team.c.id).limit(_LISTED_MAX))).mappings().all()


async def calendar_row(tx: ReadTx, name: str) -> RowMapping | None:
    """One calendar, or None."""
    return (await tx.execute(select(calendar).where(calendar.c.name == name))).mappings().first()


async def list_calendars(tx: ReadTx) -> Sequence[RowMapping]:
    """All calendars, by name."""
    return (await tx.execute(select(calendar).order_by(calendar.c.name).limit(_LISTED_MAX))).mappings().all()


async def absences_of(tx: ReadTx, rep_id: UUID) -> Sequence[RowMapping]:
    """A rep's absences that are not over, earliest first."""
    statement = (
        select(absence)
        .where(absence.c.rep_id == rep_id, absence.c.state.in_(("planned", "begun")))
        .order_by(absence.c.from_at)
        .limit(_LISTED_MAX)
    )
    return (await tx.execute(statement)).mappings().all()


async def account_owner_row(tx: ReadTx, account_id: UUID) -> RowMapping | None:
    """Who owns an account, or None."""
    statement = select(account_owner).where(account_owner.c.account_id == account_id)
    return (await tx.execute(statement)).mappings().first()
