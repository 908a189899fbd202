"""The catalog is the one list: every event type, key and topic is in it, and written by one service."""

from shared.config import SERVICES
from shared.contracts.catalog import CATALOG, MODELS, TOPICS, event_row


def test_every_row_names_a_topic_and_its_only_writer() -> None:
    for row in CATALOG:
        assert row.producing_service in SERVICES
        assert TOPICS[row.topic].producing_service == row.producing_service


def test_types_are_unique_and_name_their_major() -> None:
    types = [row.event_type for row in CATALOG]
    assert len(types) == len(set(types))
    for event_type in types:
        assert event_type.startswith("baton.")
        assert event_type.rpartition(".v")[2].isdigit()


def test_the_key_is_a_field_of_every_payload() -> None:
    for event_type, model in MODELS.items():
        field = model.model_fields[model.KEY]
        assert field.is_required(), event_type
        assert event_row(event_type).key == model.KEY


def test_every_topic_has_an_event() -> None:
    assert {row.topic for row in CATALOG} == set(TOPICS)
