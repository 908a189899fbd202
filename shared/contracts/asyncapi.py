"""The AsyncAPI 3 document of our topics, made from the catalog: what a foreign reader needs and all it needs."""

from typing import Any

from shared.contracts.catalog import CATALOG, TOPICS, EventRow, Topic
from shared.contracts.schema_files import schema_of

__all__ = ["PARTITIONS_LOCAL", "document"]

PARTITIONS_LOCAL = 4  # of a laptop; a production deployment has 12 (never changed in place)

_ID = {"format": "uuid"}
_TIME = {"format": "date-time"}
_HEADERS: dict[str, tuple[str, dict[str, str]]] = {
    "ce_specversion": ("version of CloudEvents", {"const": "1.0"}),
    "ce_id": ("UUID of the event; drop repeats by it", _ID),
    "ce_source": ("the producing service", {}),
    "ce_type": ("the event type", {}),
    "ce_time": ("when it happened in the world, RFC 3339, UTC", _TIME),
    "ce_recordedat": ("when Baton learned it, RFC 3339, UTC", _TIME),
    "ce_subject": ("the record's key", {}),
    "ce_partitionkey": ("the record's key", {}),
    "ce_dataschema": ("path of the schema", {}),
    "ce_correlationid": ("first cause: a delivery or a person's command", _ID),
    "ce_causationid": ("the event or command it follows from", _ID),
    "content-type": ("of the payload", {"const": "application/json"}),
}
_OPTIONAL_HEADERS: dict[str, tuple[str, dict[str, str]]] = {
    "ce_traceparent": ("W3C trace context, where the work is traced", {})
}


def document(*, version: str) -> dict[str, Any]:
    """The document as plain values, ready to be written as YAML. `deliveries` is left out: only ingest may read it."""
    topics = [topic for name, topic in TOPICS.items() if name != "deliveries"]
    rows = [row for row in CATALOG if row.model is not None]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Baton events",
            "version": version,
            "description": "CloudEvents 1.0 in Kafka binary mode, JSON payloads. At least once: drop repeats by ce_id. "
            "Order holds per key within a topic. Unknown fields and unknown enum values may appear any day.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, rows) for topic in topics},
        "operations": {f"read_{topic.name}": _operation(topic) for topic in topics},
        "components": {"messages": {_name(row): _message(row) for row in rows}},
    }


def _channel(topic: Topic, rows: list[EventRow]) -> dict[str, Any]:
    configuration: dict[str, Any] = {"cleanup.policy": ["delete"], "retention.ms": topic.retention_ms}
    return {
        "address": f"baton.{topic.name}",
        "description": f"Written by {topic.producing_service} alone; keyed by {topic.key}.",
        "messages": {
            _name(row): {"$ref": f"#/components/messages/{_name(row)}"} for row in rows if row.topic == topic.name
        },
        "bindings": {
            "kafka": {
                "topic": f"baton.{topic.name}",
                "partitions": 1 if topic.is_single else PARTITIONS_LOCAL,
                "topicConfiguration": {**configuration, "max.message.bytes": topic.record_bytes_max},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(topic: Topic) -> dict[str, Any]:
    return {"action": "receive", "channel": {"$ref": f"#/channels/{topic.name}"}}


def _message(row: EventRow) -> dict[str, Any]:
    assert row.model is not None
    of_type = {"ce_type": {"const": row.event_type}, "ce_dataschema": {"const": f"/schemas/{row.event_type}"}}
    headers = {
        name: {"type": "string", "description": text, **rule, **of_type.get(name, {})}
        for name, (text, rule) in (_HEADERS | _OPTIONAL_HEADERS).items()
    }
    return {
        "name": row.event_type,
        "title": row.model.__name__,
        "summary": (row.model.__doc__ or "").split("\n", 1)[0],
        "headers": {"type": "object", "required": sorted(_HEADERS), "properties": headers},
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": _embedded(schema_of(row.model)),
        },
        "bindings": {
            "kafka": {"key": {"type": "string", "description": f"value of {row.key}"}, "bindingVersion": "0.5.0"}
        },
    }


def _embedded(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its definitions in place: a reference into $defs means nothing inside a larger document."""
    definitions = schema.pop("$defs", {})

    def place(node: object) -> object:
        if isinstance(node, list):
            return [place(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            found = definitions[node["$ref"].rpartition("/")[2]]
            return place({**found, **{key: value for key, value in node.items() if key != "$ref"}})
        return {key: place(value) for key, value in node.items()}

    placed = place(schema)
    assert isinstance(placed, dict)
    return placed


def _name(row: EventRow) -> str:
    assert row.model is not None
    return row.model.__name__
