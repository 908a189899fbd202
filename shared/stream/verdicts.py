"""Why one event is parked, told from what its use case raised. Holds no value of the event: people read it."""

from dataclasses import dataclass

from shared.errors import AppError
from shared.stream.handlers import ParkError

__all__ = ["Verdict", "verdict_of"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why one event is parked; an empty slug: it is not."""

    slug: str
    detail: str
    is_ours: bool = True
    source: str = ""


def verdict_of(error: Exception) -> Verdict:
    """The verdict on an event that raised this."""
    if isinstance(error, ParkError):
        return Verdict(error.slug, error.reason, is_ours=error.is_ours, source=error.source)
    if isinstance(error, AppError):
        return Verdict(error.problem, str(error))
    # An exception's text may hold values of the event; its name and place do not. What we raise ourselves is clean.
    return Verdict("failed", _place_of(error))


def _place_of(error: Exception) -> str:
    """The exception's type and the line of ours that raised it."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if "/site-packages/" not in name:
            place = f" in {'/'.join(name.split('/')[-2:])}:{trace.tb_lineno}"
        trace = trace.tb_next
    return type(error).__name__ + place
