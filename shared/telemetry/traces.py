"""Traces that span the outbox: the W3C context rides in the record's headers; we open producer and consumer spans.

Off unless an OTLP address is configured; then spans leave in batches, and carry ids only.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags

__all__ = ["configure_traces", "consuming", "producing", "traceparent"]

LINKS_MOST = 100
_is_tracing = False


def configure_traces(service: str, *, endpoint: str | None, exporter: SpanExporter | None = None) -> None:
    """Send spans to an OTLP/HTTP address, or to the given exporter; with neither tracing stays off."""
    global _is_tracing  # noqa: PLW0603 - set once at start
    if endpoint is None and exporter is None:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": f"baton-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    _is_tracing = True


def traceparent() -> str | None:
    """The W3C traceparent of the current span, or None when there is none."""
    if not _is_tracing:
        return None
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


@contextmanager
def consuming(name: str, parents: Sequence[str | None]) -> Iterator[None]:
    """A consumer span round a batch, linked to the traces its events come from (the first LINKS_MOST)."""
    if not _is_tracing:
        yield
        return
    links = [Link(context) for context in map(_context_of, parents[:LINKS_MOST]) if context is not None]
    with trace.get_tracer("baton").start_as_current_span(name, kind=SpanKind.CONSUMER, links=links):
        yield


@contextmanager
def producing(name: str) -> Iterator[None]:
    """A producer span round one round of the relay."""
    if not _is_tracing:
        yield
        return
    with trace.get_tracer("baton").start_as_current_span(name, kind=SpanKind.PRODUCER):
        yield


def _context_of(parent: str | None) -> SpanContext | None:
    parts = (parent or "").split("-")
    if len(parts) != 4:
        return None
    try:
        flags = TraceFlags(int(parts[3], 16))
        return SpanContext(int(parts[1], 16), int(parts[2], 16), is_remote=True, trace_flags=flags)
    except ValueError:
        return None
