"""Structured logs: a constant event name and ids, one line each; JSON in production, a form for people on a laptop.

No personal data: an exception is written as its type and the places it passed, never with its message or the values of
variables (both hold what people typed). The same for what libraries log.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog
from typing_extensions import override

__all__ = ["configure_logs", "log", "places_of"]

FRAMES_MOST = 12

log: structlog.stdlib.BoundLogger = structlog.get_logger()

# aiokafka writes 15 lines a second while a broker is away; our own events say the same once.
_QUIET = {
    "aiokafka": logging.CRITICAL,
    "asyncio": logging.ERROR,
    "uvicorn.access": logging.CRITICAL,
    "uvicorn": logging.WARNING,
}


def places_of(error: BaseException) -> str:
    """An exception as types and places, outermost cause last.

    `ValueError at usecases.py:41 greet < batch.py:88 _apply`.
    """
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MOST:]
    places = " < ".join(f"{'/'.join(one.filename.split('/')[-2:])}:{one.lineno} {one.name}" for one in reversed(frames))
    text = f"{type(error).__name__} at {places}" if places else type(error).__name__
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    following = [*inner, *([cause] if cause is not None else [])]
    return "; ".join([text, *(f"from {places_of(one)}" for one in following[:3])])


def configure_logs(service: str, *, level: str, as_json: bool) -> None:
    """Set up structlog for this process: JSON lines on stderr, or a form for people."""

    def name_service(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401
        event["service"] = service
        return event

    colours = sys.stderr.isatty()
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=colours)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            name_service,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _clean_exception,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PlacesFormatter("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)


def _clean_exception(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401
    found = event.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found
    if isinstance(error, BaseException):
        event["exception"] = places_of(error)
    return event


class _PlacesFormatter(logging.Formatter):
    """For libraries that log exceptions: places instead of messages."""

    @override
    def formatException(
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        return "" if ei[1] is None else places_of(ei[1])


# Before a process says what it is (and in tests): only what goes wrong, in the same clean form.
structlog.configure(
    processors=[structlog.processors.add_log_level, _clean_exception, structlog.processors.JSONRenderer()],
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
    cache_logger_on_first_use=False,
)
