"""One suite for all senders: samples, every kind, forged proofs, mutated bodies, and the same ids again."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_structured_event
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.adapters import ADAPTERS, sendgrid
from services.ingest.domain.activity import CHANNELS
from services.ingest.domain.observation import Operation
from services.ingest.domain.source import SourceSettings
from shared.errors import AppError
from shared.senders import InboundRequest
from tests.conformance.ingest.adapter_samples import samples, senders, shown
from tests.support.material import material

NOW = 1_781_085_600.0


@pytest.mark.parametrize("sender", senders())
def test_each_sample_says_what_is_expected_and_the_same_ids_again(sender: str) -> None:
    found = list(samples(sender))
    assert found, "a sender without samples is not understood"
    for case, request, expected in found:
        parsed = ADAPTERS[sender].parse(request, SourceSettings())
        assert json.loads(json.dumps(shown(parsed), default=str)) == expected, case
        assert ADAPTERS[sender].parse(request, SourceSettings()) == parsed
        outline = ADAPTERS[sender].outline(request)
        assert outline.events == len(parsed.observations) + len(parsed.refusals), case


@pytest.mark.parametrize("sender", senders())
def test_every_kind_of_the_table_is_sampled_and_of_the_closed_set(sender: str) -> None:
    table = set(ADAPTERS[sender].KINDS.values())
    seen = {
        one.kind
        for _, request, _ in samples(sender)
        for one in ADAPTERS[sender].parse(request, SourceSettings()).observations
    }
    assert table <= set(CHANNELS)
    assert table <= seen


@pytest.mark.parametrize("sender", senders())
def test_a_sender_is_closed_without_a_proof(sender: str) -> None:
    for _, request, _ in samples(sender):
        for secret in ("", "secret", "?" * 500):
            assert not ADAPTERS[sender].verify(request, secret, NOW)


@pytest.mark.parametrize("sender", senders())
@settings(max_examples=60)
@given(data=st.data())
def test_a_mutated_body_raises_nothing_but_the_documented_errors(sender: str, data: st.DataObject) -> None:
    request = data.draw(st.sampled_from([request for _, request, _ in samples(sender)]))
    at = data.draw(st.integers(0, len(request.body)))
    cut = data.draw(st.integers(0, 40))
    body = request.body[:at] + data.draw(st.binary(max_size=8)) + request.body[at + cut :]
    mutated = InboundRequest(request.method, request.path, request.query, request.headers, body)
    adapter = ADAPTERS[sender]
    assert _status(adapter.outline, mutated) in {200, 400, 413}
    assert _status(partial(adapter.parse, settings=SourceSettings()), mutated) in {200, 400, 413}
    adapter.hint(mutated)
    assert adapter.handshake(mutated, []) is None


def _status(read: Callable[[InboundRequest], object], request: InboundRequest) -> int:
    try:
        read(request)
    except AppError as error:
        return error.status
    return 200


# ------------------------------------------------------------------------------------------------------------- SendGrid
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
BODY = b'[{"email":"kim@acme.example","event":"open","sg_event_id":"x","timestamp":1781085600}]\r\n'
SIGNATURE, TIMESTAMP = "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"


def signed(body: bytes = BODY, *, at: int = int(NOW)) -> InboundRequest:
    signature = KEY.sign(str(at).encode() + body, ec.ECDSA(SHA256()))
    headers = {SIGNATURE: b64encode(signature).decode(), TIMESTAMP: str(at)}
    return InboundRequest("POST", "/webhooks/sendgrid/x", "", headers, body)


@pytest.mark.parametrize(("seconds", "is_fresh"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)])
def test_a_signed_time_is_good_for_five_minutes_both_ways(seconds: int, *, is_fresh: bool) -> None:
    assert sendgrid.verify(signed(), PUBLIC, NOW + seconds) is is_fresh


def forgeries() -> Iterator[InboundRequest]:
    """200 ways to change a signed request a little."""
    right = signed()
    signature = right.headers[SIGNATURE]
    for at in range(60):
        changed = bytearray(right.body)
        changed[at] ^= 1 << (at % 8)
        yield _with(right, body=bytes(changed))
    for at in range(90):
        swapped = "A" if signature[at % len(signature)] != "A" else "B"
        yield _with(
            right,
            headers={SIGNATURE: signature[: at % len(signature)] + swapped + signature[at % len(signature) + 1 :]},
        )
    for time in (
        "",
        "x",
        "-1",
        "1781085600.0",
        " 1781085600",
        "١٧٨١٠٨٥٦٠٠",
        "9" * 40,
        "1781085601",
        "1781085600, 1781085600",
    ):
        yield _with(right, headers={TIMESTAMP: time})
    for other in (
        signature.lower(),
        signature[:-1],
        signature + "=",
        f"{signature}, {signature}",
        "",
        "?",
        signature + "\n",
    ):
        yield _with(right, headers={SIGNATURE: other})
    for body in (b"", BODY[:-2], BODY.replace(b"\r\n", b"\n"), BODY + b" ", b" " + BODY, BODY.upper()):
        yield _with(right, body=body)
    for drop in (SIGNATURE, TIMESTAMP):
        headers = {name: value for name, value in right.headers.items() if name != drop}
        yield InboundRequest("POST", right.path, "", headers, right.body)
    for number in range(30):
        yield _with(right, body=BODY.replace(b"kim", b"k%dm" % number))


def _with(
    request: InboundRequest, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> InboundRequest:
    said = {**request.headers, **(headers or {})}
    return InboundRequest(request.method, request.path, request.query, said, request.body if body is None else body)


def test_no_forged_request_is_accepted_and_none_raises() -> None:
    assert sendgrid.verify(signed(), PUBLIC, NOW)
    forged = list(forgeries())
    assert len(forged) >= 200
    assert [one for one in forged if sendgrid.verify(one, PUBLIC, NOW)] == []
    for key in ("", "nonsense", PUBLIC[:-4], PUBLIC.lower()):
        assert not sendgrid.verify(signed(), key, NOW)


def test_the_published_signatures_give_the_stated_verdicts() -> None:
    file = material("vectors/sendgrid.json")
    if file is None:
        return
    for vector in json.loads(file.read_text())["vectors"]:
        headers = {name.lower(): value for name, value in vector["headers"].items()}
        request = InboundRequest("POST", "/webhooks/sendgrid/x", "", headers, vector["body"].encode())
        verdict = sendgrid.verify(request, vector["public_key_der_b64"], vector["now"])
        assert verdict is vector["valid"], vector["name"]


def test_the_captured_mail_events_are_normalised_as_stated() -> None:
    file = material("vectors/sendgrid_payloads.json")
    if file is None:
        return
    for case in json.loads(file.read_text())["cases"]:
        request = InboundRequest("POST", "/webhooks/sendgrid/x", "", {}, json.dumps(case["payload"]).encode())
        (found,) = sendgrid.parse(request, SourceSettings()).observations
        assert found.person.email == case["payload"][0]["email"], case["case"]
        assert found.touch.message == case["payload"][0]["sg_message_id"].partition(".")[0]
        if case["canonical"] == "no activity (status only)":
            assert found.operation is Operation.STATUS, case["case"]
        elif case["canonical"] is not None:
            assert found.kind == case["canonical"], case["case"]
        if "expected_time" in case:
            assert found.timestamp == datetime.fromisoformat(case["expected_time"])


# ---------------------------------------------------------------------------------------------------------- CloudEvents
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
