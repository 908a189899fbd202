"""Lets go of what is older than 25 months: activities, their corrections, decisions. One slice a run, never a sweep."""

from datetime import timedelta

from services.scoring.store import decisions, history
from shared.db.engine import Tx

__all__ = ["drop_old_history"]


async def drop_old_history(tx: Tx) -> None:
    """Delete one slice of each; the sums of a lead stay, so no score moves."""
    before = tx.now - timedelta(days=history.RETENTION_DAYS)
    await history.drop_old_activities(tx, before=before)
    await decisions.drop_old_decisions(tx, before=before)
