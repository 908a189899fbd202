"""Folds the stored inputs of a handoff through the reducer: the truth of this service is its handoff events.

What comes out must be the stored row and every stored verdict; a difference is named, never mended here.
"""

import orjson

from services.handoff.domain.lifecycle import Handoff, Verdict, broken, decide
from services.handoff.store import agreements, handoffs, reads
from services.handoff.store.codec import input_of
from shared.db.engine import ReadTx
from shared.ids import HandoffId

__all__ = ["refold"]

_PAGE = 500


async def refold(tx: ReadTx, handoff_id: HandoffId) -> list[str]:
    """What differs between the folded inputs and what is stored; empty when they agree."""
    kept = (await handoffs.load_handoffs(tx, [handoff_id])).get(handoff_id)
    if kept is None:
        return ["there is no such handoff"]
    folded: Handoff | None = None
    differences: list[str] = []
    after = 0
    while True:
        rows = await reads.audit_of(tx, handoff_id, after=after, limit=_PAGE)
        for row in rows:
            terms = await agreements.terms_of(tx, row["agreement_id"], row["agreement_version"])
            event = input_of(row["kind"], orjson.loads(row["input"]))
            decision = decide(folded, event, terms.policy(kept.handoff.tier))
            if (decision.verdict, decision.why) != (row["verdict"], row["why"]):
                differences.append(f"input {row['id']} was {row['verdict']} {row['why']}, is {decision.verdict}")
            if decision.verdict is Verdict.OK and decision.handoff is not None:
                folded = decision.handoff
        if len(rows) < _PAGE:
            break
        after = rows[-1]["id"]
    return differences + _compare(folded, kept.handoff)


def _compare(folded: Handoff | None, stored: Handoff) -> list[str]:
    if folded is None:
        return ["it was never opened"]
    named = [name for name in Handoff.__slots__ if getattr(folded, name) != getattr(stored, name)]
    differences = [f"{name}: folded {getattr(folded, name)!r}, stored {getattr(stored, name)!r}" for name in named]
    return differences + [f"broken: {name}" for name in broken(stored)]
