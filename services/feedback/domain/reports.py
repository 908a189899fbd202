"""The agreed pages: each number with its sentence and the leads behind it.

Parts sum to the whole; nothing is rounded here.

A report is a list of cells; a cell opens to its lead ids. What a page needs beside them (steps, bands, names) is
`beside`. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isnan
from typing import Any
from uuid import UUID

from services.feedback.domain.commitments import MEASURES, Facts, Period
from services.feedback.domain.funnel import Funnel, Journey, by_group, funnel
from services.feedback.domain.handoffs import HandoffRecord
from services.feedback.domain.journeys import Deal
from services.feedback.domain.numbers import NUMBERS
from services.feedback.domain.speed import speed

NAMES = ("funnel", "speed_to_lead", "acceptance", "campaigns", "calibration", "loop_review")
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One number: its key, its sentence, its value (None: nothing to measure yet), unit, and the leads behind it."""

    key: str
    title: str
    value: float | None
    unit: str
    lead_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """One page of a period [since, until)."""

    name: str
    definition: str
    period: Period
    cells: tuple[Cell, ...]
    beside: Mapping[str, Any] = field(default_factory=dict)

    def cell(self, key: str) -> Cell | None:
        """The cell of a key."""
        return next((cell for cell in self.cells if cell.key == key), None)


def funnel_report(journeys: Sequence[Journey], period: Period, *, is_grouped: bool) -> Report:
    """The cohort that became known in the period, through the stages reached by now."""
    whole = funnel(journeys, since=period.since, until=period.until)
    groups = by_group(journeys, since=period.since, until=period.until) if is_grouped else {}
    cells = [*_funnel_cells(whole, "")]
    for name, part in groups.items():
        cells += _funnel_cells(part, f"{name}/")
    beside: dict[str, Any] = {
        "steps": _steps(whole),
        "detours": [{"name": name, "count": len(ids)} for name, ids in whole.detours.items()],
        "groups": [{"name": name, "steps": _steps(part)} for name, part in groups.items()],
    }
    return Report(
        name="funnel",
        definition="People who became known in the period, by the furthest stage they have reached by now.",
        period=period,
        cells=tuple(cells),
        beside=beside,
    )


def speed_report(handoffs: Sequence[HandoffRecord], period: Period) -> Report:
    """Speed to lead of the handoffs opened in the period."""
    found = speed(handoffs, since=period.since, until=period.until)
    cells = [
        Cell("touched", "handoffs with a first touch", len(found.seconds), "handoffs", found.lead_ids),
        Cell("waiting", "handoffs without a touch yet", len(found.waiting), "handoffs", found.waiting),
    ]
    cells += [
        Cell(
            key,
            NUMBERS.get(key, f"speed to lead, {share:.0%} kept it"),
            _known(found.quantile(share)),
            "seconds",
            found.lead_ids,
        )
        for key, share in (("speed_to_lead_p50", 0.5), ("speed_to_lead_p90", 0.9), ("speed_to_lead_p95", 0.95))
    ]
    cells += [
        Cell(f"share_over_{hours}h", f"share that waited over {hours} h", _known(found.share_over(hours)), "share")
        for hours in (4, 24)
    ]
    cells += [Cell(f"band/{name}", name, len(ids), "handoffs", ids) for name, ids in found.bands().items()]
    return Report(
        name="speed_to_lead",
        definition="Wall time from qualified to the first touch by Sales, of handoffs opened in the period.",
        period=period,
        cells=tuple(cells),
    )


def acceptance_report(facts: Facts, period: Period, now: datetime) -> Report:
    """Acceptance, time kept and reasons of the handoffs of a period."""
    cells = [cell for name in MEASURES for cell in measure_cells(name, facts, period, now)]
    reasons: dict[str, list[UUID]] = {}
    for record in facts.handoffs:
        if period.since <= record.opened_at < period.until:
            for step in record.rejections:
                reasons.setdefault(step.reason_code, []).append(record.lead_id)
    worst = sorted(reasons.items(), key=lambda each: (-len(each[1]), each[0]))
    cells += [Cell(f"reject/{code}", f"rejected: {code}", len(ids), "rejections", tuple(ids)) for code, ids in worst]
    return Report(
        name="acceptance",
        definition="Handoffs opened in the period, clocks due in it, and the reasons of rejections.",
        period=period,
        cells=tuple(cells),
    )


