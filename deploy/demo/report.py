"""Tells what happened in the demo: a funnel, what was promised and kept, who did what, what the loop learned. Pure.

Tables are (title, columns, rows); the command prints them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from deploy.demo.figures import Figures, percentile, span
from shared.contracts.kinds import HandoffState

__all__ = ["Table", "tables"]

Table = tuple[str, Sequence[str], Sequence[Sequence[object]]]


def tables(figures: Figures, document: Mapping[str, Any], *, names: Mapping[UUID, str]) -> list[Table]:
    """What the demo prints at its end; names are those of the reps."""
    return [
        _funnel(figures),
        _promises(figures),
        _reps(figures, names),
        _reasons(figures),
        _learned(document),
        _ledger(document),
    ]


def _funnel(figures: Figures) -> Table:
    states = figures.states()
    handed = len(figures.handoffs)
    stages = [
        ("known people", len(figures.leads)),
        ("handed off", handed),
        ("accepted or worked", handed - _never_taken(figures)),
        ("touched", sum(one.first_touch_at is not None for one in figures.handoffs.values())),
        ("opportunity", states[HandoffState.OPPORTUNITY] + states[HandoffState.WON] + states[HandoffState.LOST]),
        ("won", states[HandoffState.WON]),
    ]
    first = stages[0][1] or 1
    rows = []
    for at, (stage, number) in enumerate(stages):
        before = stages[at - 1][1] if at else number
        rows.append([stage, number, _share(number, before), "█" * round(30 * number / first)])
    return "Funnel", ["stage", "people", "of the stage before", ""], rows


def _promises(figures: Figures) -> Table:
    ends = figures.clock_ends()
    rows = []
    for tier in ("hand_raiser", "scored", "list"):
        for kind in ("accept", "touch"):
            met, breached = ends[(tier, kind, "met")], ends[(tier, kind, "breached")]
            speeds = figures.speeds(tier) if kind == "touch" else []
            if met or breached:
                half, most = span(percentile(speeds, 0.5)), span(percentile(speeds, 0.95))
                rows.append([tier, kind, met, breached, _share(met, met + breached), half, most])
    return "Promises (clocks that ended)", ["tier", "promise", "kept", "missed", "kept share", "p50", "p95"], rows


def _reps(figures: Figures, names: Mapping[UUID, str]) -> Table:
    won = Counter(one.last_owner for one in figures.handoffs.values() if one.state is HandoffState.WON)
    rows = [
        [name, did["assigned"], did["touched"], did["missed"], won[rep]]
        for rep, name in names.items()
        for did in [figures.per_rep.get(rep, Counter())]
    ]
    return "Reps", ["rep", "assigned", "touched", "promises missed", "won"], sorted(rows, key=lambda row: str(row[0]))


def _reasons(figures: Figures) -> Table:
    rows = [[reason, number] for reason, number in figures.rejected.most_common()]
    return "Why reps said no", ["reason", "rejections"], rows


def _learned(document: Mapping[str, Any]) -> Table:
    model = document["model"]
    rows = [
        ["fits published", model["published"], ""],
        ["promoted by two approvals", model["promoted"], f"generation {model['version']}"],
        ["predicted wins over actual wins, before", _figure(model["predicted_over_actual_before"]), "declared rate"],
        ["predicted wins over actual wins, after", _figure(model["predicted_over_actual_after"]), "the fitted card"],
    ]
    return "What the loop learned", ["", "figure", ""], rows


def _ledger(document: Mapping[str, Any]) -> Table:
    rows = [
        ["deliveries kept", document["deliveries"]],
        ["activities recorded", document["activities"]],
        ["repeats dropped", document["repeats_dropped"]],
        ["people with two owners at once", document["two_owner_leads"]],
        ["events parked", document["parked"]],
        ["events waiting in an outbox", document["outbox_waiting"]],
        ["rows nobody accounts for", document["ledger_gap"]],
    ]
    return "Conservation ledger", ["", "number"], rows


def _never_taken(figures: Figures) -> int:
    states = figures.states()
    waiting = (HandoffState.QUALIFIED, HandoffState.QUEUED, HandoffState.ASSIGNED)
    never = sum(
        one.first_touch_at is None
        for one in figures.handoffs.values()
        if one.state in {HandoffState.NURTURE, HandoffState.DISQUALIFIED, HandoffState.SUPPRESSED, HandoffState.MERGED}
    )
    return sum(states[state] for state in waiting) + never


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
