"""Pure: what to do with a batch, and with its failure.

No I/O, no time, no randomness; the consumer carries the answers out.

A batch is a run of records of one partition. It is applied whole; a transient failure repeats it for ever with back-
off; a deterministic one cuts it in halves down to one record, which gets one more try and is then parked alone. A
crash loop is met by counting starts, a bad release by the breaker. Source: RELIABILITY 3.2 to 3.4.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

__all__ = [
    "BATCH_MAX",
    "BREAKER_IN_A_ROW",
    "BREAKER_WINDOW",
    "Breaker",
    "Contiguity",
    "Failure",
    "Guard",
    "Move",
    "Slice",
    "Work",
    "back_off_seconds",
    "begin",
    "contiguity",
    "crash_guard",
    "failed",
    "next_batch_size",
    "succeeded",
]

BATCH_MAX = 500  # above it nothing is gained, only lock time (PERFORMANCE 3.7)
# A busy machine makes every commit slow: below this the fixed statements of a batch are the load, and it never recovers
# (seen: 820 us an event in batches of 1 against 60 in batches of 500).
BATCH_MIN = 50
_SLOW_SECONDS, _FAST_SECONDS = 0.250, 0.050
_BACK_OFF_FIRST, _BACK_OFF_MOST = 0.1, 5.0
TRIES_ALONE = 2  # the try that failed alone, and one more
STARTS_SINGLY = 3  # the third start at one offset: something in this batch kills us
STARTS_PARK = STARTS_SINGLY + 2  # the third start of that one record: it is the one
BREAKER_IN_A_ROW = 20
BREAKER_WINDOW = 1000
BREAKER_SHARE = 0.01


class Contiguity(StrEnum):
    """How the offsets of a batch fit the offset we expect."""

    WHOLE = "whole"
    ELSEWHERE = "elsewhere"  # starts before or behind the expected offset, or has a hole: throw away, open again


class Failure(StrEnum):
    """Why a slice could not be committed."""

    TRANSIENT = "transient"
    DETERMINISTIC = "deterministic"


class Move(StrEnum):
    """What to do with the first slice."""

    APPLY = "apply"
    BACK_OFF = "back_off"  # wait, then apply the same slice
    PARK = "park"  # exactly one record: commit it as parked
    DONE = "done"


class Guard(StrEnum):
    """What the crash-loop guard allows at one offset."""

    WHOLE = "whole"
    SINGLY = "singly"
    PARK = "park"


@dataclass(frozen=True, slots=True)
class Slice:
    """Records [start, stop) of a batch; 0 <= start < stop."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Work:
    """What is left of one batch: consecutive slices, the first is next.

    transient counts the failures of the database in a row, failures those of the first slice alone.
    """

    slices: tuple[Slice, ...]
    move: Move
    transient: int = 0
    failures: int = 0

    @property
    def first(self) -> Slice:
        """The slice the move is about."""
        return self.slices[0]


def contiguity(first: int, last: int, *, records: int, expected: int) -> Contiguity:
    """Whether a fetched batch from offset first to last (records >= 1) begins at the expected offset and has no.

    Holes.
    """
    if first != expected or last - first != records - 1:
        return Contiguity.ELSEWHERE
    return Contiguity.WHOLE


def begin(size: int, *, guard: Guard = Guard.WHOLE) -> Work:
    """The work of a fresh batch of size >= 1 records, as the crash-loop guard allows."""
    if guard is Guard.WHOLE:
        return Work((Slice(0, size),), Move.APPLY)
    singles = tuple(Slice(index, index + 1) for index in range(size))
    return Work(singles, Move.PARK if guard is Guard.PARK else Move.APPLY)


def succeeded(work: Work) -> Work:
    """The first slice was committed (applied or parked)."""
    rest = work.slices[1:]
    return Work(rest, Move.APPLY if rest else Move.DONE)


def failed(work: Work, failure: Failure, *, park_at_once: bool = False) -> Work:
    """The first slice was not committed. Transient: the same again. Deterministic: halve, or one more try, or park.

    park_at_once: the use case said that another try is pointless.
    """
    if failure is Failure.TRANSIENT:
        return replace(work, move=Move.BACK_OFF, transient=work.transient + 1)
    first = work.first
    if len(first) > 1:
        middle = (first.start + first.stop) // 2
        halves = (Slice(first.start, middle), Slice(middle, first.stop))
        return Work(halves + work.slices[1:], Move.APPLY)
    failures = work.failures + 1
    is_past_limit = park_at_once or failures >= TRIES_ALONE
    return replace(work, move=Move.PARK if is_past_limit else Move.APPLY, transient=0, failures=failures)


def back_off_seconds(transient: int, *, jitter: float) -> float:
    """How long to wait before try number transient + 1 (transient >= 1).

    Full jitter (0..1) below a doubling bound, 0.1 to 5 s.
    """
    bound = min(_BACK_OFF_MOST, _BACK_OFF_FIRST * float(2 ** min(transient - 1, 10)))
    return max(_BACK_OFF_FIRST, bound * jitter)


def next_batch_size(size: int, *, seconds: float, records: int) -> int:
    """The records the next batch may have.

    Halved above 250 ms a commit, doubled below 50 ms when the last one was full.
    """
    if seconds > _SLOW_SECONDS:
        return max(BATCH_MIN, size // 2)
    if seconds < _FAST_SECONDS and records >= size:
        return min(BATCH_MAX, size * 2)
    return size


def crash_guard(starts: int) -> Guard:
    """What the number of starts at one offset allows.

    The third start goes one record at a time, the third of those parks it.

    A start that ends in the death of the process is never told; only the next opening can count it.
    """
    if starts < STARTS_SINGLY:
        return Guard.WHOLE
    return Guard.SINGLY if starts < STARTS_PARK else Guard.PARK


@dataclass(frozen=True, slots=True)
class Breaker:
    """Counts parks that are our failures: more than 20 in a row, or 1 % of the last 1,000 records, means a bad release.

    recent holds the positions (in records seen) of our parks within the window, oldest first.
    """

    seen: int = 0
    in_a_row: int = 0
    recent: tuple[int, ...] = ()

    def handled(self, records: int) -> "Breaker":
        """After records that were applied."""
        if records == 0:
            return self
        return Breaker(self.seen + records, 0, self.recent).trimmed()

    def parked(self, *, is_ours: bool) -> "Breaker":
        """After one parked record; what the sender is to blame for does not count."""
        if not is_ours:
            return Breaker(self.seen + 1, self.in_a_row, self.recent).trimmed()
        return Breaker(self.seen + 1, self.in_a_row + 1, (*self.recent, self.seen + 1)).trimmed()

    def trimmed(self) -> "Breaker":
        """Without the parks that left the window."""
        oldest = self.seen - BREAKER_WINDOW
        return replace(self, recent=tuple(position for position in self.recent if position > oldest))

    @property
    def is_open(self) -> bool:
        """Whether the consumer must stop. The share counts only once a whole window was seen."""
        if self.in_a_row > BREAKER_IN_A_ROW:
            return True
        return self.seen >= BREAKER_WINDOW and len(self.recent) >= BREAKER_SHARE * BREAKER_WINDOW
