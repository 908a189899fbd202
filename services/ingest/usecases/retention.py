"""Lets visitors go who never became known: 180 days after their last activity their keys and texts are deleted."""

from services.ingest.store import erasures
from shared.db.engine import Tx
from shared.telemetry import log

__all__ = ["VISITORS_MAX", "retire_visitors"]

VISITORS_MAX = 500  # leads of one transaction


async def retire_visitors(tx: Tx, *, days: int) -> None:
    """Retire up to VISITORS_MAX of them; their rows stay as erased, so that what rests on their ids stays right."""
    waiting = await erasures.lock_silent_visitors(tx, days=days, limit=VISITORS_MAX)
    if waiting:
        await erasures.forget_people(tx, waiting)
        log.info("visitors_retired", leads=len(waiting))
