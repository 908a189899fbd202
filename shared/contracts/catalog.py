"""The one list of what travels: each event type with its model, topic, producer and key; each topic with its bounds.

A type without a row makes every service refuse to start. asyncapi.yaml and the topics of every deployment are made from
this list.
"""

from dataclasses import dataclass

from shared.contracts import activities, agreements, deliveries, handoffs, leads, models, outcomes, scores
from shared.contracts.envelope import Payload

__all__ = ["CATALOG", "MODELS", "TOPICS", "EventRow", "Topic", "event_row"]

_MIB = 1024 * 1024
_DAY_MS = 24 * 3600 * 1000
_UNLIMITED = -1
_MONTHS_25 = 761 * _DAY_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its name without the prefix, what keys it, how long it is kept, its largest record.

    retention_ms: -1 = for ever. is_single: one partition in every deployment, since order matters over all keys.
    """

    name: str
    key: str
    producing_service: str
    retention_ms: int
    record_bytes_max: int = _MIB
    is_single: bool = False


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event type."""

    event_type: str
    model: type[Payload] | None  # None: the value is raw bytes (deliveries)
    topic: str
    producing_service: str
    key: str


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        # The record must hold the largest body of the door (10 MiB) and its headers.
        Topic("deliveries", "hash of source and person hint", "ingest", 30 * _DAY_MS, record_bytes_max=12 * _MIB),
        Topic("activities", "lead id", "ingest", _MONTHS_25),
        Topic("leads", "lead id", "ingest", _UNLIMITED),
        Topic("scores", "lead id, or account id", "scoring", _MONTHS_25),
        Topic("handoffs", "lead id", "handoff", _MONTHS_25),
        Topic("outcomes", "lead id, or connector id", "feedback", _MONTHS_25),
        Topic("agreements", "agreement id", "feedback", _UNLIMITED, is_single=True),
        Topic("models", "model id", "feedback", _UNLIMITED, is_single=True),
    )
}

_EVENTS: dict[str, tuple[type[Payload], ...]] = {
    "activities": activities.ACTIVITY_EVENTS,
    "leads": leads.LEAD_EVENTS,
    "scores": scores.SCORE_EVENTS,
    "handoffs": handoffs.HANDOFF_EVENTS,
    "outcomes": outcomes.OUTCOME_EVENTS,
    "agreements": (agreements.AgreementPublished,),
    "models": models.MODEL_EVENTS,
}

CATALOG: tuple[EventRow, ...] = (
    EventRow(deliveries.DELIVERY_TYPE, None, "deliveries", "ingest", "hash of source and person hint"),
    *(
        EventRow(model.TYPE, model, topic, TOPICS[topic].producing_service, model.KEY)
        for topic, listed in _EVENTS.items()
        for model in listed
    ),
)

MODELS: dict[str, type[Payload]] = {row.event_type: row.model for row in CATALOG if row.model is not None}
_ROWS: dict[str, EventRow] = {row.event_type: row for row in CATALOG}


def event_row(event_type: str) -> EventRow:
    """The row of a type. Raises KeyError for a type that is not in the catalog."""
    return _ROWS[event_type]
