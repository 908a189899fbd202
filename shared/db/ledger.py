"""The conservation ledger: named SQL checks that return the ids of rows nobody accounts for.

Empty means nothing was lost.

Each service lists its own checks in store.py; those of the runtime's tables are here. Checks ask by id, never by
counters, and never write. Source: RELIABILITY 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from shared.db.engine import ReadTx, read_whole_tables
from shared.telemetry import gauge

__all__ = ["RUNTIME_CHECKS", "Gap", "LedgerCheck", "find_gaps"]

IDS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """One thing that must hold. sql returns one column of ids (as text) that break it, and no row when all is well."""

    part: str
    name: str
    sql: str


@dataclass(frozen=True, slots=True)
class Gap:
    """What one check found: how many rows, and the first ids."""

    part: str
    name: str
    rows: int
    ids: tuple[str, ...]


RUNTIME_CHECKS: tuple[LedgerCheck, ...] = (
    LedgerCheck(
        "consumers",
        "each parked event is in the inbox",
        """
        select p.event_id::text from parked p
         where not exists (select from inbox i where i.consumer = p.consumer and i.event_id = p.event_id)
           and p.parked_at > now() - interval '8 days'
        """,
    ),
    LedgerCheck(
        "consumers",
        "each settled parked event says when, and a discarded one why",
        """
        select id::text from parked
         where (state <> 'open' and settled_at is null) or (state = 'discarded' and coalesce(settled_because, '') = '')
        """,
    ),
    LedgerCheck(
        "outbox",
        "no event is both waiting and sent under one number",
        "select o.id::text from outbox o join outbox_sent s on s.id = o.id",
    ),
    LedgerCheck(
        "outbox",
        "no event waits longer than a minute",
        "select id::text from outbox where written_at < now() - interval '60 seconds'",
    ),
    LedgerCheck(
        "commands",
        "each kept command has its answer",
        "select key from idempotency where status is null or answer is null",
    ),
)


async def find_gaps(tx: ReadTx, checks: Sequence[LedgerCheck]) -> list[Gap]:
    """Run the checks and return those that found something; sets baton_ledger_gap for every part."""
    found: list[Gap] = []
    await read_whole_tables(tx)
    per_part = dict.fromkeys((check.part for check in checks), 0)
    for check in checks:
        ids = [str(value) for (value,) in (await tx.execute(text(check.sql))).all()]
        per_part[check.part] += len(ids)
        if ids:
            found.append(Gap(check.part, check.name, len(ids), tuple(ids[:IDS_SHOWN])))
    for part, rows in per_part.items():
        gauge("baton_ledger_gap", rows, part=part)
    return found
