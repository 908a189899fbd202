"""The Lead page's answers: why this score (signed points that add up) and why this rep (the decision as it was made).

The sum is checked here: lines that do not add up to the score shown are said to be incomplete, never padded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.console.domain.records import HandoffRow, LeadRow, UserRow
from services.console.domain.words import label, line_sentence, spoken

__all__ = ["Candidate", "RepReason", "RuleAsked", "ScoreLine", "ScoreWhy", "score_why", "stage_of", "why_this_rep"]

_STAGE_OF_STATE = {
    "qualified": "marketing_qualified",
    "queued": "marketing_qualified",
    "assigned": "marketing_qualified",
    "accepted": "sales_accepted",
    "working": "sales_accepted",
    "opportunity": "opportunity",
    "won": "customer",
    "nurture": "nurture",
}


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One contribution: the sentence, the line it stands for, its signed points."""

    text: str
    line: str
    points: int


@dataclass(frozen=True, slots=True)
class ScoreWhy:
    """A score with all its lines; `is_whole` when they add up to it, which the page says."""

    score: int
    fit: int | None
    engagement: int | None
    lines: tuple[ScoreLine, ...]
    is_whole: bool
    is_qualified: bool
    agreement_version: int | None
    decided_by: str


@dataclass(frozen=True, slots=True)
class RuleAsked:
    """One routing rule in the order it was asked, and its answer."""

    rule: str
    answer: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One rep who could have been picked; `reason` says why not, and is empty for the one picked."""

    name: str
    is_picked: bool
    reason: str


@dataclass(frozen=True, slots=True)
class RepReason:
    """A routing decision as people read it."""

    decision_id: UUID | None
    picked: str
    rules: tuple[RuleAsked, ...]
    candidates: tuple[Candidate, ...]
    fairness: str
    agreement_version: int | None


def score_why(explanation: Mapping[str, Any] | None, lead: LeadRow) -> ScoreWhy | None:
    """Why a lead has its score: scoring's explanation when it answers, else what its last event carried."""
    source: Mapping[str, Any] = explanation or lead.decision
    score = _number(source.get("score"), lead.score)
    if score is None:
        return None
    raw = (
        source.get("lines")
        or source.get("reasons")
        or [{"line": reason.line, "points": reason.points} for reason in lead.reasons]
    )
    lines = tuple(sorted((_score_line(item) for item in raw), key=lambda line: (-line.points, line.line)))
    return ScoreWhy(
        score=score,
        fit=_number(source.get("fit"), lead.fit),
        engagement=_number(source.get("engagement"), lead.engagement),
        lines=lines,
        is_whole=sum(line.points for line in lines) == score,
        is_qualified=bool(source.get("is_qualified", lead.is_qualified)),
        agreement_version=_number(source.get("agreement_version"), None),
        decided_by="Model" if source.get("model_id") else "Points of the agreement",
    )


def why_this_rep(
    record: Mapping[str, Any] | None, handoff: HandoffRow | None, users: Mapping[UUID, UserRow]
) -> RepReason | None:
    """Why this rep: handoff's decision record when it answers, else what the assignment's event said."""
    if handoff is None:
        return None
    if record is None:
        if handoff.owner_id is None:
            return None
        return RepReason(handoff.decision_id, _rep_name(handoff.owner_id, users), (), (), "", handoff.agreement_version)
    result = record.get("result") or {}
    picked = result.get("rep_id") or handoff.owner_id
    return RepReason(
        decision_id=handoff.decision_id,
        picked=_picked(picked, result, users),
        rules=tuple(_rule(row) for row in _rows(record.get("rules"))),
        candidates=tuple(_candidate(row, picked, users) for row in _rows(record.get("candidates"))),
        fairness=_fairness(_rows(record.get("candidates")), picked) if result.get("is_rotated") else "",
        agreement_version=_number(record.get("agreement_version"), handoff.agreement_version),
    )


def stage_of(lead: LeadRow, handoffs: Iterable[HandoffRow]) -> str:
    """The lifecycle stage to show, from the newest handoff, else from what is known of the lead."""
    newest = max(handoffs, key=lambda handoff: (handoff.cycle, handoff.opened_at), default=None)
    if newest is not None:
        return _STAGE_OF_STATE.get(newest.state, newest.state)
    if lead.is_qualified:
        return "marketing_qualified"
    return "known" if lead.is_known else "anonymous"


def _score_line(item: Any) -> ScoreLine:  # noqa: ANN401  # JSON of another service
    values = item if isinstance(item, Mapping) else {"line": item[0], "points": item[1]}
    line = str(values.get("line", ""))
    return ScoreLine(line_sentence(line), line, int(values.get("points", 0)))


def _picked(picked: object, result: Mapping[str, Any], users: Mapping[UUID, UserRow]) -> str:
    if picked is None:
        return f"Waits in {spoken(str(result.get('queue') or 'a queue')).lower()}"
    return _rep_name(picked, users)


def _rows(table: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # JSON of another service
    """The rows of a record's table (`columns`, `rows`) as one mapping each."""
    if not isinstance(table, Mapping):
        return []
    return [dict(zip(table["columns"], row, strict=False)) for row in table["rows"]]


def _rule(row: Mapping[str, Any]) -> RuleAsked:
    answer = " ".join(str(part) for part in (row.get("result"), row.get("pool")) if part)
    return RuleAsked(
        spoken(str(row.get("rule", ""))),
        " · ".join(spoken(part) for part in (answer, str(row.get("reason") or "")) if part),
    )


def _candidate(row: Mapping[str, Any], picked: object, users: Mapping[UUID, UserRow]) -> Candidate:
    is_picked = str(row.get("rep_id")) == str(picked)
    exclusion = row.get("exclusion")
    reason = label("exclusion", exclusion) if exclusion else "" if is_picked else "It was not this rep's turn"
    return Candidate(_rep_name(row.get("rep_id"), users), is_picked=is_picked, reason=reason)


def _fairness(rows: Iterable[Mapping[str, Any]], picked: object) -> str:
    """What the ledger said of the one picked, before this lead."""
    for row in rows:
        if str(row.get("rep_id")) == str(picked) and row.get("entitled") is not None:
            return f"Before this lead: {row.get('received')} received of {float(row['entitled']):.1f} entitled."
    return ""


def _number(value: Any, default: int | None) -> int | None:  # noqa: ANN401  # JSON of another service
    return int(value) if isinstance(value, (int, float)) else default


def _rep_name(rep: object, users: Mapping[UUID, UserRow]) -> str:
    try:
        user = users.get(rep if isinstance(rep, UUID) else UUID(str(rep)))
    except ValueError:
        return str(rep)
    return user.display_name if user else f"Rep {str(rep)[:8]}"
