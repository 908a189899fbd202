"""Predicted over actual wins of what was really emitted: before any model was promoted, and under each model since.

Only matured outcomes of cohorts that have matured, with the probability as emitted then; where none was emitted,
the declared rate is what both teams were told. Pure. SCORING 7 and 9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from services.feedback.domain.commitments import Period
from services.feedback.domain.labels import Array, Ending, Standing, label
from services.feedback.domain.measures import calibration_error, predicted_over_actual, reliability
from services.feedback.domain.numbers import NUMBERS
from services.feedback.domain.reports import Cell, Report
from services.feedback.domain.retune import TrainingRow, Wanted, handed, matured_cohorts, p_emitted

DECLARED = "declared_rate"


@dataclass(frozen=True, slots=True)
class Emitted:
    """A training row and the model that gave its probability; none means the declared rate."""

    row: TrainingRow
    lead_id: UUID
    model_id: UUID | None


def calibration_report(
    emitted: Sequence[Emitted], endings: Sequence[Ending], *, wanted: Wanted, period: Period, gate: Mapping[str, float]
) -> Report:
    """One cell per scorer that emitted probabilities in the period, oldest first, and the gate's before and after.

    `gate` holds the metrics of the promoted model's sheet: there the same outcomes are judged by both scorers.
    """
    rows = [each for each in emitted if period.since <= each.row.handed_at < period.until]
    cells: list[Cell] = []
    bands: dict[str, Any] = {}
    for name, judged in _by_scorer(rows, endings, wanted).items():
        p = np.array([p_emitted(each.row, wanted) for each, _ in judged], dtype=np.float64)
        won = np.array([is_won for _, is_won in judged], dtype=np.float64)
        cells += _cells(name, p, won, lead_ids=tuple(each.lead_id for each, _ in judged))
        bands[name] = [{"rows": n, "predicted": mean, "won": share} for n, mean, share in reliability(won, p)]
    for key, metric in (("before", "champion_predicted_over_actual"), ("after", "challenger_predicted_over_actual")):
        cells.append(Cell(f"gate/{key}", f"the same on the gate's outcomes, {key}", gate.get(metric), "ratio"))
    return Report(
        name="calibration",
        definition="Probabilities as emitted, against matured outcomes of the handoffs opened in the period.",
        period=period,
        cells=tuple(cells),
        beside={
            "reliability": bands,
            "predicted_over_actual_before": gate.get("champion_predicted_over_actual"),
            "predicted_over_actual_after": gate.get("challenger_predicted_over_actual"),
        },
    )


def _by_scorer(
    rows: Sequence[Emitted], endings: Sequence[Ending], wanted: Wanted
) -> dict[str, list[tuple[Emitted, bool]]]:
    """Rows of matured cohorts with whether they were won, by the model that emitted, in order of handoff."""
    labels = label([handed(each.row) for each in rows], endings, as_of=wanted.as_of, horizon_days=wanted.horizon_days)
    by_id = {each.row.handoff_id: each for each in rows}
    found: dict[str, list[tuple[Emitted, bool]]] = {}
    for row, is_counted, is_won in zip(labels.rows, matured_cohorts(labels), labels.mask(Standing.WON), strict=True):
        if is_counted:
            each = by_id[row.handoff_id]
            found.setdefault(DECLARED if each.model_id is None else str(each.model_id), []).append((each, bool(is_won)))
    return found


def _cells(name: str, p: Array, won: Array, *, lead_ids: tuple[UUID, ...]) -> list[Cell]:
    ratio = _number(predicted_over_actual(won, p).value)
    gap = _number(calibration_error(won, p))
    return [
        Cell(f"{name}/predicted_over_actual", NUMBERS["predicted_over_actual"], ratio, "ratio", lead_ids),
        Cell(f"{name}/wins", "wins among matured outcomes", float(won.sum()), "wins", lead_ids),
        Cell(f"{name}/matured", "matured outcomes", len(won), "handoffs", lead_ids),
        Cell(f"{name}/calibration_error", "mean gap of 15 bands", gap, "share", lead_ids),
    ]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
