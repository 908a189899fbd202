"""How both teams keep what they promised per period: the measure, its status, and the leads behind it.

Each measure sorts what fell in the period into kept, missed and not yet decided; the value is kept / (kept +
missed), or a count. A clock missed by an outage or by incomplete data is not charged to Sales. Pure; the promises
themselves stand in the agreement.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from services.feedback.domain.handoffs import HandoffRecord
from shared.contracts.agreement import Commitment

Per = Literal["week", "month", "quarter"]
Status = Literal["on_track", "at_risk", "cannot_be_reached", "settling", "kept", "missed"]

# Facts of a period that are learned later than this go to an adjustment line, not into the verdict (DOMAIN 6).
SETTLING = timedelta(days=30)
COVERAGE = timedelta(days=30)
BAD_DATA = "bad_data"


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar period in UTC, [since, until)."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """One thing a measure counts, by the lead it is about."""

    lead_id: UUID
    handoff_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Qualification:
    """A lead met the criteria."""

    lead_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What measures read: qualifications and handoffs, of any period."""

    qualifications: Sequence[Qualification]
    handoffs: Sequence[HandoffRecord]


@dataclass(frozen=True, slots=True)
class Sorted:
    """What fell in the period: counted for the value, against it, or still open."""

    kept: tuple[Counted, ...]
    missed: tuple[Counted, ...] = ()
    undecided: tuple[Counted, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """A named measure with the sentence both teams read; a count has no denominator."""

    name: str
    sentence: str
    is_count: bool
    sort: Callable[[Facts, Period, datetime], Sorted]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one commitment stands in one period."""

    commitment: Commitment
    sentence: str
    period: Period
    value: float | None
    status: Status
    sorted: Sorted


def period_of(moment: datetime, per: Per) -> Period:
    """The week (from Monday), month or quarter a moment lies in, UTC."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match per:
        case "week":
            since = day - timedelta(days=day.weekday())
            return Period(since=since, until=since + timedelta(days=7))
        case "month":
            since = day.replace(day=1)
            return Period(since=since, until=_months_later(since, 1))
        case "quarter":
            since = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
            return Period(since=since, until=_months_later(since, 3))


def standing_of(commitment: Commitment, facts: Facts, *, period: Period, now: datetime) -> Standing:
    """Value and status of one commitment; raises KeyError for a measure that `check` would have refused."""
    measure = MEASURES[commitment.measure]
    found = measure.sort(facts, period, now)
    value = _value(found, is_count=measure.is_count)
    return Standing(
        commitment=commitment,
        sentence=measure.sentence,
        period=period,
        value=value,
        status=_status(commitment, found, value, measure=measure, period=period, now=now),
        sorted=found,
    )


def _value(found: Sorted, *, is_count: bool) -> float | None:
    if is_count:
        return float(len(found.kept))
    decided = len(found.kept) + len(found.missed)
    return len(found.kept) / decided if decided else None


def _status(
    commitment: Commitment, found: Sorted, value: float | None, *, measure: Measure, period: Period, now: datetime
) -> Status:
    """The verdict: during the period on track or at risk, then settling for 30 days, then kept or missed."""
    if now >= period.until:
        is_settled = not found.undecided or now >= period.until + SETTLING
        if is_settled:
            return "kept" if value is None or _holds(commitment, value) else "missed"
        return "settling" if _holds(commitment, _at_best(commitment, found, measure=measure)) else "cannot_be_reached"
    expected = value
    if measure.is_count and value is not None:
        # A count is measured against the part of the period that has passed.
        passed = (now - period.since) / (period.until - period.since)
        expected = value / passed if passed > 0 else None
    return "on_track" if expected is None or _holds(commitment, expected) else "at_risk"


def _holds(commitment: Commitment, value: float) -> bool:
    is_high_enough = commitment.at_least is None or value >= commitment.at_least
    return is_high_enough and (commitment.at_most is None or value <= commitment.at_most)


def _at_best(commitment: Commitment, found: Sorted, *, measure: Measure) -> float:
    """The value if everything undecided went the promising team's way."""
    more_kept = len(found.undecided) if commitment.at_least is not None else 0
    kept = len(found.kept) + more_kept
    if measure.is_count:
        return float(kept)
    total = len(found.kept) + len(found.missed) + len(found.undecided)
    return kept / total if total else 1.0


def _qualified(facts: Facts, period: Period, _: datetime) -> Sorted:
    leads = {each.lead_id for each in facts.qualifications if period.since <= each.at < period.until}
    return Sorted(kept=tuple(Counted(lead_id=lead_id) for lead_id in sorted(leads)))


def _acceptance(facts: Facts, period: Period, _: datetime) -> Sorted:
    """Of the handoffs opened in the period: accepted by anybody, or only rejected."""
    return _split(
        _opened(facts, period),
        is_kept=lambda record: record.accepted_at is not None,
        is_decided=lambda record: bool(record.rejections) or record.is_ended,
    )


def _bad_data(facts: Facts, period: Period, _: datetime) -> Sorted:
    """Of the handoffs opened in the period and answered: rejected for bad data."""
    return _split(
        _opened(facts, period),
        is_kept=lambda record: any(step.reason_code == BAD_DATA for step in record.rejections),
        is_decided=lambda record: record.accepted_at is not None or bool(record.rejections) or record.is_ended,
    )


def _accepted_in_time(facts: Facts, period: Period, _: datetime) -> Sorted:
    return _clocks(facts, period, kind="accept")


def _touched_in_time(facts: Facts, period: Period, _: datetime) -> Sorted:
    return _clocks(facts, period, kind="touch")


def _with_reason(facts: Facts, period: Period, _: datetime) -> Sorted:
    """Of the handoffs first touched in the period.

    Ended by the rep with a reason, or left until the clock was missed.
    """
    touched = [
        record
        for record in facts.handoffs
        if record.touched_at is not None and period.since <= record.touched_at < period.until
    ]
    return _split(
        touched,
        is_kept=_is_disposed_with_reason,
        is_decided=lambda record: (
            record.is_ended
            or record.disposed is not None
            or any(clock.kind == "dispose" and clock.state == "breached" for clock in record.clocks())
        ),
    )


def _coverage(facts: Facts, period: Period, now: datetime) -> Sorted:
    """Of the handoffs opened in the period: with an answer and its reason within 30 days."""
    return _split(
        _opened(facts, period),
        is_kept=_is_answered,
        is_decided=lambda record: record.is_ended or now - record.opened_at >= COVERAGE,
    )


def _is_answered(record: HandoffRecord) -> bool:
    answers = [step for step in record.rejections if step.reason_code]
    if record.disposed is not None and _is_disposed_with_reason(record):
        answers.append(record.disposed)
    return any(step.at - record.opened_at <= COVERAGE for step in answers)


def _is_disposed_with_reason(record: HandoffRecord) -> bool:
    """An opportunity is its own reason; everything else needs one."""
    step = record.disposed
    return step is not None and (step.disposition == "opportunity" or bool(step.reason_code))


def _clocks(facts: Facts, period: Period, *, kind: str) -> Sorted:
    """Clocks of one kind due in the period: met, missed by the rep, or running; what others caused is left out."""
    kept: list[Counted] = []
    missed: list[Counted] = []
    undecided: list[Counted] = []
    for record in facts.handoffs:
        for clock in record.clocks():
            if clock.kind != kind or not period.since <= clock.due_at < period.until:
                continue
            counted = Counted(lead_id=record.lead_id, handoff_id=record.handoff_id)
            if clock.state == "met":
                kept.append(counted)
            elif clock.state == "armed":
                undecided.append(counted)
            elif clock.state == "breached" and clock.is_charged_to_rep:
                missed.append(counted)
    return Sorted(kept=tuple(kept), missed=tuple(missed), undecided=tuple(undecided))


def _opened(facts: Facts, period: Period) -> list[HandoffRecord]:
    return [record for record in facts.handoffs if period.since <= record.opened_at < period.until]


def _split(
    records: Iterable[HandoffRecord],
    *,
    is_kept: Callable[[HandoffRecord], bool],
    is_decided: Callable[[HandoffRecord], bool],
) -> Sorted:
    """Each record once: kept, else missed when decided, else undecided."""
    parts: dict[str, list[Counted]] = {"kept": [], "missed": [], "undecided": []}
    for record in records:
        part = "kept" if is_kept(record) else "missed" if is_decided(record) else "undecided"
        parts[part].append(Counted(lead_id=record.lead_id, handoff_id=record.handoff_id))
    return Sorted(kept=tuple(parts["kept"]), missed=tuple(parts["missed"]), undecided=tuple(parts["undecided"]))


def _months_later(first: datetime, months: int) -> datetime:
    month = first.month - 1 + months
    return first.replace(year=first.year + month // 12, month=month % 12 + 1)


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("qualified_leads", "leads that met the criteria in the period", True, _qualified),
        Measure("acceptance_share", "share of answered handoffs that a rep accepted", False, _acceptance),
        Measure("bad_data_share", "share of answered handoffs rejected for bad data", False, _bad_data),
        Measure("accepted_in_time_share", "share of accept clocks that Sales kept", False, _accepted_in_time),
        Measure("first_touch_in_time_share", "share of first touches made in time", False, _touched_in_time),
        Measure("disposition_with_reason_share", "share of worked leads ended with a reason", False, _with_reason),
        Measure("feedback_coverage", "share of handoffs answered with a reason in 30 days", False, _coverage),
    )
}
