"""Reads the public data sets beside the checkout into the values of feedback's domain: rows, labels, columns."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from math import isnan
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from services.feedback.domain.coding import Column
from services.feedback.domain.labels import Array, Ending, HandedOff, Labels, Standing
from services.feedback.domain.measures import auc, calibration_error, wins_in_best
from services.feedback.domain.tuning import log_loss
from shared.contracts.model_card import ModelCard
from tests.support.material import material

START = datetime(2026, 1, 1, tzinfo=UTC)


def splits() -> Any:  # noqa: ANN401 - the module that lies beside the data
    """The split definitions, or None when the data is not here."""
    found = material("data/splits.py")
    if found is None:
        return None
    folder = str(Path(found).parent)
    if folder not in sys.path:
        sys.path.append(folder)
    return import_module("splits")


def columns_of(task: Any, *, without: Sequence[str] = ()) -> dict[str, Column]:  # noqa: ANN401 - of splits
    """The task's columns as facts: text, missing as None."""
    return {
        name: [None if _is_missing(value) else str(value) for value in values]
        for name, values in task.columns.items()
        if name not in without
    }


def rows_of(columns: Mapping[str, Column], positions: Iterable[int]) -> dict[str, Column]:
    """Those rows of every column."""
    listed = [int(at) for at in positions]
    return {name: [values[at] for at in listed] for name, values in columns.items()}


def hard_labels(won: Sequence[int]) -> Labels:
    """Labels of rows that have all matured."""
    n = len(won)
    return Labels(
        rows=tuple(HandedOff(handoff_id=UUID(int=at + 1), handed_at=START) for at in range(n)),
        standings=tuple(Standing.WON if each else Standing.LOST for each in won),
        ages=np.full(n, 100.0),
        delays=np.full(n, 1.0),
        conflicts=(),
    )


def handed_at(moments: Sequence[datetime]) -> list[HandedOff]:
    """One handed-off lead per moment, ids by position."""
    return [HandedOff(handoff_id=UUID(int=at + 1), handed_at=utc(moment)) for at, moment in enumerate(moments)]


def endings_of(moments: Sequence[datetime | None], verdict: Any) -> list[Ending]:  # noqa: ANN401 - a literal
    """An end per row that has a moment, learned when it happened."""
    offset = {"win": 10**6, "loss": 10**7}[verdict]
    return [
        Ending(
            outcome_id=UUID(int=offset + at),
            handoff_id=UUID(int=at + 1),
            verdict=verdict,
            occurred_at=utc(moment),
            recorded_at=utc(moment),
        )
        for at, moment in enumerate(moments)
        if moment is not None
    ]


def utc(moment: datetime) -> datetime:
    """A moment with a zone; dates of the sets without one are UTC."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def served(card: ModelCard, points: Array, held: Mapping[str, Column]) -> Array:
    """What the card says of each row, as scoring would serve it."""
    return np.array(
        [
            card.p_win(int(own), {fact: str(values[row]) for fact, values in held.items() if values[row] is not None})
            for row, own in enumerate(points)
        ]
    )


def figures(won: Array, p: Array) -> dict[str, float]:
    """AUC, log loss, calibration error, lift in the best tenth, predicted over actual."""
    return {
        "auc": auc(won, p),
        "log_loss": log_loss(won, p),
        "calibration_error": calibration_error(won, p),
        "lift": wins_in_best(won, p) / max(1, round(len(p) / 10)) / float(won.mean()),
        "predicted_over_actual": float(p.sum() / won.sum()),
    }


def told(name: str, found: dict[str, float]) -> None:
    """One line of figures."""
    listed = ", ".join(f"{key} {value:.4f}" for key, value in found.items())
    print(f"{name}: {listed}")  # noqa: T201 - the figures are the point


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and isnan(value))
