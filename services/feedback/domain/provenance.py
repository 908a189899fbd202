"""Which facts a model may read: who wrote them, when they were known, and whether they smell of the outcome.

Statistics cannot replace provenance: a column Sales fills in after the call ranks like an honest one. A fact nobody
declared, that Sales writes, or that was known only after the decision is refused. Pure. SCORING 1, gate G5.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log
from typing import Literal

import numpy as np

from services.feedback.domain.coding import CATEGORY_ROWS_MIN, Column, code, design
from services.feedback.domain.gate import GateLine
from services.feedback.domain.labels import Array
from services.feedback.domain.measures import auc
from shared.contracts.model_card import number_of

Writer = Literal["lead", "system", "marketing", "sales"]

# One honest column rarely ranks this well alone; one that does is looked at by a person first.
SMELL_AUC = 0.90
# A cell without any win (or loss) by chance less often than this was written when the end was known.
SMELL_CHANCE_LOG = log(1e-6)


# Attributes of the catalog of facts (SCORING 1) by who writes them; Sales writes none of these.
ATTRIBUTES: dict[str, Writer] = {
    "title_level": "lead",
    "department": "lead",
    "country": "lead",
    "language": "lead",
    "time_zone": "system",
    "mail_domain_kind": "system",
    "industry": "marketing",
    "staff_band": "marketing",
    "is_target_industry": "marketing",
    "is_target": "marketing",
    "is_competitor": "marketing",
    "is_customer": "marketing",
    "is_known": "system",
    "is_hand_raiser": "lead",
    "entry_channel": "system",
    "traffic_source": "system",
    "medium": "system",
    "campaign": "system",
    # What the decision itself counted together from the lines above; the scorecard starts from the signed points.
    "points": "system",
    "fit": "system",
    "engagement": "system",
}
# Facts folded from activities are named `<measure>.<kind>`; kinds that Sales writes down may know the outcome.
MEASURES = ("weight", "count", "days_since")
KINDS_OF_SALES = frozenset({"call_connected", "call_attempted", "meeting_held", "site_visit"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one fact may not be read."""

    fact: str
    reason: str


def writer_of(fact: str) -> Writer | None:
    """Who writes a fact of our own catalog; None for one that nobody declared."""
    measure, dot, named = fact.partition(".")
    if not dot:
        return ATTRIBUTES.get(fact)
    if measure not in MEASURES:
        return None
    return "sales" if named.split(":")[0] in KINDS_OF_SALES else "lead"


def declared_of(facts: Iterable[str]) -> dict[str, Writer]:
    """The writers of those facts that the catalog declares."""
    found = {fact: writer_of(fact) for fact in facts}
    return {fact: writer for fact, writer in found.items() if writer is not None}


def refused_by_provenance(facts: Sequence[str], declared: Mapping[str, Writer]) -> tuple[Refusal, ...]:
    """Facts nobody declared, and facts written by Sales, in the order given."""
    refusals: list[Refusal] = []
    for fact in facts:
        writer = declared.get(fact)
        if writer is None:
            refusals.append(Refusal(fact=fact, reason="nobody declared who writes it and when"))
        elif writer == "sales":
            refusals.append(Refusal(fact=fact, reason="written by Sales, so it may know the outcome"))
    return tuple(refusals)


def smells(columns: Mapping[str, Column], won: Array) -> tuple[Refusal, ...]:
    """Facts that alone rank with AUC >= .90, or with a cell whose lack of wins or losses chance cannot explain."""
    found: list[Refusal] = []
    for name in sorted(columns):
        alone = _auc_alone(columns[name], won)
        if alone >= SMELL_AUC:
            found.append(Refusal(fact=name, reason=f"ranks alone with AUC {alone:.3f}"))
            continue
        cell = _pure_cell(name, columns[name], won)
        if cell is not None:
            found.append(Refusal(fact=name, reason=cell))
    return tuple(found)


def late_facts(
    known_at: Mapping[str, Sequence[datetime | None]], decided_at: Sequence[datetime]
) -> tuple[Refusal, ...]:
    """Facts known only after the decision they went into, on any row."""
    refusals: list[Refusal] = []
    for fact, moments in known_at.items():
        late = sum(moment is not None and moment > at for moment, at in zip(moments, decided_at, strict=True))
        if late:
            refusals.append(Refusal(fact=fact, reason=f"known only after the decision on {late} rows"))
    return tuple(refusals)


def honest(refusals: Sequence[Refusal], *, rows: int, facts: int) -> GateLine:
    """G5: every fact known at emission, declared, and without the smell of the outcome."""
    told = "; ".join(f"{refusal.fact}: {refusal.reason}" for refusal in refusals)
    return GateLine(
        test="G5",
        is_passed=not refusals,
        detail=told
        or f"{facts} facts on {rows} rows: all known at emission, declared, none ranks like the outcome itself",
    )


def _auc_alone(column: Column, won: Array) -> float:
    """AUC of the column alone, either way round: a number by its value, a category by its own rate of wins."""
    numbers = [None if value is None else number_of(value) for value in column]
    is_number = all(number is not None or value is None for number, value in zip(numbers, column, strict=True))
    if is_number:
        scores = np.array([-1.0 if number is None else number for number in numbers], dtype=np.float64)
    else:
        values = ["" if value is None else value for value in column]
        _, group = np.unique(np.array(values), return_inverse=True)
        rows = np.bincount(group)
        # Out of fold: a row's own outcome is left out, so that rare values do not rank by themselves.
        scores = (np.bincount(group, weights=won)[group] - won + won.mean()) / rows[group]
    ranked = auc(won, scores)
    return max(ranked, 1.0 - ranked) if is_number else ranked


def _pure_cell(name: str, column: Column, won: Array) -> str | None:
    """A cell without wins or losses whose chance at the base rate, (1 - b)^n or b^n, is below 1e-6."""
    base = float(won.mean())
    if not 0.0 < base < 1.0:
        return None
    coded = code(name, column)
    cells = design(coded, column)
    if coded.is_number:
        steps = cells[:, : len(coded.cuts)].sum(axis=1)
        known = np.array([value is not None for value in column], dtype=np.bool_)
        masks = [known & (steps == at) for at in range(len(coded.cuts) + 1)] + [~known]
    else:
        masks = [cells[:, at] == 1.0 for at in range(coded.width)]
    for mask in masks:
        n = int(mask.sum())
        wins = float(won[mask].sum())
        if n < CATEGORY_ROWS_MIN or 0 < wins < n:
            continue
        chance = n * log(1.0 - base if not wins else base)
        if chance < SMELL_CHANCE_LOG:
            return f"a cell of {n} rows has {'no win' if not wins else 'no loss'} (by chance e^{chance:.0f})"
    return None
