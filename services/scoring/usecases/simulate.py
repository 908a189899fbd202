"""Simulates a draft: who would have qualified over the last days by it, and who by the agreement in force.

Asked by HTTP, run in a worker process on one snapshot, writes nothing but its result.
"""

from typing import Any
from uuid import UUID

import orjson

from services.scoring.domain.criteria import compile_rule
from services.scoring.domain.decay import DAY_US, micros, moment
from services.scoring.domain.simulation import Entry, History, entries_under
from services.scoring.store import history, lead_records, leads, simulations
from services.scoring.usecases.ruling import DEFAULT_PRODUCT, Terms
from shared.contracts.agreement import load_agreement
from shared.db.engine import Database, ReadTx, Tx, transaction
from shared.errors import NotFound
from shared.ids import LeadId, new_id

__all__ = ["DAYS_MOST", "ask_simulation", "fail_simulation", "run_simulation", "show_simulation"]

DAYS_MOST = 90
PEOPLE_MOST = 50_000  # beyond, the answer says that it is partial
PAGE = 500
FLIPS_SHOWN = 200
_FIRST = UUID(int=0)


async def ask_simulation(tx: Tx, *, document: str, days: int) -> UUID:
    """Keep a simulation for the loop to run; the document must be an agreement (the caller has read it)."""
    simulation_id = new_id()
    await simulations.add_simulation(tx, simulation_id, orjson.dumps({"document": document, "days": days}).decode())
    return simulation_id


async def show_simulation(tx: ReadTx, simulation_id: UUID) -> dict[str, Any]:
    """A simulation's state, and its result when done. Raises NotFound."""
    found = await simulations.simulation_by_id(tx, simulation_id)
    if found is None:
        raise NotFound("There is no simulation with this id.")
    answer = None if found.answer is None else orjson.loads(found.answer)
    return {"simulation_id": found.simulation_id, "state": found.state, "result": answer}


async def fail_simulation(tx: Tx, simulation_id: UUID, *, reason: str) -> None:
    """Answer a simulation that could not be run."""
    answer = orjson.dumps({"reason": reason}).decode()
    await simulations.answer_simulation(tx, simulation_id, state="failed", answer=answer)


async def run_simulation(database: Database, simulation_id: UUID) -> None:
    """Run one simulation on a snapshot of its own and keep its result."""
    async with simulations.snapshot(database) as tx:
        found = await simulations.simulation_by_id(tx, simulation_id)
        if found is None or found.state != "asked":
            return
        asked = orjson.loads(found.asked)
        result = await _result(tx, asked["document"], asked["days"])
    async with transaction(database, "rechecks") as written:
        answer = orjson.dumps(result, default=str).decode()
        await simulations.answer_simulation(written, simulation_id, state="done", answer=answer)


async def _result(tx: ReadTx, document: str, days: int) -> dict[str, Any]:
    draft = compile_rule(load_agreement(document).criteria_of(DEFAULT_PRODUCT))
    ruling = await Terms().ruling(tx)
    until_us = micros(tx.now)
    from_us = until_us - days * DAY_US
    by_draft: dict[LeadId, tuple[Entry, ...]] = {}
    by_active: dict[LeadId, tuple[Entry, ...]] = {}
    people, after = 0, _FIRST
    while people < PEOPLE_MOST and (roots := await leads.next_roots(tx, after, most=PAGE)):
        after = roots[-1]
        people += len(roots)
        for kept in await _histories(tx, roots):
            root_id = kept.members[0]
            by_draft[root_id] = entries_under(draft, kept, from_us=from_us, until_us=until_us)
            by_active[root_id] = entries_under(ruling.rule, kept, from_us=from_us, until_us=until_us)
    gained = sorted(own for own, entries in by_draft.items() if entries and not by_active[own])
    lost = sorted(own for own, entries in by_active.items() if entries and not by_draft[own])
    return {
        "days": days,
        "from": moment(from_us),
        "until": moment(until_us),
        "people": people,
        "is_partial": people >= PEOPLE_MOST,
        "agreement_version": ruling.version,
        "qualified": {"active": _counts(by_active), "draft": _counts(by_draft)},
        "gained": len(gained),
        "lost": len(lost),
        "gained_lead_ids": gained[:FLIPS_SHOWN],
        "lost_lead_ids": lost[:FLIPS_SHOWN],
    }


async def _histories(tx: ReadTx, roots: list[LeadId]) -> list[History]:
    forest = await leads.read_trees(tx, roots)
    ids = list(forest.rows)
    activities = await history.activities_of(tx, ids, as_of=tx.now)
    records = await lead_records.records_of(tx, ids, as_of=tx.now)
    trees = [[row.lead_id for row in forest.tree(root_id)] for root_id in roots]
    return [
        History(
            tree,
            {own: activities.get(own, []) for own in tree},
            {own: records.get(own, []) for own in tree},
        )
        for tree in trees
    ]


def _counts(entries: dict[LeadId, tuple[Entry, ...]]) -> dict[str, int]:
    """How many people and entries, and the entries by policy."""
    listed = [entry for own in entries.values() for entry in own]
    by_policy: dict[str, int] = {}
    for entry in listed:
        by_policy[entry.policy] = by_policy.get(entry.policy, 0) + 1
    return {"people": sum(bool(own) for own in entries.values()), "entries": len(listed), **by_policy}