def measure_cells(name: str, facts: Facts, period: Period, now: datetime) -> list[Cell]:
    """A measure's value and the leads that kept it, missed it, or are not decided."""
    measure = MEASURES[name]
    found = measure.sort(facts, period, now)
    decided = len(found.kept) + len(found.missed)
    value = float(len(found.kept)) if measure.is_count else len(found.kept) / decided if decided else None
    ids = {part: tuple(each.lead_id for each in getattr(found, part)) for part in ("kept", "missed", "undecided")}
    cells = [Cell(name, measure.sentence, value, "leads" if measure.is_count else "share", ids["kept"])]
    if not measure.is_count:
        cells.append(Cell(f"{name}/missed", f"against: {measure.sentence}", len(ids["missed"]), "leads", ids["missed"]))
    if ids["undecided"]:
        cells.append(Cell(f"{name}/undecided", "not decided yet", len(ids["undecided"]), "leads", ids["undecided"]))
    return cells


def review_report(numbers: Sequence[str], facts: Facts, deals: Sequence[Deal], period: Period, now: datetime) -> Report:
    """The page both teams look at together: the numbers the agreement names, in its order."""
    cells: list[Cell] = []
    found = speed(facts.handoffs, since=period.since, until=period.until)
    for name in numbers:
        if name in MEASURES:
            cells += measure_cells(name, facts, period, now)
        elif name == "opportunities":
            own = [deal for deal in deals if period.since <= deal.opened_at < period.until]
            cells.append(Cell(name, NUMBERS[name], len(own), "deals", tuple(deal.lead_id for deal in own)))
        elif name == "pipeline_minor":
            cells += money_cells(name, [deal for deal in deals if _is_open(deal, period.until)])
        elif name == "revenue_minor":
            cells += money_cells(name, [deal for deal in deals if _is_won_in(deal, period)])
        elif name in {"speed_to_lead_p50", "speed_to_lead_p95"}:
            share = 0.5 if name.endswith("50") else 0.95
            cells.append(Cell(name, NUMBERS[name], _known(found.quantile(share)), "seconds", found.lead_ids))
    return Report(
        name="loop_review",
        definition="The numbers both teams agreed to look at together.",
        period=period,
        cells=tuple(cells),
    )


def money_cells(name: str, deals: Sequence[Deal]) -> list[Cell]:
    """One cell per currency: amounts of different currencies are never added."""
    by_currency: dict[str, list[Deal]] = {}
    for deal in deals:
        by_currency.setdefault(deal.currency, []).append(deal)
    return [
        Cell(
            f"{name}/{currency}",
            NUMBERS[name],
            sum(deal.amount_minor for deal in own),
            f"{currency} minor",
            tuple(deal.lead_id for deal in own),
        )
        for currency, own in sorted(by_currency.items())
    ]


def _funnel_cells(found: Funnel, prefix: str) -> list[Cell]:
    cells = [
        Cell(f"{prefix}{bar.stage}", f"people who reached {bar.stage}", len(bar.lead_ids), "leads", bar.lead_ids)
        for bar in found.bars
    ]
    cells += [
        Cell(f"{prefix}detour/{name}", f"people who stand aside: {name}", len(ids), "leads", ids)
        for name, ids in found.detours.items()
    ]
    return cells


def _steps(found: Funnel) -> list[dict[str, Any]]:
    return [
        {
            "name": bar.stage,
            "count": len(bar.lead_ids),
            "share_of_previous": bar.share_of_previous,
            "median_seconds": None if bar.median_days is None else bar.median_days * DAY_SECONDS,
        }
        for bar in found.bars
    ]


def _is_open(deal: Deal, at: datetime) -> bool:
    """Open at a moment: opened before it, and not ended before it."""
    return deal.opened_at < at and (deal.result == "open" or deal.occurred_at >= at)


def _is_won_in(deal: Deal, period: Period) -> bool:
    return deal.result == "won" and period.since <= deal.occurred_at < period.until


def _known(value: float) -> float | None:
    return None if isnan(value) else value
