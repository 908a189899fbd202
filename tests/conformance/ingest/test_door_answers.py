"""The exact answers of the door (SENDERS section 1), through sockets, before a real broker."""

import gzip
import json
from base64 import b64encode

from services.ingest.collector import DoorRates
from shared import clock
from tests.integration.ingest.door import (
    BROWSER_KEY,
    EVENTS_KEY,
    MAIL_ADDRESS,
    ORIGIN,
    RATES,
    SERVER_KEY,
    directory_of,
    door_before,
)

EVENT = {"type": "track", "event": "Form Submitted", "userId": "u1", "messageId": "m1"}
BATCH = json.dumps({"batch": [EVENT]}).encode()


async def test_what_is_kept_is_answered_exactly_200_and_lies_in_kafka_byte_for_byte(
    kafka: str, topic_prefix: str
) -> None:
    packed = gzip.compress(BATCH)
    async with door_before(kafka, topic_prefix) as door:
        plain = await door.post("/v1/batch", BATCH)
        zipped = await door.post("/v1/batch", packed, content_encoding="gzip")
        single = await door.post("/v1/track", json.dumps(EVENT).encode(), key=None, x_write_key=SERVER_KEY)
        basic = f"Basic {b64encode(f'{SERVER_KEY}:'.encode()).decode()}"
        by_basic = await door.post("/v1/batch", BATCH, key=None, authorization=basic)
        in_body = await door.post(
            "/v1/batch", json.dumps({"batch": [EVENT], "writeKey": SERVER_KEY}).encode(), key=None
        )
        empty = await door.post("/v1/batch", b'{"batch":[]}')
        records = await door.records()
    for answer in (plain, zipped, single, by_basic, in_body, empty):
        assert answer.status_code == 200, answer.text
    assert plain.json() == {"success": True, "accepted": 1, "rejected": []}
    assert sorted(record.value for record in records)[:2].count(packed) == 1
    assert len(records) == 5
    headers = dict(records[0].headers)
    said = json.loads(headers["request"])
    assert (said["verified_by"], said["address"]) == ("server_key", "127.0.0.0/24")
    assert SERVER_KEY not in headers["request"].decode()


async def test_one_bad_event_does_not_cost_its_neighbours(kafka: str, topic_prefix: str) -> None:
    events = [{**EVENT, "messageId": f"m{n}"} for n in range(100)]
    events[37] = {**EVENT, "messageId": "x" * 300}
    async with door_before(kafka, topic_prefix) as door:
        answer = await door.post("/v1/batch", json.dumps({"batch": events}).encode())
    assert answer.status_code == 200
    report = answer.json()
    assert (report["accepted"], [(one["index"], one["reason"]) for one in report["rejected"]]) == (
        99,
        [(37, "message_id")],
    )


async def test_bodies_that_cannot_be_read_as_a_whole_are_refused(kafka: str, topic_prefix: str) -> None:
    bomb = gzip.compress(b"0" * 20_000_000)
    async with door_before(kafka, topic_prefix) as door:
        answers = {
            "not json": await door.post("/v1/batch", b"not json"),
            "batch is an object": await door.post("/v1/batch", b'{"batch":{}}'),
            "batch is null": await door.post("/v1/batch", b'{"batch":null}'),
            "batch is a text": await door.post("/v1/batch", b'{"batch":"x"}'),
            "cut gzip": await door.post("/v1/batch", gzip.compress(BATCH)[:-6], content_encoding="gzip"),
            "gzip with a tail": await door.post("/v1/batch", gzip.compress(BATCH) + b"x", content_encoding="gzip"),
            "gzip in gzip": await door.post("/v1/batch", gzip.compress(gzip.compress(BATCH)), content_encoding="gzip"),
            "gzip without header": await door.post("/v1/batch", gzip.compress(BATCH)),
            "utf-16": await door.post("/v1/batch", BATCH.decode().encode("utf-16")),
        }
        too_large = {
            "bomb": await door.post("/v1/batch", bomb, content_encoding="gzip"),
            "wire": await door.post("/v1/batch", b"0" * (5 * 1024 * 1024 + 1)),
        }
        unsupported = [
            await door.post("/v1/batch", BATCH, content_encoding=one) for one in ("br", "zstd", "deflate", "gzip, gzip")
        ]
        records = await door.records()
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 400)
    assert {name: answer.status_code for name, answer in too_large.items()} == dict.fromkeys(too_large, 413)
    assert [answer.status_code for answer in unsupported] == [415] * 4
    assert records == []
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in answers.values())


