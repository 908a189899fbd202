"""The Lead page's answers: why this score (signed points that add up) and why this rep (the decision as it was made).

The sum is checked here: lines that do not add up to the score shown are said to be incomplete, never padded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.console.domain.records import HandoffRow, LeadRow, UserRow
from services.console.domain.words import line_sentence, spoken

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
    picked = record.get("rep_id") or record.get("owner_id") or handoff.owner_id
    excluded = [_excluded(item, users) for item in _items(record.get("exclusions") or record.get("excluded"))]
    named = {candidate.name for candidate in excluded}
    eligible = [_eligible(item, picked, users) for item in _items(record.get("candidates"))]
    return RepReason(
        decision_id=handoff.decision_id,
        picked=_rep_name(picked, users) if picked else "Nobody",
        rules=tuple(_rule(item) for item in _items(record.get("rules") or record.get("rules_asked"))),
        candidates=tuple(c for c in eligible if c.is_picked or c.name not in named) + tuple(excluded),
        fairness=_fairness(record.get("fairness")),
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
    text = str(values.get("sentence") or values.get("text") or line_sentence(line))
    return ScoreLine(text, line, int(values.get("points", 0)))


def _rule(item: Any) -> RuleAsked:  # noqa: ANN401  # JSON of another service
    if not isinstance(item, Mapping):
        return RuleAsked(spoken(str(item)), "")
    answer = str(item.get("result") or item.get("outcome") or item.get("answer") or "")
    reason = str(item.get("reason") or "")
    return RuleAsked(spoken(str(item.get("rule", ""))), " · ".join(spoken(part) for part in (answer, reason) if part))


def _excluded(item: Any, users: Mapping[UUID, UserRow]) -> Candidate:  # noqa: ANN401  # JSON of another service
    values = item if isinstance(item, Mapping) else {"rep_id": item}
    rep = values.get("rep_id") or values.get("rep")
    return Candidate(_rep_name(rep, users), is_picked=False, reason=spoken(str(values.get("reason") or "excluded")))


def _eligible(item: Any, picked: object, users: Mapping[UUID, UserRow]) -> Candidate:  # noqa: ANN401  # JSON
    values = item if isinstance(item, Mapping) else {"rep_id": item}
    rep = values.get("rep_id") or values.get("rep")
    is_picked = str(rep) == str(picked)
    reason = "" if is_picked else spoken(str(values.get("reason") or "not next in turn"))
    return Candidate(_rep_name(rep, users), is_picked=is_picked, reason=reason)


def _fairness(entry: Any) -> str:  # noqa: ANN401  # JSON of another service
    if not isinstance(entry, Mapping):
        return ""
    return " · ".join(
        f"{spoken(str(key))} {value}" for key, value in entry.items() if not isinstance(value, (dict, list))
    )


def _items(value: Any) -> Sequence[Any]:  # noqa: ANN401  # JSON of another service
    return value if isinstance(value, list) else []


def _number(value: Any, default: int | None) -> int | None:  # noqa: ANN401  # JSON of another service
    return int(value) if isinstance(value, (int, float)) else default


def _rep_name(rep: object, users: Mapping[UUID, UserRow]) -> str:
    try:
        user = users.get(rep if isinstance(rep, UUID) else UUID(str(rep)))
    except ValueError:
        return str(rep)
    return user.display_name if user else f"Rep {str(rep)[:8]}"
