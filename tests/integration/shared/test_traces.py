"""One trace spans the outbox: the context of a span rides in the headers and is linked by the batch that reads it."""

import subprocess
import sys

PROGRAM = """
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from shared.telemetry import configure_traces, consuming, producing, traceparent

assert traceparent() is None
with consuming("consume leads", [None]):
    assert traceparent() is None  # off unless configured
exporter = InMemorySpanExporter()
configure_traces("scoring", endpoint=None, exporter=exporter)
with trace.get_tracer("test").start_as_current_span("POST /v1/leads"):
    parent = traceparent()
with producing("publish round"):
    pass
with consuming("consume leads", [parent, None, "nonsense", "00-zz-zz-01"]):
    assert traceparent() != parent
trace.get_tracer_provider().force_flush()
root, produced, consumed = exporter.get_finished_spans()
assert (produced.kind.name, consumed.kind.name) == ("PRODUCER", "CONSUMER")
assert [link.context.trace_id for link in consumed.links] == [root.context.trace_id]
print("one trace")
"""


def test_the_context_of_a_span_is_linked_where_its_event_is_read() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=100)
    assert ended.stdout == "one trace\n", ended.stderr
