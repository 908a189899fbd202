"""How a process says what it does: logs, metrics, traces and announced steps. Ids only, no names or payloads."""

from shared.telemetry.logs import configure_logs, log, places_of
from shared.telemetry.metrics import METRICS, MetricName, count, counter, exposition, gauge, observe
from shared.telemetry.steps import Step, announce, install_hook, is_watched
from shared.telemetry.traces import configure_traces, consuming, producing, traceparent

__all__ = [
    "METRICS",
    "MetricName",
    "Step",
    "announce",
    "configure_logs",
    "configure_traces",
    "consuming",
    "count",
    "counter",
    "exposition",
    "gauge",
    "install_hook",
    "is_watched",
    "log",
    "observe",
    "places_of",
    "producing",
    "traceparent",
]
