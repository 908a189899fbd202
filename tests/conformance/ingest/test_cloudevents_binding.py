"""CloudEvents over HTTP: binary, structured and batch say the same, and the same as the official library reads."""

import json
from datetime import UTC, datetime

from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_structured_event

from services.ingest.adapters import ADAPTERS
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest
from tests.support.material import material


def test_binary_and_structured_mode_say_the_same_as_the_library_reads() -> None:
    adapter = ADAPTERS["cloudevents"]
    binary = {
        "ce-specversion": "1.0",
        "ce-type": "com.example.someevent",
        "ce-time": "2018-04-05T03:56:24Z",
        "ce-id": "1234-1234-1234",
        "ce-source": "/mycontext/subcontext",
        "content-type": "application/json",
    }
    body = b'{"message": "Hello World!"}'
    oracle = from_http_event(HTTPMessage(binary, body))
    message = to_structured_event(oracle)
    structured = message.body
    said = {name.lower(): value for name, value in message.headers.items()}
    parsed = [
        adapter.parse(InboundRequest("POST", "/v1/events", "", headers, sent), SourceSettings())
        for headers, sent in (
            (binary, body),
            (said, structured),
            ({"content-type": "application/cloudevents-batch+json"}, b"[" + structured + b"]"),
        )
    ]
    for one in parsed:
        (found,) = one.observations
        assert found.event_id == f"{oracle.get_source()}\x1f{oracle.get_id()}"
        assert found.name == oracle.get_type() == "com.example.someevent"
        assert found.timestamp == oracle.get_time() == datetime(2018, 4, 5, 3, 56, 24, tzinfo=UTC)


def test_the_published_scenarios_are_the_ones_tried_here() -> None:
    file = material("vectors/cloudevents.json")
    if file is None:
        return
    features = json.loads(file.read_text())["http_feature"]
    for said in (
        "ce-id: 1234-1234-1234",
        "ce-source: /mycontext/subcontext",
        "application/cloudevents+json",
        "Hello World!",
    ):
        assert said in features
