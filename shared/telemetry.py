"""Logs, metrics, traces and announced steps: how a process says what it does.

Ids only, never names, addresses or payloads.

Metric names and step names are closed sets. A step is a signal for tests and a failpoint: in production `announce`
does nothing, and no setting can change that; only a test's own entry installs a hook, before it calls a service's
`main`.
"""

import logging
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal, get_args

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = [
    "METRICS",
    "MetricName",
    "Step",
    "announce",
    "configure_logs",
    "configure_traces",
    "count",
    "exposition",
    "gauge",
    "install_hook",
    "log",
    "observe",
    "traceparent",
]

Step = Literal[
    "accept:before_send", "accept:after_ack", "accept:deadline", "accept:before_reply",
    "spool:after_append", "spool:before_sync", "spool:after_sync", "spool:drain_after_ack", "spool:before_delete",
    "producer:rebuild",
    "partition:after_open", "partition:after_throw_away",
    "batch:after_fetch", "batch:after_fence", "batch:after_inbox", "batch:after_locks", "batch:after_save",
    "batch:after_outbox", "batch:before_commit", "batch:after_commit", "batch:after_kafka_commit",
    "park:after_mark", "park:before_commit", "park:after_commit", "park:replay_before_commit",
    "park:replay_after_commit", "batch_start:before_commit", "batch_start:after_commit",
    "relay:after_read", "relay:mid_send", "relay:after_ack", "relay:before_move", "relay:after_move",
    "clocks:after_claim", "clocks:before_commit", "clocks:after_commit", "clocks:tick",
    "command:after_key", "command:after_locks", "command:before_commit", "command:after_commit", "command:before_reply",
    "dispatch:after_claim", "dispatch:before_call", "dispatch:after_call", "dispatch:before_result",
    "dispatch:before_commit", "dispatch:after_commit",
    "connector:after_fetch", "connector:before_cursor",
    "active:before_switch", "active:after_switch",
    "rebuild:before_switch",
    "migrate:mid",
    "periodic:before_commit", "periodic:after_commit",
    "rechecks:after_claim", "rechecks:before_commit", "rechecks:after_commit",
    "tuner:before_commit", "tuner:after_commit",
]  # fmt: skip

_hook: Callable[[Step], Awaitable[None]] | None = None


def install_hook(hook: Callable[[Step], Awaitable[None]] | None) -> None:
    """For the entry of tests alone: each announced step is awaited through the hook, which may stall, raise, kill."""
    global _hook  # noqa: PLW0603 - one hook per process, set before anything runs
    _hook = hook


async def announce(step: Step) -> None:
    """Say that a step was reached. A no-op unless a test installed a hook."""
    if _hook is not None:
        await _hook(step)


# ----------------------------------------------------------------------------------------------------------------
# metrics
MetricName = Literal[
    "baton_ledger_gap",  # rows the ledger's checks return, by part; 0 when quiet
    "baton_outbox_lag_seconds",  # age of the oldest row not yet published
    "baton_outbox_waiting_events",  # rows not yet published
    "baton_relayed_events_total",  # rows published and moved to outbox_sent
    "baton_consumer_lag_events",  # records behind the end of the log, by topic
    "baton_consumed_events_total",  # records by verdict: handled, repeat, skipped, parked
    "baton_batches_total",  # batch transactions by end: committed, fenced, transient, failed
    "baton_batch_seconds",  # from the fence to the commit
    "baton_skipped_events_total",  # events of types this service does not read
    "baton_ignored_versions_total",  # events whose version was lower than the row's
    "baton_stopped_partitions",  # partitions that stopped themselves and wait for a person
    "baton_parked_total",  # parked rows by reason
    "baton_spool_bytes",  # bytes waiting in the front door's spool
    "baton_accepted_total",  # deliveries answered with 2xx, by lane
    "baton_refused_total",  # deliveries refused, by slug
    "baton_produced_total",  # sends by end: acked, unknown, failed
    "baton_http_requests_total",  # answers by status class
    "baton_http_seconds",  # time from request to answer
    "baton_loop_lag_seconds",  # how late the event loop wakes
    "baton_clock_lateness_seconds",  # a clock's firing behind its due moment
    "baton_clock_jump_seconds",  # a jump of the database's clock
    "baton_clock_breaches_total",  # by cause
    "baton_speed_to_lead_seconds",  # qualified to first touch
    "baton_dispatch_failures_total",  # by channel
    "baton_calibration_ratio",  # predicted over actual
    "baton_exploration_share",  # share of leads drawn for exploration
    "baton_model_age_seconds",  # since the active model was trained
]

_LABELS: dict[MetricName, tuple[str, ...]] = {
    "baton_ledger_gap": ("part",),
    "baton_consumer_lag_events": ("topic",),
    "baton_consumed_events_total": ("verdict",),
    "baton_batches_total": ("end",),
    "baton_parked_total": ("reason",),
    "baton_accepted_total": ("lane",),
    "baton_refused_total": ("slug",),
    "baton_produced_total": ("end",),
    "baton_http_requests_total": ("status",),
    "baton_clock_breaches_total": ("cause",),
    "baton_dispatch_failures_total": ("channel",),
}
_HISTOGRAMS: frozenset[MetricName] = frozenset(
    {"baton_batch_seconds", "baton_http_seconds", "baton_clock_lateness_seconds", "baton_speed_to_lead_seconds"}
)
_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300, 3600, 14400, 86400)
METRICS: tuple[MetricName, ...] = get_args(MetricName)
_registry = CollectorRegistry()


def _make(name: MetricName) -> Counter | Gauge | Histogram:
    labels = _LABELS.get(name, ())
    if name in _HISTOGRAMS:
        return Histogram(name, name, labels, registry=_registry, buckets=_BUCKETS)
    if name.endswith("_total"):
        return Counter(name, name, labels, registry=_registry)
    return Gauge(name, name, labels, registry=_registry)


_made: dict[MetricName, Counter | Gauge | Histogram] = {name: _make(name) for name in METRICS}


def _metric(name: MetricName, labels: dict[str, str]) -> Any:  # noqa: ANN401 - three kinds behind one table
    metric = _made[name]
    return metric.labels(**labels) if labels else metric


def count(name: MetricName, amount: float = 1, **labels: str) -> None:
    """Add to a counter; label values come from closed sets, never ids."""
    _metric(name, labels).inc(amount)


def gauge(name: MetricName, value: float, **labels: str) -> None:
    """Set a gauge."""
    _metric(name, labels).set(value)


def observe(name: MetricName, value: float, **labels: str) -> None:
    """Record one value of a histogram."""
    _metric(name, labels).observe(value)


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(_registry)


# -------------------------------------------------------------------------------------------------------------------
# logs
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


# -----------------------------------------------------------------------------------------------------------------
# traces
_is_tracing = False


def configure_traces(service: str, *, endpoint: str | None) -> None:
    """Send spans to an OTLP/HTTP address; without one nothing of OpenTelemetry is even imported."""
    global _is_tracing  # noqa: PLW0603 - set once at start
    if endpoint is None:
        return
    os.environ.setdefault("OTEL_SERVICE_NAME", f"baton-{service}")
    from opentelemetry import trace  # noqa: PLC0415 - 60 ms and 8 MB that a process without traces does not pay
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    _is_tracing = True


def traceparent() -> str | None:
    """The W3C traceparent of the current span, or None when there is none."""
    if not _is_tracing:
        return None
    from opentelemetry import trace  # noqa: PLC0415 - only when traces are on

    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
