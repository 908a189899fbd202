"""What every unit of work begins with: the agreement in force, calendars, teams, queues' owners, who wants events.

It changes a few times a day and is asked for a hundred times a second. The database gives all of it but the agreement a
new stamp with every change (migration 0008); what was read under a stamp is kept in the process by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from services.handoff.domain.calendar import Calendar
from services.handoff.domain.endpoints import Subscription
from services.handoff.domain.sla import Terms
from services.handoff.store import agreements, reps
from services.handoff.store.reps import Crew
from shared.db.engine import ReadTx
from shared.ids import EndpointId, TeamId

__all__ = ["Basis", "read_basis"]

_READ = text(
    """
    select s.value as stamp, a.agreement_id, a.version, g.sha256
      from basis_stamp s
      left join active a on a.slot = :slot
      left join agreement g on g.agreement_id = a.agreement_id and g.version = a.version
     where s.name = 'basis'
    """
)
_SUBSCRIPTIONS = text(
    """
    select e.id, e.types, e.pools, e.products, e.is_sharing, l.is_enabled
      from endpoint e join lane l on l.id = e.id order by e.id
    """
)
_KEPT_MAX = 16  # a process has one in use; tests have many databases in turn


@dataclass(frozen=True, slots=True)
class Basis:
    """The agreement in force, and what is read under one stamp. teams: the name of each one's calendar."""

    terms: Terms
    calendars: Mapping[str, Calendar]
    teams: Mapping[TeamId, str]
    queue_owners: Mapping[str, str]
    subscriptions: tuple[Subscription, ...]

    def crew(self, now: datetime) -> Crew:
        """A crew without reps yet."""
        return Crew(
            now=now,
            reps={},
            teams=self.teams,
            queue_owners=self.queue_owners,
            calendars=self.calendars,
            absences={},
        )


_kept: dict[UUID, Basis] = {}


async def read_basis(tx: ReadTx) -> Basis:
    """The basis as of now: one statement, unless something of it changed."""
    row = (await tx.execute(_READ, {"slot": agreements.SLOT})).one()
    terms = await agreements.known_terms(tx, row.agreement_id, row.version, row.sha256)
    kept = _kept.get(row.stamp)
    if kept is not None:
        return kept if kept.terms is terms else replace(kept, terms=terms)
    crew = await reps.read_crew(tx, ())
    found = Basis(
        terms,
        calendars=crew.calendars,
        teams=crew.teams,
        queue_owners=crew.queue_owners,
        subscriptions=await _subscriptions(tx),
    )
    if len(_kept) >= _KEPT_MAX:
        _kept.clear()
    _kept[row.stamp] = found
    return found


async def _subscriptions(tx: ReadTx) -> tuple[Subscription, ...]:
    return tuple(
        Subscription(
            EndpointId(row.id),
            types=frozenset(row.types),
            pools=frozenset(row.pools),
            products=frozenset(row.products),
            is_sharing=row.is_sharing,
            is_enabled=row.is_enabled,
        )
        for row in await tx.execute(_SUBSCRIPTIONS)
    )
