"""What a bench returns, how it is printed and kept: figures with their anchor, aim and gate, never an assertion."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

__all__ = ["Figure", "Result", "of_rounds", "quantile", "say", "table"]

_VERSIONS = ("fastapi", "uvicorn", "aiokafka", "sqlalchemy", "asyncpg", "pydantic", "orjson")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number: its rounds, the median of them, and the bar it is compared with.

    is_better: "higher" or "lower". gate and aim are in the figure's unit; None when the bar is only shown.
    """

    stage: str
    name: str
    unit: str
    value: float
    rounds: Sequence[float]
    is_better: str
    gate: float | None = None
    aim: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """aim, gate, below, or shown."""
        if self.gate is None and self.aim is None:
            return "shown"
        for name, bar in (("aim", self.aim), ("gate", self.gate)):
            if bar is not None and (self.value >= bar if self.is_better == "higher" else self.value <= bar):
                return name
        return "below"


@dataclass(frozen=True, slots=True)
class Result:
    """A whole run with what it ran on."""

    figures: Sequence[Figure]
    hardware: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, figures: Sequence[Figure]) -> "Result":
        """The figures with this machine's facts."""
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
        hardware = {
            "cores": str(os.cpu_count()),
            "machine": platform.machine(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "commit": commit.stdout.strip(),
        }
        return cls(figures, hardware, {name: version(name) for name in _VERSIONS})

    def write(self, file: Path) -> None:
        """Keep everything, every round too."""
        figures = [{**asdict(one), "verdict": one.verdict} for one in self.figures]
        file.write_text(
            json.dumps({"hardware": self.hardware, "versions": self.versions, "figures": figures}, indent=1)
        )


def of_rounds(
    stage: str,
    name: str,
    unit: str,
    rounds: Sequence[float],
    *,
    is_better: str,
    gate: float | None = None,
    aim: float | None = None,
    note: str = "",
) -> Figure:
    """A figure whose value is the median of its rounds (at least one)."""
    return Figure(stage, name, unit, median(rounds), tuple(rounds), is_better, gate, aim, note)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of the values lies; nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(figures: Sequence[Figure]) -> str:
    """The figures as people read them."""
    head = f"{'stage':12}{'what':52}{'median':>12}{'spread':>20}  {'unit':16}{'gate':>8}{'aim':>8}  verdict"
    lines = [head, "-" * len(head)]
    for one in figures:
        spread = f"{min(one.rounds):.4g} .. {max(one.rounds):.4g}"
        gate = "" if one.gate is None else f"{one.gate:g}"
        aim = "" if one.aim is None else f"{one.aim:g}"
        lines.append(
            f"{one.stage:12}{one.name:52}{one.value:12.4g}{spread:>20}  {one.unit:16}{gate:>8}{aim:>8}  {one.verdict}"
        )
        if one.note:
            lines.append(f"{'':12}{one.note}")
    return "\n".join(lines)


def say(text: str) -> None:
    """Progress, to stderr: stdout carries the table alone."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
