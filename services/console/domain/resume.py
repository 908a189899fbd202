"""Where a stream goes on: from the number a browser saw last, or it is told to load its page again.

A number behind the kept window has lost changes, one above the current would wait for ever (a restored database): both
are stale. What is no number at all is a fresh start.
"""

from dataclasses import dataclass

__all__ = ["Resume", "resume_from"]

_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Resume:
    """The number to go on from, and whether the page must be loaded again first."""

    number: int
    is_stale: bool


def resume_from(last_seen: str, *, current: int, kept: int) -> Resume:
    """Read a Last-Event-ID. `kept` is how many of the newest changes can still be replayed."""
    text = last_seen.strip()
    if not text.isascii() or not text.isdigit() or len(text) > len(str(_LARGEST)):
        return Resume(current, is_stale=False)
    number = int(text)
    if number > current or number < current - kept:
        return Resume(current, is_stale=True)
    return Resume(number, is_stale=False)
