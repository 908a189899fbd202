"""Which outcome a step of a handoff or a state of a CRM deal is, and which outcomes give a training label.

A rejection or a disposition counts as a loss only when its reason leads to `disqualify` in the agreement in force;
everything sent to nurture stays open, as the lead may still be won. Pure. DOMAIN 6, SCORING 6.
"""

from dataclasses import dataclass
from typing import Literal

from services.feedback.domain.handoffs import Step
from shared.contracts.agreement import ReasonTerms

What = Literal["accepted", "rejected", "recycled", "disqualified", "opportunity", "won", "lost", "churned"]
Result = Literal["open", "won", "lost"]

# What may be reported by API or CSV; the rest is said by the handoff itself.
REPORTED: frozenset[str] = frozenset({"opportunity", "won", "lost", "churned"})
UNFIT = "unfit"


@dataclass(frozen=True, slots=True)
class Told:
    """An outcome as one step tells it."""

    what: What
    reason_code: str
    tags: tuple[str, ...]


def outcome_of(step: Step, reasons: ReasonTerms) -> Told | None:
    """The outcome this step is; None for steps that only move the handoff (assigned, paused, returned, escalated)."""
    match step.kind:
        case "accepted":
            return Told(what="accepted", reason_code="", tags=())
        case "rejected":
            return Told(what="rejected", reason_code=step.reason_code, tags=_tags(step.reason_code, reasons))
        case "disposed":
            return _of_disposition(step)
        case _:
            return None


def outcome_of_result(result: Result) -> What:
    """The outcome a CRM deal's state is."""
    return "opportunity" if result == "open" else result


def is_ending(what: str, tags: tuple[str, ...]) -> bool:
    """Whether an outcome matures a label: won, explicitly lost, or unfit."""
    return what in {"won", "lost", "disqualified"} or (what == "rejected" and UNFIT in tags)


def contradicts(what: str, other: str) -> bool:
    """Whether two standing outcomes of one handoff cannot both be true: one says won, the other ended without a win."""
    return "won" in {what, other} and bool({what, other} & {"lost", "disqualified"})


def _of_disposition(step: Step) -> Told | None:
    match step.disposition:
        case "opportunity":
            return Told(what="opportunity", reason_code="", tags=())
        case "recycle":
            return Told(what="recycled", reason_code=step.reason_code, tags=())
        case "disqualify":
            return Told(what="disqualified", reason_code=step.reason_code, tags=(UNFIT,))
        case _:
            return None


def _tags(reason_code: str, reasons: ReasonTerms) -> tuple[str, ...]:
    term = reasons.reject.get(reason_code)
    return (UNFIT,) if term is not None and term.route == "disqualify" else ()
