"""Results of deals that found no handoff with an owner, by person, until they are claimed or too old."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from services.handoff.store import kept
from services.handoff.tables import kept_result
from shared.db.engine import Tx
from shared.ids import LeadId

__all__ = ["Result", "claim_results", "keep_result", "prune_results"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one deal (id: its own), or of a lead without a deal (id: the outcome's, version 0)."""

    id: UUID
    lead_id: LeadId
    result: str
    version: int
    reason_code: str | None
    occurred_at: datetime

    @property
    def deal_id(self) -> UUID | None:
        """The deal it is about, if it is about one."""
        return self.id if self.version else None


async def keep_result(tx: Tx, result: Result) -> None:
    """Keep the newest version of a deal's result."""
    await tx.execute(
        text(
            """
            insert into kept_result (id, lead_id, result, version, reason_code, occurred_at, recorded_at)
            values (:id, :lead_id, :result, :version, :reason_code, :occurred_at, baton_now())
            on conflict (id) do update
               set lead_id = excluded.lead_id, result = excluded.result, version = excluded.version,
                   reason_code = excluded.reason_code, occurred_at = excluded.occurred_at
             where kept_result.version < excluded.version
            """
        ),
        asdict(result),
    )


async def claim_results(tx: Tx, ids: Sequence[UUID]) -> None:
    """These have moved a handoff."""
    await kept.claim(tx, kept_result, ids)


async def prune_results(tx: Tx) -> None:
    """Forget what no handoff claimed; a bounded number at once; a use case of `every`."""
    await kept.prune(tx, kept_result)
