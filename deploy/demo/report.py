"""Tells what happened in the demo: a funnel, what was promised and kept, who did what, what the loop learned. Pure.

Tables are (title, columns, rows); the command prints them. Whom a number is about stands in its title or column.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from deploy.demo.figures import Figures, Handoff, percentile, span
from shared.contracts.kinds import HandoffState

__all__ = ["Table", "tables"]

Table = tuple[str, Sequence[str], Sequence[Sequence[object]]]

_BAR = 30
_FITTED = {
    "points_platt": "by points, fitted to what became of earlier leads",
    "scorecard": "by what is known of a lead, fitted to what became of earlier ones",
}
_TIERS = {"hand_raiser": "asked for us", "scored": "by score", "list": "from a list"}


def tables(figures: Figures, document: Mapping[str, Any], *, names: Mapping[UUID, str]) -> list[Table]:
    """What the demo prints at its end; names are those of the reps."""
    return [
        _funnel(figures),
        _promises(figures),
        _reps(figures, names),
        _reasons(figures),
        _learned(figures, document),
        _mishaps(document),
        _ledger(document),
    ]


def _funnel(figures: Figures) -> Table:
    """Each person once, whatever they went through twice."""
    stages = [
        ("known by name", len(figures.known - figures.moved)),
        ("handed off to Sales", _people(figures, lambda _: True)),
        ("taken by a rep", _people(figures, lambda one: one.is_taken)),
        ("touched", _people(figures, lambda one: one.first_touch_at is not None)),
        ("opportunity", _people(figures, lambda one: one.had_opportunity)),
        ("won", _people(figures, lambda one: one.state is HandoffState.WON)),
    ]
    first = stages[0][1] or 1
    rows = [
        [
            stage,
            number,
            _share(number, stages[max(at - 1, 0)][1]),
            _share(number, first),
            "█" * round(_BAR * number / first),
        ]
        for at, (stage, number) in enumerate(stages)
    ]
    return "Funnel", ["", "people", "of those before", "of all", ""], rows


def _people(figures: Figures, is_there: Callable[[Handoff], bool]) -> int:
    return len({one.root for one in figures.handoffs.values() if is_there(one)})


def _promises(figures: Figures) -> Table:
    ends = figures.clock_ends()
    rows = []
    for tier, shown in _TIERS.items():
        speeds = figures.speeds(tier)
        if speeds:
            cells = [cell for kind in ("accept", "touch") for cell in _kept(ends, (tier, kind))]
            rows.append([shown, *cells, span(percentile(speeds, 0.5)), span(percentile(speeds, 0.95))])
    columns = [
        "leads",
        "taken in time",
        "late",
        "touched in time",
        "late",
        "half touched within",
        "19 of 20 within",
    ]
    return "What Sales promised: kept and missed (of promises that ended)", columns, rows


def _reps(figures: Figures, names: Mapping[UUID, str]) -> Table:
    ends = figures.rep_clock_ends()
    won = Counter(one.last_owner for one in figures.handoffs.values() if one.state is HandoffState.WON)
    rows = []
    for rep, name in sorted(names.items(), key=lambda one: one[1]):
        did = figures.per_rep.get(rep, Counter())
        cells = [cell for kind in ("accept", "touch") for cell in _kept(ends, (rep, kind))]
        speed = span(percentile(figures.speeds(owner=rep), 0.5))
        rows.append([name, did["assigned"], *cells, speed, did["rejected"], won[rep]])
    columns = [
        "rep",
        "given",
        "taken in time",
        "late",
        "touched in time",
        "late",
        "half touched within",
        "rejected",
        "won",
    ]
    return "The same by rep", columns, rows


def _kept(ends: Mapping[Any, int], whose: tuple[object, str]) -> tuple[object, object]:
    """Promises kept and missed of one kind; a dash where none of them ended."""
    kept, missed = ends.get((*whose, "met"), 0), ends.get((*whose, "breached"), 0)
    return (kept, missed) if kept + missed else ("-", "-")


def _reasons(figures: Figures) -> Table:
    rows = [[reason.replace("_", " "), number] for reason, number in figures.rejected.most_common()]
    return "Why reps said no", ["reason", "rejections"], rows


def _learned(figures: Figures, document: Mapping[str, Any]) -> Table:
    model = document["model"]
    before, after = model["predicted_over_actual_before"], model["predicted_over_actual_after"]
    rows = [
        ["predicted wins per real win, before", _figure(before), "everybody at the declared rate; 1.00 would be right"],
        ["predicted wins per real win, after", _figure(after), _FITTED.get(model["family"], "")],
        ["fits published", model["published"], "one a week once there were results to learn from"],
        ["promoted by two approvals", model["promoted"], _approved(figures)],
    ]
    return "What the loop learned", ["what", "figure", "how"], rows


def _approved(figures: Figures) -> str:
    if not figures.promoted:
        return "no fit passed its gate yet"
    last = figures.promoted[-1]
    return f"one of each team; {str(last.model_id)[:8]} decides since then"


def _mishaps(document: Mapping[str, Any]) -> Table:
    rows = [
        ["mail opened by software: kept, scored with nothing", document["machine_activities"]],
        ["came a day late or more: counted at its true time", document["late_activities"]],
        ["sent twice: dropped", document["repeats_dropped"]],
        ["two records that were one person: merged", document["merged"]],
        ["consent withdrawn: no longer scored or routed", document["consents_withdrawn"]],
        ["given to another rep", document["handoffs"]["reassigned"]],
        ["acted on a state that was gone: refused and told", document["overtaken_commands"]],
    ]
    return "What went wrong in the world, and was handled", ["", ""], rows


def _ledger(document: Mapping[str, Any]) -> Table:
    rows = [
        ["deliveries kept", document["deliveries"]],
        ["activities recorded", document["activities"]],
        ["repeats dropped", document["repeats_dropped"]],
        ["rows nobody accounts for", document["ledger_gap"]],
        ["events parked", document["parked"]],
        ["events not sent yet", document["outbox_waiting"]],
        ["people with two owners at once", document["two_owner_leads"]],
    ]
    return "Conservation ledger: the last four must be 0", ["", "number"], rows


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
