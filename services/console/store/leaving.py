"""Commands that wait to be taken back: a reject or pause leaves ten seconds after it was pressed (machine time).

What left and did not take effect stays as `unsent` until its person has read it, at most UNSENT_DAYS.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from shared.db.engine import ReadTx, Tx

__all__ = [
    "LeavingRow",
    "UnsentRow",
    "add_leaving",
    "add_unsent",
    "claim_due",
    "forget_old_unsent",
    "leaving_of",
    "read_unsent",
    "remove_leaving",
    "take_back",
    "unsent_of",
]

CLAIM_MOST = 20
UNSENT_DAYS = 7
UNSENT_SHOWN = 20


@dataclass(frozen=True, slots=True)
class LeavingRow:
    """One command on its way out, stamped with the moment of the press."""

    leaving_id: UUID
    user_id: UUID
    handoff_id: UUID
    command: str
    token: int
    body: dict[str, Any]
    pressed_at: datetime


@dataclass(frozen=True, slots=True)
class UnsentRow:
    """One command that did not take effect, as its person is told."""

    leaving_id: UUID
    user_id: UUID
    lead_id: UUID
    told: str


async def add_leaving(tx: Tx, row: LeavingRow, *, seconds: float) -> bool:
    """Keep a command until its time; False when this handoff has one already."""
    found = await tx.execute(
        """
        insert into leaving (leaving_id, user_id, handoff_id, command, token, body, pressed_at, leaves_at)
        values (:leaving_id, :user_id, :handoff_id, :command, :token, cast(:body as jsonb), :pressed_at,
                now() + make_interval(secs => :seconds))
        on conflict (handoff_id) do nothing returning leaving_id
        """,
        {
            "leaving_id": row.leaving_id,
            "user_id": row.user_id,
            "handoff_id": row.handoff_id,
            "command": row.command,
            "token": row.token,
            "body": orjson.dumps(row.body).decode(),
            "pressed_at": row.pressed_at,
            "seconds": seconds,
        },
    )
    return found.first() is not None


async def take_back(tx: Tx, leaving_id: UUID, *, user_id: UUID) -> bool:
    """Remove a command of this user that has not left; False when it is too late."""
    found = await tx.execute(
        "delete from leaving where leaving_id = :id and user_id = :user_id and leaves_at > now() returning leaving_id",
        {"id": leaving_id, "user_id": user_id},
    )
    return found.first() is not None


async def claim_due(tx: ReadTx) -> list[LeavingRow]:
    """Commands whose time has come, oldest first. They stay until they were answered: a crash sends them again."""
    found = await tx.execute(
        "select * from leaving where leaves_at <= now() order by leaves_at limit :most", {"most": CLAIM_MOST}
    )
    return [_row(row) for row in found]


async def remove_leaving(tx: Tx, leaving_id: UUID) -> None:
    """Forget a command that was answered."""
    await tx.execute("delete from leaving where leaving_id = :id", {"id": leaving_id})


async def leaving_of(tx: ReadTx, user_id: UUID) -> dict[UUID, LeavingRow]:
    """What this user has on its way out, by handoff."""
    found = await tx.execute("select * from leaving where user_id = :user_id", {"user_id": user_id})
    return {row.handoff_id: _row(row) for row in found}


async def add_unsent(tx: Tx, row: UnsentRow) -> None:
    """Keep what a person must be told."""
    await tx.execute(
        """
        insert into unsent (leaving_id, user_id, lead_id, told, failed_at)
        values (:leaving_id, :user_id, :lead_id, :told, now()) on conflict (leaving_id) do nothing
        """,
        {"leaving_id": row.leaving_id, "user_id": row.user_id, "lead_id": row.lead_id, "told": row.told},
    )


async def unsent_of(tx: ReadTx, user_id: UUID) -> list[UnsentRow]:
    """What this user must be told, the newest first."""
    found = await tx.execute(
        "select leaving_id, user_id, lead_id, told from unsent where user_id = :user_id"
        " order by failed_at desc limit :most",
        {"user_id": user_id, "most": UNSENT_SHOWN},
    )
    return [UnsentRow(row.leaving_id, row.user_id, row.lead_id, row.told) for row in found]


async def read_unsent(tx: Tx, leaving_id: UUID, *, user_id: UUID) -> None:
    """The person has read it."""
    await tx.execute(
        "delete from unsent where leaving_id = :id and user_id = :user_id", {"id": leaving_id, "user_id": user_id}
    )


async def forget_old_unsent(tx: Tx) -> None:
    """Delete what nobody has read for too long."""
    await tx.execute("delete from unsent where failed_at < now() - make_interval(days => :days)", {"days": UNSENT_DAYS})


def _row(row: Any) -> LeavingRow:  # noqa: ANN401  # a result row
    body = orjson.loads(row.body) if isinstance(row.body, (str, bytes)) else row.body
    return LeavingRow(row.leaving_id, row.user_id, row.handoff_id, row.command, row.token, body, row.pressed_at)
