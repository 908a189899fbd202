"""Structured logs: a constant event name and ids, one line each; JSON in production, a form for people on a laptop."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

__all__ = ["configure_logs", "log"]

log: structlog.stdlib.BoundLogger = structlog.get_logger()

# aiokafka writes 15 lines a second while a broker is away; our own events say the same once.
_QUIET = {
    "aiokafka": logging.CRITICAL,
    "asyncio": logging.ERROR,
    "uvicorn.access": logging.CRITICAL,
    "uvicorn": logging.WARNING,
}


def configure_logs(service: str, *, level: str, as_json: bool) -> None:
    """Set up structlog for this process: JSON lines on stderr, or a coloured form for a person."""

    def name_service(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401
        event["service"] = service
        return event

    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            name_service,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)
