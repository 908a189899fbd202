"""What the adapters of client libraries do with bodies that no library sends: one rule per test."""

import gzip
import json
from base64 import b64encode
from urllib.parse import urlencode

import pytest

from services.ingest.adapters import COLLECTING, ga4, posthog, snowplow
from services.ingest.domain.source import SourceSettings
from shared.errors import TooLarge, Unreadable
from shared.senders import InboundRequest

BOMB = gzip.compress(b"0" * 20_000_000)
MANY = "&".join(f"f{n}=1" for n in range(1_001))
TP2 = "/com.snowplowanalytics.snowplow/tp2"


def request(path: str, body: bytes, query: str = "", **headers: str) -> InboundRequest:
    return InboundRequest("POST", path, query, {name.replace("_", "-"): one for name, one in headers.items()}, body)


def test_a_guess_at_the_person_never_raises() -> None:
    for path, takers in COLLECTING.items():
        for taker in takers:
            for body in (BOMB, b"\xff", b"<", b'{"batch":7}'):
                assert taker.hint(request(path, body, MANY, content_encoding="gzip" if body is BOMB else "")) is None


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        (b"data=%%%", "bad_base64"),
        (b"data=", "not_json"),
        (urlencode({"data": b64encode(b"\xff\xfe").decode()}).encode(), "not_utf8"),
        (b"data=1&" + MANY.encode(), "not_json"),
        (b'{"batch":{}}', "not_a_batch"),
        (b"7", "not_an_object"),
    ],
)
def test_a_body_of_posthog_that_is_no_batch_and_no_event_is_refused_whole(body: bytes, slug: str) -> None:
    with pytest.raises(Unreadable) as refused:
        posthog.outline(request("/e/", body))
    assert refused.value.problem == slug


def test_the_key_of_posthog_is_found_beside_an_event_that_is_refused() -> None:
    long = b'{"event":"e","distinct_id":"u","properties":{"token":"k","n":9223372036854775808}}'
    assert posthog.outline(request("/e/", long)).key == "k"
    assert posthog.outline(request("/e/", b"[" + b'{"a":NaN},' + long + b"]")).key == "k"
    assert posthog.outline(request("/e/", b"[7]", MANY)).key is None
    assert posthog.outline(request("/e/", b'[{"a":NaN,"n":9223372036854775808}]')).key is None
    assert posthog.parse(request("/e/", b"[]", MANY), SourceSettings()).observations == ()


@pytest.mark.parametrize("body", [b"{}", b'{"data":{}}', b'{"data":null}'])
def test_a_body_of_a_tracker_without_a_list_of_events_is_refused_whole(body: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        snowplow.outline(request(TP2, body))
    assert refused.value.problem == "not_a_batch"


def test_a_query_of_too_many_fields_is_no_event() -> None:
    with pytest.raises(Unreadable) as refused:
        snowplow.outline(InboundRequest("GET", "/i", MANY, {}, b""))
    assert refused.value.problem == "too_many_keys"
    assert ga4.outline(request("/mp/collect", b'{"events":[]}', MANY)).key is None


def test_a_measurement_above_its_bound_is_too_large() -> None:
    with pytest.raises(TooLarge):
        ga4.outline(request("/mp/collect", json.dumps({"events": [{"name": "x" * 130_000}]}).encode()))


def test_a_beacon_says_its_key_in_the_query() -> None:
    outline = COLLECTING["/beacon/v1/batch"][0].outline
    assert outline(request("/beacon/v1/batch", b'{"batch":[]}', "writeKey=k")).key == "k"
    assert outline(request("/beacon/v1/batch", b'{"batch":[]}', MANY)).key is None
