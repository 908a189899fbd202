"""Reps, teams, calendars and absences: read for a transaction, and changed by their managers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, bindparam, select, text

from services.handoff.domain.calendar import Calendar, Interval, compose
from services.handoff.store.rows import in_ids, upsert_rows
from services.handoff.tables import absence, account_owner, calendar, rep, team
from shared.db.engine import ReadTx, Tx
from shared.ids import HandoffId, TeamId, UserId

__all__ = [
    "Busyness",
    "Crew",
    "RepRow",
    "count_expiries",
    "lock_for_routing",
    "lock_reps",
    "mark_moved",
    "moved_reps",
    "read_crew",
    "save_account_owner",
    "save_calendar",
    "save_rep",
    "save_team",
    "set_away",
    "settle_moved",
    "with_reps",
]

DEFAULT_CALENDAR = "default"
_ABSENCE_MATTERS = timedelta(days=120)  # no clock in open hours runs longer


@dataclass(frozen=True, slots=True)
class RepRow:
    """A rep as stored, with the absence it is in now, if any."""

    id: UserId
    team_id: TeamId | None
    name: str
    email: str | None
    slack_id: str | None
    calendar: str | None
    languages: tuple[str, ...]
    skills: tuple[str, ...]
    is_active: bool
    is_away: bool
    away_because: str | None
    load: int
    expiries: int
    version: int

    def why_off(self, *, is_absent: bool) -> str | None:
        """Why the rep takes nothing now, or None when it is on."""
        if not self.is_active:
            return "inactive"
        if self.is_away:
            return "away"
        return "absence" if is_absent else None


@dataclass(frozen=True, slots=True)
class Crew:
    """Reps with the calendars they work by, as of one moment. teams: the name of each one's calendar.

    queue_owners: a role or a user id, by queue.
    """

    now: datetime
    reps: Mapping[UserId, RepRow]
    teams: Mapping[TeamId, str]
    queue_owners: Mapping[str, str]
    calendars: Mapping[str, Calendar]
    absences: Mapping[UserId, tuple[Interval, ...]]

    def calendar_of(self, rep_id: UserId | None) -> Calendar:
        """The rep's own calendar less its absences; the default one for nobody and for unknown names."""
        row = None if rep_id is None else self.reps.get(rep_id)
        if rep_id is None or row is None:
            return self.calendars[DEFAULT_CALENDAR]
        of_team = None if row.team_id is None else self.teams.get(row.team_id)
        name = row.calendar or of_team or DEFAULT_CALENDAR
        base = self.calendars.get(name, self.calendars[DEFAULT_CALENDAR])
        away = self.absences.get(rep_id, ())
        return compose(base, absences=away) if away else base

    def why_off(self, rep_id: UserId) -> str | None:
        """Why the rep takes nothing now; None when it is on, `inactive` when it is unknown."""
        row = self.reps.get(rep_id)
        if row is None:
            return "inactive"
        gone = any(start <= self.now < end for start, end in self.absences.get(rep_id, ()))
        return row.why_off(is_absent=gone)


@dataclass(frozen=True, slots=True)
class Busyness:
    """The handoffs that make up a rep's load, oldest assignment first, and how many assignments it got lately."""

    holding: tuple[HandoffId, ...] = ()
    taken: int = 0


# All three at once; there is always a calendar, the default one.
_CREW = text(
    """
    select name, zone, hours, holidays, version,
           (select coalesce(jsonb_object_agg(id, calendar), '{}') from team) as teams,
           (select coalesce(jsonb_object_agg(name, owner), '{}') from queue) as queue_owners
      from calendar
    """
)
_FOR_ROUTING = text(
    """
    select r.id,
           (select array_agg(h.id order by h.assigned_at, h.id) from handoff h
             where h.owner_id = r.id and h.state in ('assigned', 'accepted')) as holding,
           (select count(*) from assignment a where a.rep_id = r.id and a.started_at > :since) as taken,
           (select jsonb_agg(jsonb_build_array(a.from_at, a.until_at) order by a.from_at) from absence a
             where a.rep_id = r.id and a.state <> 'cancelled' and a.until_at > :absent_since) as absences
      from unnest(cast(:ids as uuid[])) as r (id)
    """
)
_LOCK_REPS = select(rep).where(in_ids(rep.c.id)).order_by(rep.c.id).with_for_update()
_REPS = select(rep).where(in_ids(rep.c.id))
_ABSENCES = (
    select(absence)
    .where(in_ids(absence.c.rep_id), absence.c.state != "cancelled", absence.c.until_at > bindparam("since"))
    .order_by(absence.c.from_at)
)


async def read_crew(tx: ReadTx, rep_ids: Iterable[UUID]) -> Crew:
    """The named reps, all teams, calendars and owners of queues, and absences that are not over."""
    rows = (await tx.execute(_CREW)).all()
    crew = Crew(
        now=tx.now,
        reps={},
        teams={TeamId(UUID(each)): name for each, name in rows[0].teams.items()},
        queue_owners=rows[0].queue_owners,
        calendars={row.name: _calendar(row) for row in rows},
        absences={},
    )
    return await with_reps(tx, crew, rep_ids)


async def with_reps(tx: ReadTx, crew: Crew, rep_ids: Iterable[UUID]) -> Crew:
    """The crew with these reps and their absences too."""
    wanted = sorted(set(rep_ids))
    if not wanted:
        return crew
    reps = (await tx.execute(_REPS, {"ids": wanted})).all()
    away: dict[UserId, list[Interval]] = {}
    # An absence that ended still counts for a clock that runs since before it.
    for row in (await tx.execute(_ABSENCES, {"ids": wanted, "since": tx.now - _ABSENCE_MATTERS})).all():
        away.setdefault(UserId(row.rep_id), []).append((row.from_at, row.until_at))
    return replace(
        crew,
        reps={**crew.reps, **{UserId(row.id): _rep(row) for row in reps}},
        absences={**crew.absences, **{rep_id: tuple(intervals) for rep_id, intervals in away.items()}},
    )


