"""The metrics of all services: a closed set of names, labels from closed sets, never ids."""

from collections.abc import Callable
from typing import Any, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["METRICS", "MetricName", "count", "counter", "exposition", "gauge", "observe"]

MetricName = Literal[
    "baton_ledger_gap",  # rows the ledger's checks return, by part; 0 when quiet
    "baton_outbox_lag_seconds",  # age of the oldest row not yet published
    "baton_outbox_waiting_events",  # rows not yet published
    "baton_relayed_events_total",  # rows published and moved to outbox_sent
    "baton_consumer_lag_events",  # records behind the end of the log, by topic
    "baton_consumed_events_total",  # records by verdict: handled, repeat, skipped, parked
    "baton_batches_total",  # batch transactions by end: committed, fenced, transient, failed
    "baton_batch_seconds",  # from the fence to the commit
    "baton_ignored_versions_total",  # events whose version was lower than the row's
    "baton_stopped_partitions",  # partitions that stopped themselves and wait for a person
    "baton_parked_total",  # parked rows by reason
    "baton_accepted_total",  # deliveries answered with 2xx, by lane
    "baton_refused_total",  # deliveries refused, by slug
    "baton_spool_bytes",  # what waits on disk for Kafka
    "baton_spool_segments",  # in how many files
    "baton_spool_oldest_seconds",  # since when the oldest file waits
    "baton_spool_set_aside_total",  # deliveries too large for Kafka, kept in a file beside the spool
    "baton_spool_mode",  # 1 while deliveries go straight to the spool
    "baton_produced_total",  # sends by end: acked, unknown, failed
    "baton_http_requests_total",  # answers by status class
    "baton_http_seconds",  # time from request to answer
    "baton_loop_lag_seconds",  # how late the event loop wakes
    "baton_clock_lateness_seconds",  # a clock's firing behind its due moment
    "baton_clock_jump_seconds",  # a jump of the database's clock
    "baton_clock_breaches_total",  # by cause
    "baton_speed_to_lead_seconds",  # qualified to first touch
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


_children: dict[tuple[str, ...], Any] = {}  # name, label, value, ...: few, since label values come from closed sets


def _metric(name: MetricName, labels: dict[str, str]) -> Any:  # noqa: ANN401 - three kinds behind one table
    if not labels:
        return _made[name]
    place = (name, *labels.keys(), *labels.values())
    child = _children.get(place)
    if child is None:
        child = _children[place] = _made[name].labels(**labels)
    return child


def count(name: MetricName, amount: float = 1, **labels: str) -> None:
    """Add to a counter; label values come from closed sets, never ids."""
    _metric(name, labels).inc(amount)


def counter(name: MetricName, **labels: str) -> Callable[[], None]:
    """A function that adds one to a counter, found once: for paths where looking it up costs more than adding."""
    increment: Callable[[], None] = _metric(name, labels).inc
    return increment


def gauge(name: MetricName, value: float, **labels: str) -> None:
    """Set a gauge."""
    _metric(name, labels).set(value)


def observe(name: MetricName, value: float, **labels: str) -> None:
    """Record one value of a histogram."""
    _metric(name, labels).observe(value)


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(_registry)
