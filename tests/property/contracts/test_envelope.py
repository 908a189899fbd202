"""Our hand-written envelope says what the CloudEvents library says, and a record that is no event is named as such."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.envelope import BadRecord, Event, event_from, headers_of, value_of
from shared.contracts.outcomes import ConnectorAdvanced

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.integers(min_value=0, max_value=7_000_000_000_000_000).map(lambda us: EPOCH + timedelta(microseconds=us))
texts = st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable())


@st.composite
def events(draw: st.DrawFn) -> Event[ConnectorAdvanced]:
    return Event(
        id=draw(st.uuids()),
        payload=ConnectorAdvanced(connector_id=draw(texts), watermark_at=draw(moments)),
        source="/baton/feedback",
        occurred_at=draw(moments),
        recorded_at=draw(moments),
        correlation_id=draw(st.uuids()),
        causation_id=draw(st.uuids()),
        traceparent=draw(st.none() | st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
    )


@given(events())
def test_what_is_written_reads_back_to_the_same_event(event: Event[ConnectorAdvanced]) -> None:
    assert event_from(dict(headers_of(event)), value_of(event), ConnectorAdvanced) == event


@given(events())
def test_the_library_reads_the_same_attributes(event: Event[ConnectorAdvanced]) -> None:
    message = KafkaMessage(headers=dict(headers_of(event)), key=event.key.encode(), value=value_of(event))
    read = from_binary_event(message)
    assert read.get_id() == str(event.id)
    assert read.get_type() == event.type
    assert read.get_source() == event.source
    assert read.get_subject() == event.key
    assert read.get_time() == event.occurred_at


@given(
    events(), st.sampled_from(["ce_id", "ce_source", "ce_time", "ce_recordedat", "ce_correlationid", "ce_causationid"])
)
def test_a_missing_header_is_a_bad_record(event: Event[ConnectorAdvanced], missing: str) -> None:
    headers = [(name, value) for name, value in headers_of(event) if name != missing]
    with pytest.raises(BadRecord, match=missing):
        event_from(dict(headers), value_of(event), ConnectorAdvanced)


@given(events(), st.binary(max_size=60))
def test_bytes_that_are_no_payload_are_a_bad_record_without_their_content(
    event: Event[ConnectorAdvanced], value: bytes
) -> None:
    with pytest.raises(BadRecord) as caught:
        event_from(dict(headers_of(event)), value, ConnectorAdvanced)
    assert "baton.connector.advanced.v1" in str(caught.value)


def test_a_caused_event_has_the_same_id_however_often_it_is_made() -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    payload = ConnectorAdvanced(connector_id="crm", watermark_at=at)
    cause = Event.first(payload, source="/baton/feedback", occurred_at=at, recorded_at=at, id=UUID(int=1))
    made = [
        Event.caused(
            payload, by=cause, source="/baton/feedback", recorded_at=at + timedelta(days=later), ordinal=ordinal
        )
        for later, ordinal in ((0, 0), (3, 0), (0, 1))
    ]
    assert made[0].id == made[1].id != made[2].id
    assert made[0].correlation_id == cause.id == made[0].causation_id