async def lock_reps(tx: Tx, rep_ids: Iterable[UUID]) -> dict[UserId, RepRow]:
    """Lock reps in id order; after the pools."""
    wanted = sorted(set(rep_ids))
    if not wanted:
        return {}
    return {UserId(row.id): _rep(row) for row in (await tx.execute(_LOCK_REPS, {"ids": wanted})).all()}


async def count_expiries(
    tx: Tx, expired: Sequence[UserId], answered: Sequence[UserId], *, away_after: int
) -> list[UserId]:
    """Count assignments that expired in a row; an answer ends the row. Returns the reps that are set away by it."""
    for rep_id in sorted(answered):
        await tx.execute(text("update rep set expiries = 0 where id = :id and expiries > 0"), {"id": rep_id})
    newly_away: list[UserId] = []
    for rep_id in sorted(expired):
        counted = await tx.execute(
            text("update rep set expiries = expiries + 1 where id = :id returning expiries, is_away"), {"id": rep_id}
        )
        row = counted.first()
        if row is not None and row.expiries >= away_after and not row.is_away:
            newly_away.append(rep_id)
            await set_away(tx, rep_id, because="expiries")
    return newly_away


async def set_away(tx: Tx, rep_id: UserId, *, because: str | None) -> bool:
    """Send a rep away (because says why) or bring it back (None); False when it is so already."""
    changed = await tx.execute(
        text(
            """
            update rep set is_away = :is_away, away_because = :because, moved = :moved, expiries = 0,
                   version = version + 1, changed_at = baton_now()
             where id = :id and is_away <> :is_away returning id
            """
        ),
        {
            "id": rep_id,
            "is_away": because is not None,
            "because": because,
            "moved": "back" if because is None else "left",
        },
    )
    return changed.first() is not None


async def mark_moved(tx: Tx, rep_ids: Iterable[UserId], how: Literal["left", "back"]) -> None:
    """These reps went off or are there again: what follows for handoffs is to be done."""
    for rep_id in sorted(set(rep_ids)):
        await tx.execute(text("update rep set moved = :how where id = :id"), {"id": rep_id, "how": how})


async def moved_reps(tx: ReadTx, *, limit: int) -> list[tuple[UserId, str]]:
    """Reps that moved, and how, for whose handoffs nothing has followed yet."""
    found = await tx.execute(
        text("select id, moved from rep where moved is not null order by id limit :limit"), {"limit": limit}
    )
    return [(UserId(row.id), row.moved) for row in found.all()]


async def settle_moved(tx: Tx, rep_id: UserId, how: str) -> bool:
    """What followed from a rep's move is done; False when it moved again, or another process has done it."""
    done = await tx.execute(
        text("update rep set moved = null where id = :id and moved = :how returning id"), {"id": rep_id, "how": how}
    )
    return done.first() is not None


async def lock_for_routing(
    tx: Tx, crew: Crew, rep_ids: Iterable[UUID], *, since: datetime
) -> tuple[Crew, dict[UserId, Busyness]]:
    """Lock these reps in id order; the crew with them and their absences, and how busy each of them is.

    since: from when assignments are counted.
    """
    locked = await lock_reps(tx, rep_ids)
    if not locked:
        return crew, {}
    asked = {"ids": sorted(locked), "since": since, "absent_since": tx.now - _ABSENCE_MATTERS}
    busy: dict[UserId, Busyness] = {}
    absences: dict[UserId, tuple[Interval, ...]] = {}
    for row in await tx.execute(_FOR_ROUTING, asked):
        rep_id = UserId(row.id)
        busy[rep_id] = Busyness(tuple(HandoffId(each) for each in row.holding or ()), row.taken)
        if row.absences:
            moments = ((datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in row.absences)
            absences[rep_id] = tuple(moments)
    return replace(crew, reps={**crew.reps, **locked}, absences={**crew.absences, **absences}), busy


async def save_rep(tx: Tx, row: Mapping[str, Any]) -> None:
    """Write a rep whole."""
    await upsert_rows(tx, rep, [row])


async def save_team(tx: Tx, row: Mapping[str, Any]) -> None:
    """Write a team whole."""
    await upsert_rows(tx, team, [row])


async def save_calendar(tx: Tx, row: Mapping[str, Any]) -> None:
    """Write a calendar whole."""
    await upsert_rows(tx, calendar, [row])


async def save_account_owner(tx: Tx, row: Mapping[str, Any]) -> None:
    """Write who owns an account."""
    await upsert_rows(tx, account_owner, [row])


def _rep(row: Row[Any]) -> RepRow:
    return RepRow(
        id=UserId(row.id),
        team_id=None if row.team_id is None else TeamId(row.team_id),
        name=row.name,
        email=row.email,
        slack_id=row.slack_id,
        calendar=row.calendar,
        languages=tuple(row.languages),
        skills=tuple(row.skills),
        is_active=row.is_active,
        is_away=row.is_away,
        away_because=row.away_because,
        load=row.load,
        expiries=row.expiries,
        version=row.version,
    )


def _calendar(row: Row[Any]) -> Calendar:
    return Calendar(
        name=row.name,
        zone=row.zone,
        hours=tuple(tuple((part[0], part[1]) for part in day) for day in row.hours),
        holidays=frozenset(date.fromisoformat(each) for each in row.holidays),
        version=row.version,
    )
