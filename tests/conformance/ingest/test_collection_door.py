"""The collection paths through sockets: keys, exact answers, other origins, and what libraries ask for first."""

import gzip
import json
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

from services.ingest.adapters import COLLECTING
from shared import clock
from tests.integration.ingest.collection import APP, SENDERS, collection_directory, key_of
from tests.integration.ingest.door import ORIGIN, PUBLIC_URL, Door, door_before

TRACK = {"type": "track", "event": "Form Submitted", "userId": "u1", "messageId": "m1"}
POSTHOG = {"event": "Form Submitted", "distinct_id": "u1", "uuid": "m1"}
SNOWPLOW = {"e": "pv", "eid": "m1", "uid": "u1", "url": "https://www.example.test/"}
GA4 = {"client_id": "1.2", "events": [{"name": "page_view", "params": {}}]}
TP2 = "/com.snowplowanalytics.snowplow/tp2"
PIXEL = b"GIF89a"


def said(record: Any) -> dict[str, Any]:  # noqa: ANN401 - a record of the broker's client
    found: dict[str, Any] = json.loads(dict(record.headers)["request"])
    return found


async def post(door: Door, path: str, body: object, query: str = "", **headers: str) -> Any:  # noqa: ANN401 - an answer
    address = f"{path}?{query}" if query else path
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await door.post(address, content, key=None, **headers)


async def test_every_way_a_library_shows_its_key_is_understood_and_kept_out_of_the_record(
    kafka: str, topic_prefix: str
) -> None:
    basic = {one: f"Basic {b64encode(f'{key_of(one)}:'.encode()).decode()}" for one in SENDERS}
    secret = urlencode({"measurement_id": "G-1", "api_secret": key_of("ga4")})
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        answers = [
            await post(door, "/v1/batch", {"batch": [TRACK]}, authorization=basic["segment"]),
            await post(door, "/v1/batch", {"batch": [TRACK], "writeKey": key_of("segment")}),
            await post(door, "/v1/track", {**TRACK, "writeKey": key_of("segment")}),
            await post(door, "/v1/batch", {"batch": [TRACK]}, authorization=basic["rudder"]),
            await post(door, "/v1/identify", TRACK | {"type": "identify"}, authorization=basic["customerio_cdp"]),
            await post(door, "/api/s/track", TRACK, x_write_key=f"baton:{key_of('jitsu')}"),
            await post(door, "/api/s/s2s/track", TRACK, x_write_key=f"{key_of('jitsu')}:secret"),
            await post(door, "/batch/", {"batch": [POSTHOG], "api_key": key_of("posthog")}),
            await post(door, "/e/", [{**POSTHOG, "properties": {"token": key_of("posthog")}}]),
            await post(door, "/capture/", {**POSTHOG, "token": key_of("posthog")}),
            await post(door, TP2, {"schema": "s", "data": [SNOWPLOW | {"aid": APP}]}),
            await post(door, TP2, {"schema": "s", "data": [SNOWPLOW | {"aid": key_of("snowplow")}]}),
            await door.client.get(f"/i?{urlencode(SNOWPLOW | {'aid': APP})}"),
            await post(door, "/mp/collect", GA4, secret),
            await post(door, "/mp/collect", GA4, secret.replace("secret", "s%65cret").replace("key", "k%65y")),
        ]
        records = await door.records()
    assert [one.status_code for one in answers] == [200] * 13 + [204] * 2
    by_sender = sorted(said(record)["sender"] for record in records)
    assert by_sender == sorted(
        ["segment"] * 3
        + ["rudder", "customerio_cdp", "jitsu", "jitsu", "ga4", "ga4"]
        + ["posthog"] * 3
        + ["snowplow"] * 3
    )
    public = {one["secret_id"] for one in map(said, records) if one["verified_by"] == "browser_key"}
    assert len(public) == 1, "only a name of an application proves no more than a browser's key"
    kept = " ".join(json.dumps(said(record)) for record in records)
    assert "server_key-of" not in kept
    assert "%65" not in kept, "nor in an encoding of its name that only a reader undoes"
    assert "measurement_id=G-1" in kept


