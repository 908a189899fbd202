"""Rows of simulations: asked, then answered or failed. A process that dies while one runs leaves it asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from shared.db.engine import Database, ReadTx, Tx, reading

__all__ = ["Simulation", "add_simulation", "answer_simulation", "next_asked", "simulation_by_id", "snapshot"]


@dataclass(frozen=True, slots=True)
class Simulation:
    """One simulation: state asked, done or failed; asked and answer are JSON text."""

    simulation_id: UUID
    state: str
    asked: str
    answer: str | None


_ADD = text(
    """
    insert into simulation (simulation_id, state, asked_at, asked)
    values (:id, 'asked', :now, :asked) on conflict do nothing
    """
)
_NEXT = text("select simulation_id from simulation where state = 'asked' order by asked_at limit 1")
_BY_ID = text("select simulation_id, state, asked, answer from simulation where simulation_id = :id")
_ANSWER = text("update simulation set state = :state, answer = :answer where simulation_id = :id and state = 'asked'")


async def add_simulation(tx: Tx, simulation_id: UUID, asked: str) -> None:
    """Keep what was asked; the loop runs it."""
    await tx.execute(_ADD, {"id": simulation_id, "now": tx.now, "asked": asked})


async def next_asked(tx: ReadTx) -> UUID | None:
    """The oldest that waits."""
    found: UUID | None = (await tx.execute(_NEXT)).scalar_one_or_none()
    return found


async def simulation_by_id(tx: ReadTx, simulation_id: UUID) -> Simulation | None:
    """One simulation, or None."""
    row: Any = (await tx.execute(_BY_ID, {"id": simulation_id})).one_or_none()
    return None if row is None else Simulation(row.simulation_id, row.state, row.asked, row.answer)


async def answer_simulation(tx: Tx, simulation_id: UUID, *, state: str, answer: str) -> None:
    """Keep the result; the first one stays."""
    await tx.execute(_ANSWER, {"id": simulation_id, "state": state, "answer": answer})


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[ReadTx]:
    """One REPEATABLE READ view: what is read at its end is as old as what was read at its start."""
    name = "baton-scoring-simulation"
    own = Database(database.url, pool_size=1, application_name=name, isolation="repeatable read")
    try:
        async with reading(own) as tx:
            yield tx
    finally:
        await own.close()
