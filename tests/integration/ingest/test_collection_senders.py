"""What client libraries send becomes the right activities: recorded requests, encodings, public keys, poison."""

import gzip
import json
from base64 import b64encode
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from jsonschema_rs import validator_for

from services.ingest.adapters import COLLECTING
from shared.ids import derived_id
from shared.stream.handlers import ParkError
from tests.integration.ingest.collection import add_sources, collection_directory, handled, key_of, source_of
from tests.integration.ingest.collection_poison import EXTRAS, FORMS
from tests.integration.ingest.door import ORIGIN, Door, door_before
from tests.integration.ingest.poison import POISON
from tests.integration.ingest.stage import IngestStage, of_type
from tests.integration.ingest.test_poison import STORED_POISON
from tests.support.material import material

SAID_BY_ITSELF = {"host", "content-length", "connection", "authorization", "accept-encoding", "origin", "referer"}
BODY_BYTES_MAX = 300_000  # the bounds of greater ones are those of the door, whatever the path
EXPECTED = {
    "segment_python": ("segment", {"pricing_viewed": 2, "form_submit": 1, "download": 1}),
    "posthog_python": ("posthog", {"pricing_viewed": 2, "form_submit": 1, "download": 1}),
    "snowplow_python_get": ("snowplow", {"pricing_viewed": 2, "form_submit": 2, "download": 2}),
    "browser_segment": ("segment", {"page_view": 1, "form_submit": 1}),
}


async def replay(door: Door, recorded: dict[str, Any], sender: str) -> httpx2.Response:
    """The recorded request with our key where its key stood."""
    headers = {name.lower(): value for name, value in recorded["headers"] if name.lower() not in SAID_BY_ITSELF}
    if recorded["path"].startswith("/v1"):
        headers["authorization"] = f"Basic {b64encode(f'{key_of(sender)}:'.encode()).decode()}"
    body = recorded.get("json")
    if isinstance(body, dict) and "api_key" in body:
        body = {**body, "api_key": key_of(sender)}
    query = urlencode(recorded["query"])
    content = b"" if body is None else json.dumps(body).encode()
    if recorded["gzip"]:
        content = gzip.compress(content)
    return await door.client.request(
        recorded["method"], f"{recorded['path']}?{query}", content=content, headers=headers
    )


@pytest.mark.parametrize("name", EXPECTED)
async def test_a_recorded_request_becomes_the_activities_its_person_did(
    stage: IngestStage, kafka: str, topic_prefix: str, name: str
) -> None:
    file = material(f"vectors/requests/{name}.json")
    if file is None:
        return
    sender, kinds = EXPECTED[name]
    await add_sources(stage)
    requests = [one for one in json.loads(file.read_text())["requests"] if one["method"] in {"POST", "GET"}]
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        for recorded in requests:
            if "/settings" not in recorded["path"]:
                answers = [await replay(door, recorded, sender) for _ in range(2)]  # as a library that sends again
                assert [one.status_code for one in answers] == [200, 200]
        records = await door.records()
    events = await handled(stage, records)
    found = of_type(events, "activity.recorded")
    assert Counter(one.kind for one in found) == kinds
    assert {one.source_id for one in found} == {source_of(sender)}
    assert len({one.activity_id for one in found}) == len(found)
    known = [one for one in of_type(events, "lead.identified") if one.is_known]
    assert {one.member_id for one in found} <= {one.lead_id for one in known}
    assert all(one.domain for one in of_type(events, "lead.linked"))


async def test_every_recorded_event_of_a_tracker_fits_the_schema_of_its_protocol() -> None:
    schema = material("vectors/schemas/iglu/com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4.json")
    if schema is None:
        return
    said = json.loads(schema.read_text())
    said.pop("$schema", None)
    validator = validator_for(said)
    for name in ("snowplow_python_post", "snowplow_python_get"):
        file = material(f"vectors/requests/{name}.json")
        assert file is not None
        requests = json.loads(file.read_text())["requests"]
        bodies = [one.get("json") or {"data": [one["query"]]} for one in requests]
        assert [body for body in bodies if not validator.is_valid(body["data"])] == []


async def test_plain_packed_and_silently_packed_events_of_one_batch_are_the_same_activities(
    stage: IngestStage, kafka: str, topic_prefix: str
) -> None:
    await add_sources(stage)
    batch = json.dumps(
        {
            "api_key": key_of("posthog"),
            "batch": [
                {
                    "uuid": f"e{n}",
                    "event": "Demo Requested",
                    "distinct_id": f"u{n}",
                    "timestamp": "2026-06-10T12:00:00Z",
                }
                for n in range(5)
            ],
        }
    ).encode()
    form = urlencode({"data": b64encode(batch).decode()}).encode()
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        answers = [
            await door.post("/batch/", batch, key=None),
            await door.post("/batch/", gzip.compress(batch), key=None, content_encoding="gzip"),
            await door.post("/batch/", gzip.compress(batch), key=None, content_type="text/plain"),
            await door.post("/batch/", form, key=None, content_type="application/x-www-form-urlencoded"),
        ]
        records = await door.records()
    assert [one.status_code for one in answers] == [200] * 4
    found = of_type(await handled(stage, records), "activity.recorded")
    assert {one.activity_id for one in found} == {derived_id(source_of("posthog"), f"e{n}") for n in range(5)}
    assert len(found) == 5
    assert await stage.one("select sum(repeats) from delivery_result") == 15
    assert await stage.one("select sum(ids_reused) from delivery_result") == 0