async def test_each_sender_hears_what_its_library_expects(kafka: str, topic_prefix: str) -> None:
    bad = {"event": "x", "distinct_id": "u1", "uuid": 7}
    too_many = {"client_id": "1.2", "events": [{"name": f"e{n}"} for n in range(26)]}
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        kept = await post(door, "/batch/", {"batch": [POSTHOG], "api_key": key_of("posthog")})
        some = await post(door, "/batch/", {"batch": [POSTHOG, bad], "api_key": key_of("posthog")})
        alone = await post(door, "/capture/", {**bad, "api_key": key_of("posthog")})
        pixel = await door.client.get(f"/i?{urlencode(SNOWPLOW | {'aid': APP})}")
        tracked = await post(door, TP2, {"data": [SNOWPLOW | {"aid": APP}]})
        partly = await post(door, TP2, {"data": [SNOWPLOW | {"aid": APP}, {"e": "zz"}]})
        silent = [
            await post(door, "/mp/collect", GA4, "api_secret=wrong"),
            await post(door, "/mp/collect", GA4),
            await post(door, "/mp/collect", b"not json", f"api_secret={key_of('ga4')}"),
            await post(door, "/mp/collect", b"{}" * 100_000, f"api_secret={key_of('ga4')}"),
            await post(door, "/mp/collect", too_many, f"api_secret={key_of('ga4')}"),
        ]
        checked = await post(door, "/debug/mp/collect", GA4, f"api_secret={key_of('ga4')}")
        wrong = await post(door, "/debug/mp/collect", {"events": [{}]})
        metrics = await post(door, "/v1/m", {"series": []})
        records = await door.records()
    assert kept.json() == {"success": True, "status": 1, "accepted": 1, "rejected": []}
    assert (some.status_code, some.json()["accepted"]) == (200, 1)
    assert [(one["index"], one["reason"]) for one in some.json()["rejected"]] == [(1, "message_id")]
    assert alone.status_code == 400
    for one in (pixel, tracked):
        assert (one.status_code, one.headers["content-type"]) == (200, "image/gif")
        assert one.content.startswith(PIXEL)
    assert (partly.status_code, partly.json()["rejected"][0]["reason"]) == (200, "unknown_type")
    assert [(one.status_code, one.content) for one in silent] == [(204, b"")] * 5
    assert checked.json() == {"validationMessages": []}
    assert wrong.json()["validationMessages"][0]["fieldPath"] == "events[0]"
    assert (metrics.status_code, metrics.content) == (200, b"")
    assert len(records) == 6, "what GA4 was refused, and what was only checked, is not kept"


async def test_a_shared_path_is_read_as_the_sender_of_the_key_and_others_as_the_first(
    kafka: str, topic_prefix: str
) -> None:
    assert {path: takers[0].SENDER for path, takers in COLLECTING.items() if len(takers) > 1} == {
        f"/v1/{name}": "segment" for name in ("batch", "track", "identify", "page", "screen", "group", "alias")
    }
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        for sender in ("segment", "rudder", "customerio_cdp", "posthog"):
            answer = await door.post("/v1/track", json.dumps(TRACK).encode(), key=key_of(sender))
            assert answer.status_code == 200
        records = await door.records()
    assert sorted(said(one)["sender"] for one in records) == ["customerio_cdp", "rudder", "segment", "segment"]


async def test_another_origin_is_echoed_where_listed_and_cookies_only_where_the_library_sends_them(
    kafka: str, topic_prefix: str
) -> None:
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        for path, takers in COLLECTING.items():
            listed = await door.client.options(path, headers={"origin": ORIGIN})
            foreign = await door.client.options(path, headers={"origin": "https://evil.example"})
            method = takers[0].PATHS[path]
            unreadable = await door.client.request(method, path, content=b"<", headers={"origin": ORIGIN})
            assert (listed.status_code, foreign.status_code) == (204, 403)
            assert "access-control-allow-origin" not in foreign.headers
            for answer in (listed, unreadable):
                assert answer.headers["access-control-allow-origin"] == ORIGIN, path
                assert answer.headers["vary"] == "Origin"
                has_cookies = answer.headers.get("access-control-allow-credentials") == "true"
                assert has_cookies is (takers[0].SENDER == "snowplow")
            asked = set(listed.headers["access-control-allow-headers"].split(", "))
            assert {"authorization", "content-type", "x-write-key", "anonymousid", "sentat", "x-retry-count"} <= asked
            assert listed.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
            assert listed.headers["access-control-max-age"] == "7200"


