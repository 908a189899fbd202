"""A sales desk for benches: reps who always work and always have room, and the agreement that names them."""

from datetime import UTC, datetime
from typing import Any

from services.handoff.store import reps
from shared.contracts.agreements import AgreementPublished
from shared.contracts.envelope import Event
from shared.db.engine import Database, transaction
from tests.support.builders.handoff import agreement_event, rep_id, rep_row

__all__ = ["REPS", "hire"]

REPS = tuple(f"rep{number}" for number in range(10))
_ROOM = 1_000_000


async def hire(database: Database) -> Event[AgreementPublished]:
    """Give handoff's database its reps and a calendar without closing time; the agreement to publish."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    hours = [[[0, 24 * 60]]] * 7
    calendar = {"name": "always", "zone": "UTC", "hours": hours, "holidays": [], "version": 1, "changed_at": at}
    async with transaction(database, "periodic") as tx:
        await reps.save_calendar(tx, calendar)
        for name in REPS:
            await reps.save_rep(tx, rep_row(name, calendar="always"))
    members: list[dict[str, Any]] = [
        {"rep": str(rep_id(name)), "weight": 1, "load_max": _ROOM, "leads_per_30_days": _ROOM} for name in REPS
    ]
    return agreement_event(members={"default": members})