async def test_an_unknown_key_is_401_while_the_directory_is_fresh_and_503_after(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix) as door:
        unknown = await door.post("/v1/batch", BATCH, key="nobody")
        no_key = await door.post("/v1/batch", BATCH, key=None)
        webhook = await door.post("/webhooks/sendgrid/nowhere", b"[]")
        wrong = await door.post(f"/webhooks/sendgrid/{MAIL_ADDRESS}", b"[]")
        door.directory.replace([], [], read_at=clock.monotonic() - 61)
        stale = await door.post("/v1/batch", BATCH)
        stale_hook = await door.post("/webhooks/sendgrid/nowhere", b"[]")
    assert [one.status_code for one in (unknown, no_key, webhook, wrong)] == [401] * 4
    assert webhook.content == wrong.content
    for one in (stale, stale_hook):
        assert one.status_code == 503
        assert 1 <= int(one.headers["retry-after"]) <= 30


async def test_too_fast_is_429_with_the_seconds_to_wait(kafka: str, topic_prefix: str) -> None:
    rates = DoorRates(server_key=2, browser_key=RATES.browser_key, browser_address=RATES.browser_address)
    async with door_before(kafka, topic_prefix, rates=rates) as door:
        answers = [await door.post("/v1/batch", BATCH) for _ in range(6)]
    assert answers[-1].status_code == 429
    assert answers[-1].headers["retry-after"] == "1"


async def test_no_room_is_503_not_a_longer_queue(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix, requests_max=0) as door:
        answer = await door.post("/v1/batch", BATCH)
    assert (answer.status_code, answer.headers["retry-after"] in {"1", "2"}) == (503, True)


async def test_events_are_202_in_all_three_modes(kafka: str, topic_prefix: str) -> None:
    event = {"specversion": "1.0", "type": "baton.trial_started", "source": "/app", "id": "1", "data": {"user_id": "u"}}
    binary = {"ce_id": "2", "ce_source": "/app", "ce_type": "baton.trial_started", "ce_specversion": "1.0"}
    async with door_before(kafka, topic_prefix) as door:
        answers = [
            await door.post("/v1/events", b'{"user_id":"u"}', key=EVENTS_KEY, **binary),
            await door.post(
                "/v1/events",
                json.dumps(event).encode(),
                key=EVENTS_KEY,
                content_type="application/cloudevents+json; charset=UTF-8",
            ),
            await door.post(
                "/v1/events",
                json.dumps([event]).encode(),
                key=EVENTS_KEY,
                content_type="application/cloudevents-batch+json",
            ),
        ]
        missing = await door.post("/v1/events", b"{}", key=EVENTS_KEY)
        asked = await door.client.options("/v1/events", headers={"webhook-request-origin": "www.example.test"})
        stranger = await door.client.options("/v1/events", headers={"webhook-request-origin": "evil.example"})
    assert [answer.status_code for answer in answers] == [202] * 3
    assert missing.status_code == 400
    assert (asked.status_code, asked.headers["webhook-allowed-origin"]) == (200, "www.example.test")
    assert stranger.status_code == 403


async def test_a_listed_origin_is_echoed_on_every_answer_and_a_foreign_one_is_parked(
    kafka: str, topic_prefix: str
) -> None:
    async with door_before(kafka, topic_prefix) as door:
        preflight = await door.client.options("/v1/t", headers={"origin": ORIGIN})
        foreign = await door.client.options("/v1/t", headers={"origin": "https://evil.example"})
        body = json.dumps({**EVENT, "writeKey": BROWSER_KEY}).encode()
        kept = await door.post("/v1/t", body, key=None, origin=ORIGIN, content_type="text/plain")
        refused = await door.post("/v1/t", b"nonsense", key=BROWSER_KEY, origin=ORIGIN)
        beacon = await door.post("/v1/t", body, key=None, origin="https://new.example", content_type="text/plain")
        settings = await door.client.get(f"/v1/projects/{BROWSER_KEY}/settings", headers={"origin": ORIGIN})
        records = await door.records()
    assert (preflight.status_code, foreign.status_code) == (204, 403)
    for answer in (preflight, kept, refused, settings):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.headers["vary"] == "Origin"
    assert (kept.status_code, refused.status_code, beacon.status_code) == (200, 400, 200)
    assert settings.json()["integrations"]["Segment.io"]["apiKey"] == BROWSER_KEY
    said = [json.loads(dict(record.headers)["request"]) for record in records]
    parked = {one["parked_as"]: one["headers"].get("origin") for one in said}
    assert parked == {None: None, "origin_not_listed": "https://new.example"}


async def test_what_the_door_does_not_know_goes_to_the_app(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix, directory=directory_of()) as door:
        answer = await door.client.get("/v1/leads")
    assert answer.text == "behind the door"