async def test_a_preflight_while_the_directory_is_stale_may_be_asked_again(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        door.directory.replace([], [], read_at=clock.monotonic() - 61)
        answer = await door.client.options("/e/", headers={"origin": ORIGIN})
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 30


async def test_what_comes_from_an_unlisted_page_without_asking_is_answered_200_and_parked(
    kafka: str, topic_prefix: str
) -> None:
    new = "https://new.example"
    packed = gzip.compress(
        json.dumps([{**POSTHOG, "properties": {"token": key_of("posthog", "browser_key")}}]).encode()
    )
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        answers = [
            await post(door, "/e/", packed, "compression=gzip-js", content_type="text/plain", origin=new),
            await post(door, TP2, {"data": [SNOWPLOW | {"aid": APP}]}, content_type="text/plain", origin=new),
            await post(
                door, "/v1/t", {**TRACK, "writeKey": key_of("segment", "browser_key")},
                content_type="text/plain", origin=new,
            ),
        ]  # fmt: skip
        records = await door.records()
    assert [one.status_code for one in answers] == [200] * 3
    assert [(said(one)["parked_as"], said(one)["headers"]["origin"]) for one in records] == [
        ("origin_not_listed", new)
    ] * 3


async def test_gzip_that_does_not_say_so_is_read_on_the_paths_of_posthog_alone(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        for path, takers in COLLECTING.items():
            sender = takers[0].SENDER
            if takers[0].PATHS[path] != "POST" or sender in {"ga4", "cloudevents"}:
                continue
            body = gzip.compress(json.dumps({"batch": [POSTHOG | TRACK], "data": [SNOWPLOW | {"aid": APP}]}).encode())
            answer = await door.post(path, body, key=key_of(sender), content_type="text/plain")
            assert answer.status_code == (200 if sender == "posthog" else 400), path


async def test_an_application_without_a_key_is_found_by_name_then_origin_then_host(
    kafka: str, topic_prefix: str
) -> None:
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        unknown = await post(door, TP2, {"data": [SNOWPLOW | {"aid": "another"}]}, origin=ORIGIN)
        nameless = await post(door, TP2, {"data": [SNOWPLOW]}, origin=ORIGIN)
        door.directory.replace([], [], read_at=clock.monotonic() - 61)
        unsure = await post(door, TP2, {"data": [SNOWPLOW | {"aid": APP}]})
    assert [one.status_code for one in (unknown, nameless, unsure)] == [401, 401, 503]


async def test_the_settings_browser_libraries_fetch_let_them_send_here(kafka: str, topic_prefix: str) -> None:
    keys = {one: key_of(one, "browser_key") for one in SENDERS}
    protocol, _, host = PUBLIC_URL.partition("://")
    flags = gzip.compress(json.dumps({"token": keys["posthog"]}).encode())
    basic = "Basic " + b64encode(f"{keys['rudder']}:".encode()).decode()
    async with door_before(kafka, topic_prefix, directory=collection_directory()) as door:
        segment = await door.client.get(f"/v1/projects/{keys['segment']}/settings", headers={"origin": ORIGIN})
        rudder = await door.client.get(f"/sourceConfig/?p=npm&writeKey={keys['rudder']}", headers={"origin": ORIGIN})
        by_basic = await door.client.get("/sourceConfig/", headers={"origin": ORIGIN, "authorization": basic})
        posthog = await door.client.get(f"/array/{keys['posthog']}/config", headers={"origin": ORIGIN})
        asked = await post(door, "/flags/", flags, "v=2&compression=gzip-js", content_type="text/plain", origin=ORIGIN)
        unknown = [
            await door.client.get("/v1/projects/nobody/settings"),
            await door.client.get("/sourceConfig/?writeKey=nobody"),
            await door.client.get("/array/nobody/config"),
            await post(door, "/flags/", {"token": "nobody"}),
        ]
        unreadable = await post(door, "/flags/", b"<html>")
        door.directory.replace([], [], read_at=clock.monotonic() - 61)
        stale = [
            await door.client.get("/v1/projects/nobody/settings"),
            await door.client.get("/sourceConfig/?writeKey=nobody"),
            await door.client.get("/array/nobody/config"),
            await post(door, "/flags/", {"token": "nobody"}),
        ]
    for answer in (segment, rudder, by_basic, posthog):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=300"
        assert answer.headers["vary"] == "Origin"
        assert answer.headers["access-control-allow-origin"] == ORIGIN
    settings = segment.json()["integrations"]["Segment.io"]
    assert (settings["apiKey"], settings["apiHost"], settings["protocol"]) == (keys["segment"], f"{host}/v1", protocol)
    assert rudder.json() == by_basic.json()
    source = rudder.json()["source"]
    assert (source["writeKey"], source["enabled"], source["destinations"]) == (keys["rudder"], True, [])
    assert source["config"] == {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}}
    assert posthog.json() == asked.json()
    assert posthog.json()["supportedCompression"] == ["gzip", "gzip-js"]
    assert [one.status_code for one in unknown] == [401] * 4
    assert unreadable.status_code == 400
    assert [one.status_code for one in stale] == [200] * 4