async def test_what_a_public_key_may_not_say_is_kept_as_custom(
    stage: IngestStage, kafka: str, topic_prefix: str
) -> None:
    await add_sources(stage)
    names = (
        "Email Opened",
        "Call Completed",
        "Webinar Attended",
        "Demo Requested",
        "Guide Downloaded",
        "Trial Started",
    )
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        for sender, path in (("segment", "/v1/batch"), ("jitsu", "/api/s/batch")):
            events = [{"type": "track", "event": one, "userId": "u1", "messageId": f"{one}"} for one in names]
            answer = await door.post(
                path, json.dumps({"batch": events}).encode(), key=key_of(sender, "browser_key"), origin=ORIGIN
            )
            assert answer.status_code == 200
        records = await door.records()
    found = of_type(await handled(stage, records), "activity.recorded")
    assert Counter(one.kind for one in found) == {
        "custom": 6, "demo_requested": 2, "download": 2, "trial_started": 2,
    }  # fmt: skip
    assert {one.name for one in found if one.kind == "custom"} == set(names[:3])
    assert {one.verified_by for one in found} == {"browser_key"}


async def test_a_measured_visit_is_kept_once_with_where_it_came_from(
    stage: IngestStage, kafka: str, topic_prefix: str
) -> None:
    file = material("vectors/ga4_measurement_protocol.json")
    if file is None:
        return
    await add_sources(stage)
    cases = json.loads(file.read_text())["cases"]
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        for case in cases:
            path = case["path"].replace("api_secret=s", f"api_secret={key_of('ga4')}")
            path = path.replace("api_secret=server_key-of-ga4wrong", "api_secret=wrong")
            for _ in range(2 if "timestamp_micros" in case["body"] else 1):
                answer = await door.post(path, json.dumps(case["body"]).encode(), key=None)
                assert (answer.status_code, answer.content) == (204, b"")
        records = await door.records()
    found = of_type(await handled(stage, records), "activity.recorded")
    kinds = Counter(one.kind for one in found)
    assert kinds == {"pricing_viewed": 1, "page_view": 1, "form_submit": 1, "download": 2, "custom": 26}
    named = [one for one in found if one.campaign == "Summer_fun"]
    assert {(one.kind, one.traffic_source, one.medium) for one in named} >= {
        ("pricing_viewed", "google", "cpc"), ("form_submit", "google", "cpc"), ("custom", "google", "cpc"),
    }  # fmt: skip


async def test_no_poison_on_any_collection_path_makes_a_5xx_or_costs_a_neighbour_or_is_stored(
    stage: IngestStage, kafka: str, topic_prefix: str
) -> None:
    await add_sources(stage)
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        for path, form in FORMS.items():
            sender = COLLECTING[path][0].SENDER
            query = f"?api_secret={key_of(sender)}" if sender == "ga4" else ""
            key = key_of(sender) if sender in {"segment", "jitsu"} else None
            for name, extra in EXTRAS.items():
                body = form.replace("KEY", key_of(sender)).encode().replace(b"EXTRA", extra)
                answer = await door.post(f"{path}{query}", body, key=key)
                assert answer.status_code in {200, 204, 400, 413}, (path, name)
                if "Neighbour" in form:
                    assert answer.status_code in {200, 204}, (path, name, answer.text)
        for poison in POISON:
            if poison.raw is None and len(poison.body) < BODY_BYTES_MAX:
                for path in FORMS:
                    sender = COLLECTING[path][0].SENDER
                    headers = {"authorization": f"Bearer {key_of(sender)}", **poison.headers}
                    answer = await door.client.post(path, content=poison.body, headers=headers)
                    assert answer.status_code < 500, (path, poison.name)
        records = await door.records()
    events = await _handled_or_parked(stage, records)
    neighbours = [one for one in of_type(events, "activity.recorded") if one.name == "Good Neighbour"]
    assert len(neighbours) >= len(EXTRAS) * (len(FORMS) - 1)
    texts = [event.payload.model_dump_json() for event in events]
    texts += [str(row) for row in await stage.rows("select fields::text from profile")]
    texts += [str(row) for row in await stage.rows("select answers::text, url from activity_text")]
    assert [text for text in texts if STORED_POISON.search(text)] == []


async def _handled_or_parked(stage: IngestStage, records: list[Any]) -> list[Any]:
    events: list[Any] = []
    ours: list[str] = []
    for record in records:
        try:
            events += await handled(stage, [record])
        except ParkError as parked:
            ours.append(parked.reason * parked.is_ours)
    assert not any(ours)
    return events
