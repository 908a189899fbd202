"""Decides what follows from one attempt to tell somebody outside: done, another attempt and when, or the end.

Knows no HTTP client and no clock. Invariant: an attempt never comes sooner than the receiver asked for (Retry-After,
at most a day) nor sooner than the table says, and the same attempt always gets the same jitter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from shared.ids import DispatchId, derived_id

__all__ = [
    "ATTEMPTS_MAX",
    "DISABLE_AFTER",
    "IN_FLIGHT_MAX",
    "WARN_AFTER",
    "Answer",
    "Judged",
    "LaneHealth",
    "Outcome",
    "health_after",
    "judge",
    "retry_after_seconds",
]

# Seconds from the end of attempt n to attempt n + 1 (SENDERS 9): 75 h in all, longer than a weekend's outage.
_DELAYS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
ATTEMPTS_MAX = len(_DELAYS) + 1
# A herd of dispatches that failed together must not come back together.
JITTER = 0.1
# A receiver that asks for a year means "go away"; a day keeps the schedule's promise of 75 h meaningful.
RETRY_AFTER_MAX_SECONDS = 86_400
# What one endpoint may hold at once: a slow one must not take the sockets of the others.
IN_FLIGHT_MAX = 8
WARN_AFTER = timedelta(hours=24)
DISABLE_AFTER = timedelta(hours=120)
# An overloaded endpoint still hears from us: below this share of its rate nothing would tell us that it recovered.
SHARE_MIN = 1 / 64
_REGAIN = 1.25
_GONE = 410
_OVERLOADED = frozenset({429, 502, 503, 504})
_DIGITS_MAX = 18  # more digits than any number of seconds anybody means


class Outcome(StrEnum):
    """How one attempt ended, as the attempt log shows it; unknown until its result is written."""

    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    REFUSED = "refused"  # answered, not with 2xx
    UNANSWERED = "unanswered"  # no connection, no answer in time, or the address guard said no
    NAMES_MISSING = "names_missing"  # ingest could not be asked for the names now
    BROKEN = "broken"  # our own mistake; a newer release may do better
    NOT_SENT = "not_sent"  # never will be: no mail server or address is set, or the server refused it for good


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from one attempt. status is None when nothing did; error says then why, in our words.

    retry_after: every Retry-After header as received; date: the answer's Date header. body: at most 64 KiB.
    """

    outcome: Outcome
    status: int | None = None
    retry_after: tuple[str, ...] = ()
    date: str | None = None
    body: bytes = b""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What follows: next_at is set when there is another attempt; is_final ends it for good.

    is_gone: the receiver said that it will never take anything again. is_overloaded: it asked for less.
    """

    next_at: datetime | None
    is_delivered: bool = False
    is_gone: bool = False
    is_overloaded: bool = False

    @property
    def is_final(self) -> bool:
        """Whether no further attempt will follow by itself."""
        return self.next_at is None


@dataclass(frozen=True, slots=True)
class LaneHealth:
    """How an endpoint is doing: its share of its own rate (0 < share <= 1), and since when it only fails."""

    rate_share: float = 1.0
    failing_since: datetime | None = None


def judge(answer: Answer, *, dispatch_id: DispatchId, attempt: int, now: datetime) -> Judged:
    """What follows from the answer to attempt number `attempt` (from 1) at the world time `now`.

    2xx ends it well; 410 and the last attempt end it for good; all else waits for the table's delay +- 10 %, and never
    less than the receiver asked for. Source: SENDERS 9.
    """
    if answer.outcome is Outcome.DELIVERED:
        return Judged(None, is_delivered=True)
    if answer.outcome is Outcome.NOT_SENT:
        return Judged(None)
    is_overloaded = answer.status in _OVERLOADED
    if answer.status == _GONE:
        return Judged(None, is_gone=True)
    if attempt >= ATTEMPTS_MAX:
        return Judged(None, is_overloaded=is_overloaded)
    asked = retry_after_seconds(answer.retry_after, now=now, date=answer.date)
    seconds = max(_DELAYS[attempt - 1] * (1 + _jitter(dispatch_id, attempt)), asked or 0)
    return Judged(now + timedelta(seconds=seconds), is_overloaded=is_overloaded)


def retry_after_seconds(values: Sequence[str], *, now: datetime, date: str | None = None) -> float | None:
    """Seconds the receiver asked to wait, 0 < s <= a day; None when it did not say so in a form that means anything.

    A date counts from the answer's own Date header or from our time, whichever is nearer: a receiver whose clock is
    wrong must not be waited for by the difference. Of several headers the longest wait counts. Source: RFC 9110 10.2.3.
    """
    waits = [wait for value in values if (wait := _one_wait(value.strip(), now=now, date=date)) is not None]
    return min(max(waits), RETRY_AFTER_MAX_SECONDS) if waits else None


def health_after(health: LaneHealth, judged: Judged, *, now: datetime) -> LaneHealth:
    """The endpoint's health after one attempt: halved rate on overload, regained step by step on success."""
    if judged.is_delivered:
        return LaneHealth(rate_share=min(1.0, health.rate_share * _REGAIN))
    share = max(SHARE_MIN, health.rate_share / 2) if judged.is_overloaded else health.rate_share
    return LaneHealth(rate_share=share, failing_since=health.failing_since or now)


def _one_wait(value: str, *, now: datetime, date: str | None) -> float | None:
    if value.isascii() and value.isdigit():
        return float(value) or None if len(value) <= _DIGITS_MAX else None
    until = _http_date(value)
    if until is None:
        return None
    answered = _http_date(date or "")
    ahead = [(until - since).total_seconds() for since in (now, answered) if since is not None]
    return min((seconds for seconds in ahead if seconds > 0), default=None)


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None


def _jitter(dispatch_id: DispatchId, attempt: int) -> float:
    """-JITTER <= j <= JITTER, drawn from the ids: a restored or replayed dispatch waits as long as the first time."""
    drawn = int.from_bytes(derived_id("dispatch jitter", dispatch_id, attempt).bytes[-6:], "big") / (2**48 - 1)
    return JITTER * (2 * drawn - 1)
