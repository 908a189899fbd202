"""Predicted over actual wins of what was really emitted.

Before any model was promoted, and under each model since.

Only matured outcomes of cohorts that have matured, with the probability as emitted then; where none was emitted,
the declared rate is what both teams were told. Pure. SCORING 7 and 9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from services.feedback.domain.commitments import Period
from services.feedback.domain.labels import Ending, Standing, label
from services.feedback.domain.measures import calibration_error, predicted_over_actual, reliability
from services.feedback.domain.numbers import NUMBERS
from services.feedback.domain.reports import Cell, Report
from services.feedback.domain.retune import TrainingRow, Wanted, handed, in_order, matured_cohorts, p_emitted

DECLARED = "declared_rate"


@dataclass(frozen=True, slots=True)
class Emitted:
    """A training row and the model that gave its probability; none means the declared rate."""

    row: TrainingRow
    lead_id: UUID
    model_id: UUID | None


def calibration_report(
    emitted: Sequence[Emitted], endings: Sequence[Ending], wanted: Wanted, period: Period, gate: Mapping[str, float]
) -> Report:
    """One cell per scorer that emitted probabilities in the period, oldest first, and the gate's before and after.

    `gate` holds the metrics of the promoted model's sheet: there the same outcomes are judged by both scorers.
    """
    rows = [each for each in emitted if period.since <= each.row.handed_at < period.until]
    labels = label([handed(each.row) for each in rows], endings, as_of=wanted.as_of, horizon_days=wanted.horizon_days)
    kept = in_order([each.row for each in rows], labels)
    by_id = {each.row.handoff_id: each for each in rows}
    counted = matured_cohorts(labels)
    won = labels.mask(Standing.WON).astype(np.float64)
    groups: dict[str, list[int]] = {}
    for at, row in enumerate(kept):
        if counted[at]:
            model_id = by_id[row.handoff_id].model_id
            groups.setdefault(DECLARED if model_id is None else str(model_id), []).append(at)
    cells: list[Cell] = []
    bands: dict[str, Any] = {}
    for name, positions in groups.items():
        p = np.array([p_emitted(kept[at], wanted) for at in positions], dtype=np.float64)
        y = won[positions]
        ratio = predicted_over_actual(y, p)
        gap = calibration_error(y, p)
        lead_ids = tuple(by_id[kept[at].handoff_id].lead_id for at in positions)
        cells += [
            Cell(
                f"{name}/predicted_over_actual",
                NUMBERS["predicted_over_actual"],
                _number(ratio.value),
                "ratio",
                lead_ids,
            ),
            Cell(f"{name}/wins", "wins among matured outcomes", float(y.sum()), "wins", lead_ids),
            Cell(f"{name}/matured", "matured outcomes", len(positions), "handoffs", lead_ids),
            Cell(f"{name}/calibration_error", "mean gap of 15 bands", _number(gap), "share", lead_ids),
        ]
        bands[name] = [{"rows": n, "predicted": mean, "won": share} for n, mean, share in reliability(y, p)]
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


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
