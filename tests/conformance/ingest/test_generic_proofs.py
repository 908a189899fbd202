"""The four proofs of the generic sender: each by 200 forgeries, its time, and no falling back to a weaker one."""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from services.ingest.adapters import ADAPTERS, generic
from services.ingest.collector import SourceDirectory
from services.ingest.domain.source import SourceSettings
from shared import clock
from shared.senders import InboundRequest, keyed_hex
from tests.conformance.ingest.forgeries import forgeries
from tests.conformance.ingest.signing import NOW, SIGNINGS, Signing, request_to
from tests.conformance.ingest.webhook_sources import post, source_of, url_of
from tests.integration.ingest.door import door_before
from tests.support.material import material

GENERIC = ADAPTERS["generic"]
KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"


def _standard(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"msg_1.{int(now)}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now)), "webhook-signature": f"v1,{signature}"}
    return request_to(url, headers, body)


def _hub(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - the scheme has no time
    return request_to(url, {"X-Hub-Signature-256": f"sha256={keyed_hex(body, secret=secret)}"}, body)


def _bearer(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - no time
    return request_to(url, {"Authorization": f"Bearer {secret}"}, body)


DATED = SIGNINGS["generic"]
SCHEMES: Mapping[str, Signing] = {
    "dated": DATED,
    "standard": replace(DATED, sign=_standard, secret=KEY),
    "hub": replace(DATED, sign=_hub, tolerance_seconds=None),
    "bearer": replace(DATED, sign=_bearer, tolerance_seconds=None, covers_body=False),
}


@pytest.mark.parametrize("name", SCHEMES)
def test_each_proof_is_taken_and_no_forgery_of_it(name: str) -> None:
    scheme = replace(SCHEMES[name], mutations=lambda _: ())
    right = scheme.signed()
    assert GENERIC.verify(right, scheme.secret, NOW)
    forged = [one for one in forgeries(scheme, right) if one != right]
    assert len(forged) >= 200
    assert [one for one in forged if GENERIC.verify(one, scheme.secret, NOW)] == []


@pytest.mark.parametrize("name", ["dated", "standard"])
@pytest.mark.parametrize(("seconds", "is_fresh"), [(299, True), (-299, True), (301, False), (-301, False)])
def test_a_signed_time_is_good_for_five_minutes(name: str, seconds: int, *, is_fresh: bool) -> None:
    scheme = SCHEMES[name]
    assert GENERIC.verify(scheme.signed(), scheme.secret, NOW + seconds) is is_fresh


def test_a_stronger_proof_that_is_wrong_is_not_helped_by_a_weaker_one_that_is_right() -> None:
    bearer = SCHEMES["bearer"].signed().headers
    for name in ("dated", "standard", "hub"):
        scheme = SCHEMES[name]
        wrong = scheme.signed(body=b'{"email":"mallory@acme.example"}')._replace(body=DATED.body)
        both = wrong._replace(headers={**wrong.headers, **bearer})
        assert GENERIC.verify(SCHEMES["bearer"].signed(), DATED.secret, NOW)
        assert not GENERIC.verify(both, DATED.secret, NOW), name


@pytest.mark.parametrize("name", SCHEMES)
def test_the_id_of_a_header_counts_only_where_it_was_signed(name: str) -> None:
    request = SCHEMES[name].signed(body=b'{"kind":"form_submit","email":"kim@acme.example"}')
    kept = {header: value for header, value in request.headers.items() if header in GENERIC.KEPT_HEADERS}
    for start in ("webhook", "svix"):
        shown = request._replace(headers={f"{start}-id": "msg_1", **kept})
        (found,) = GENERIC.parse(shown, SourceSettings()).observations
        assert found.event_id == ("msg_1\x1f0" if name == "standard" else None)


def test_a_source_that_names_its_proof_takes_no_other() -> None:
    for name in SCHEMES:
        settings = SourceSettings(options={"proof": name})
        taken = {other for other, one in SCHEMES.items() if generic.accepts(one.signed(), settings)}
        assert taken == {name}
        assert generic.accepts(SCHEMES[name].signed(), SourceSettings())


async def test_the_door_asks_for_the_proof_that_the_source_names(kafka: str, topic_prefix: str) -> None:
    directory, now = SourceDirectory(), clock.now().timestamp()
    settings = SourceSettings(options={"proof": "hub"})
    directory.replace([source_of("generic", DATED.secret, settings=settings)], [], read_at=clock.monotonic())
    async with door_before(kafka, topic_prefix, directory=directory) as door:
        answers = {
            name: (await post(door, SCHEMES[name].signed(now=now, url=url_of("generic")))).status_code
            for name in ("hub", "bearer", "dated")
        }
    assert answers == {"hub": 200, "bearer": 401, "dated": 401}


@pytest.mark.parametrize("file_name", ["standardwebhooks", "x_hub_signature_256", "stripe_style"])
def test_the_published_vectors_of_each_proof_give_the_stated_verdicts(file_name: str) -> None:
    file = material(f"vectors/{file_name}.json")
    if file is None:
        return
    for vector in json.loads(file.read_text())["vectors"]:
        secret = vector.get("secret") or vector.get("key")
        if secret is None or "headers" not in vector:
            continue
        request = request_to("https://in.example.test/webhooks/generic/x", vector["headers"], vector["body"].encode())
        assert GENERIC.verify(request, secret, vector.get("now") or NOW) is vector["valid"], vector["name"]
