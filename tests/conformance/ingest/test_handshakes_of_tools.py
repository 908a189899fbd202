"""Set-up questions of senders through sockets: the exact answer, and none to who does not prove himself."""

import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from services.ingest.adapters import ADAPTERS
from services.ingest.collector import SourceDirectory
from shared import clock
from shared.senders import InboundRequest, keyed_hex
from tests.conformance.ingest.signing import NOW, request_to
from tests.conformance.ingest.webhook_sources import UNKNOWN, address_of, post, source_of, url_of
from tests.integration.ingest.door import Door, door_before
from tests.support.material import material

SECRET = "a-secret-of-tests"
VERIFY_TOKEN = "a-verify-token"
NO_CODES = ("", "x" * 257, f"{'hmacsha256'}={{}}", "hmacsha256=", "a b", "a\n", "ä")
"""Some would make us sign the body of a delivery for who asks."""


def directory() -> SourceDirectory:
    found = SourceDirectory()
    sources = [source_of("meta", f"{SECRET} {VERIFY_TOKEN}")]
    sources += [source_of(name, SECRET) for name in ("linkedin", "zoom", "intercom", "google_ads")]
    found.replace(sources, [], read_at=clock.monotonic())
    return found


def zoom_question(*, seconds: float = 0, secret: str = SECRET) -> InboundRequest:
    body = json.dumps(
        {"event": "endpoint.url_validation", "payload": {"plainToken": "plain-token"}, "event_ts": 1}
    ).encode()
    timestamp = str(int(clock.now().timestamp() + seconds))
    signature = keyed_hex(f"v0:{timestamp}:".encode() + body, secret=secret)
    headers = {"x-zm-signature": f"v0={signature}", "x-zm-request-timestamp": timestamp}
    return request_to(url_of("zoom"), headers, body)


async def asked(door: Door, sender: str, query: Mapping[str, str], *, address: str | None = None) -> Any:  # noqa: ANN401
    place = address or address_of(sender)
    return await door.client.get(f"/webhooks/{sender}/{place}?{urlencode(query)}")


async def test_meta_gets_its_challenge_back_as_text_for_the_right_token_alone(kafka: str, topic_prefix: str) -> None:
    right = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "<b>1158201444</b>"}
    async with door_before(kafka, topic_prefix, directory=directory()) as door:
        answer = await asked(door, "meta", right)
        wrong = [
            await asked(door, "meta", {**right, name: value})
            for name, value in (
                ("hub.verify_token", "x"),
                ("hub.verify_token", ""),
                ("hub.verify_token", SECRET),
                ("hub.mode", "unsubscribe"),
                ("hub.challenge", ""),
                ("hub.challenge", "x" * 600),
            )
        ]
        nowhere = await asked(door, "meta", right, address=UNKNOWN)
        assert await door.records() == []
    assert (answer.status_code, answer.text) == (200, right["hub.challenge"])
    assert answer.headers["content-type"].startswith("text/plain")
    assert {one.status_code for one in wrong} == {403}
    assert nowhere.status_code == 401


async def test_linkedin_gets_its_code_with_the_keyed_hash(kafka: str, topic_prefix: str) -> None:
    code = "890e4665-4dfe-4ab1-b689-ed553bceeed0"
    async with door_before(kafka, topic_prefix, directory=directory()) as door:
        answer = await asked(door, "linkedin", {"challengeCode": code})
        odd = [await asked(door, "linkedin", {})]
        odd += [await asked(door, "linkedin", {"challengeCode": one}) for one in NO_CODES]
        nowhere = await asked(door, "linkedin", {"challengeCode": code}, address=UNKNOWN)
    expected = hmac.new(SECRET.encode(), code.encode(), "sha256").hexdigest()
    assert answer.json() == {"challengeCode": code, "challengeResponse": expected}
    assert {one.status_code for one in (*odd, nowhere)} == {401}


async def test_zoom_gets_its_token_with_the_keyed_hash_when_it_asks_now_and_signed(
    kafka: str, topic_prefix: str
) -> None:
    async with door_before(kafka, topic_prefix, directory=directory()) as door:
        answer = await post(door, zoom_question())
        wrong = [
            await post(door, zoom_question(secret="another")),
            await post(door, zoom_question(seconds=-301)),
            await post(door, zoom_question(seconds=330)),
            await post(door, zoom_question()._replace(headers={})),
            await post(door, zoom_question(), address=UNKNOWN),
        ]
        assert await door.records() == []
    expected = hmac.new(SECRET.encode(), b"plain-token", "sha256").hexdigest()
    assert answer.json() == {"plainToken": "plain-token", "encryptedToken": expected}
    assert {one.status_code for one in wrong} == {401}


async def test_tests_of_intercom_and_google_are_answered_and_make_nobody(kafka: str, topic_prefix: str) -> None:
    ping = json.dumps({"type": "notification_event", "topic": "ping", "id": None, "data": {"item": {}}}).encode()
    headers = {"X-Hub-Signature": f"sha1={keyed_hex(ping, secret=SECRET, digest='sha1')}"}
    test = json.dumps({"lead_id": "x", "is_test": True, "google_key": SECRET, "user_column_data": []}).encode()
    async with door_before(kafka, topic_prefix, directory=directory()) as door:
        answers = [
            await post(door, request_to(url_of("intercom"), headers, ping)),
            await post(door, request_to(url_of("google_ads"), {}, test)),
            await door.client.head(f"/webhooks/intercom/{address_of('intercom')}"),
        ]
        kept = await door.records()
    assert [one.status_code for one in answers] == [200, 200, 200]
    operations = [
        found.operation.value
        for sender, body in (("intercom", ping), ("google_ads", test))
        for found in ADAPTERS[sender]
        .parse(request_to(url_of(sender), {}, body), source_of(sender).settings)
        .observations
    ]
    assert (operations, len(kept)) == (["status", "status"], 2)


@pytest.mark.parametrize("name", ["meta_leadgen", "linkedin", "zoom"])
def test_the_published_questions_get_the_published_answers(name: str) -> None:
    file = material(f"vectors/{name}.json")
    if file is None:
        return
    sender = name.removesuffix("_leadgen")
    for vector in json.loads(file.read_text())["vectors"]:
        if "query" not in vector and "expected_response" not in vector:
            continue
        query = urlencode(vector.get("query", {}))
        request = request_to(
            f"{url_of(sender)}?{query}",
            vector.get("headers", {}),
            vector.get("body", "").encode(),
            method=vector.get("method", "POST"),
        )
        secret = vector.get("client_secret") or vector.get("secret_token") or f"app {vector.get('verify_token')}"
        reply = ADAPTERS[sender].handshake(request, [secret])
        assert reply is not None, vector["name"]
        assert reply.status == vector.get("expected_status", 200), vector["name"]
        if "expected_text" in vector:
            assert reply.body.decode() == vector["expected_text"]
        if "expected_response" in vector:
            assert json.loads(reply.body) == vector["expected_response"]
            if request.method == "POST":
                assert ADAPTERS[sender].verify(request, secret, vector.get("now", NOW))
