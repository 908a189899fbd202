"""The bounds of SECURITY section 2 at the door, each with its number, through sockets, before a real broker."""

import asyncio
import gc
import gzip
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from services.ingest.collector import DoorRates
from services.ingest.collector.certificates import Certificates
from services.ingest.collector.wire import BATCH_BYTES_MAX, WEBHOOK_BYTES_MAX
from services.ingest.domain.body import BATCH_UNPACKED_MAX, EVENT_BYTES_MAX, gunzipped
from shared.errors import TooLarge
from shared.stream.producer import REQUEST_BYTES
from shared.stream.topics import FETCH_BYTES
from tests.conformance.ingest.webhook_sources import Shelf, post, signed_now, sources_of_all
from tests.integration.ingest.door import EVENTS_KEY, MAIL_ADDRESS, RATES, SERVER_KEY, Door, door_before

MIB = 1024 * 1024
EVENT = {"type": "track", "event": "Form Submitted", "userId": "u1", "messageId": "m1"}
BATCH = json.dumps({"batch": [EVENT]}).encode()
HEAD = f"POST /v1/batch HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {SERVER_KEY}\r\n".encode()
PATIENCE_SECONDS = 30.0


def test_the_bounds_are_those_of_the_page_and_fit_into_a_record() -> None:
    assert (BATCH_BYTES_MAX, BATCH_UNPACKED_MAX) == (5 * MIB, 8 * MIB)
    assert (WEBHOOK_BYTES_MAX, EVENT_BYTES_MAX) == (MIB, MIB)
    assert 10 * MIB < REQUEST_BYTES == FETCH_BYTES, "the largest body of all, inbound mail, is one record too"


async def test_a_length_of_10_to_the_12_is_413_before_a_byte_of_the_body(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix) as door:
        for path, length in (("/v1/batch", 10**12), ("/v1/batch", 5 * MIB + 1), ("/v1/events", 10**18)):
            request = HEAD.replace(b"/v1/batch", path.encode()) + b"Content-Length: %d\r\n\r\n" % length
            assert (await door.raw(request)).startswith(b"HTTP/1.1 413 "), (path, length)
        hook = b"POST /webhooks/sendgrid/%s HTTP/1.1\r\nHost: here\r\n" % MAIL_ADDRESS.encode()
        assert (await door.raw(hook + b"Content-Length: %d\r\n\r\n" % (MIB + 1))).startswith(b"HTTP/1.1 413 ")
        assert (await door.post(f"/webhooks/sendgrid/{MAIL_ADDRESS}", b"x" * MIB)).status_code == 401


async def test_64_mib_without_a_length_are_413_and_are_not_held(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix) as door:
        assert (await drip(door, 8)).startswith(b"HTTP/1.1 413 ")  # once, so that buffers are as large as they get
        gc.collect()
        before = resident_bytes()
        assert (await drip(door, 64)).startswith(b"HTTP/1.1 413 ")
        assert resident_bytes() - before < 10 * MIB


async def drip(door: Door, mib: int) -> bytes:
    """The answer to a chunked body of so many MiB; sending ends when the door closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    part = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    try:
        for _ in range(mib * 16):
            writer.write(part)
            await writer.drain()
    except ConnectionError:
        pass
    async with asyncio.timeout(PATIENCE_SECONDS):
        answer = await reader.read(256)
    writer.close()
    return answer


def resident_bytes() -> int:
    """What this process holds in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize("plain_mib", [9, 100])
def test_a_gzip_bomb_is_stopped_within_16_mib(plain_mib: int) -> None:
    packed = gzip.compress(bytes(plain_mib * MIB))
    tracemalloc.start()
    with pytest.raises(TooLarge):
        gunzipped(packed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * MIB


async def test_headers_above_100_or_16_kib_are_431(kafka: str, topic_prefix: str) -> None:
    many = b"".join(b"x-%d: 1\r\n" % n for n in range(101))
    large = b"x-large: " + b"x" * 16 * 1024 + b"\r\n"
    async with door_before(kafka, topic_prefix) as door:
        for more in (many, large):
            assert (await door.raw(HEAD + more + b"Content-Length: 0\r\n\r\n")).startswith(b"HTTP/1.1 431 ")


async def test_an_event_above_1_mib_is_refused_and_its_neighbours_are_kept(kafka: str, topic_prefix: str) -> None:
    parts = {f"part{n}": "x" * 250_000 for n in range(5)}  # each text is short enough, all together are not
    events = [{**EVENT, "messageId": f"m{n}"} for n in range(5)]
    events[2] = {**events[2], "properties": parts}  # type: ignore[dict-item]
    events[3] = {**events[3], "properties": {"text": "x" * (256 * 1024 + 1)}}  # type: ignore[dict-item]
    async with door_before(kafka, topic_prefix) as door:
        answer = await door.post("/v1/batch", json.dumps({"batch": events}).encode())
    report = answer.json()
    assert (answer.status_code, report["accepted"]) == (200, 3)
    assert [(one["index"], one["reason"]) for one in report["rejected"]] == [
        (2, "event_too_large"),
        (3, "text_too_long"),
    ]


async def test_a_key_at_ten_times_its_rate_is_429_and_costs_the_other_key_nothing(
    kafka: str, topic_prefix: str
) -> None:
    rates = DoorRates(server_key=20, browser_key=RATES.browser_key, browser_address=RATES.browser_address)
    event = {"ce_id": "1", "ce_source": "/app", "ce_type": "baton.trial_started", "ce_specversion": "1.0"}
    async with door_before(kafka, topic_prefix, rates=rates) as door:
        noisy = [door.post("/v1/batch", BATCH) for _ in range(200)]
        calm = [door.post("/v1/events", b'{"user_id":"u"}', key=EVENTS_KEY, **event) for _ in range(10)]
        answers = await asyncio.gather(*noisy, *calm)
    assert {answer.status_code for answer in answers[200:]} == {202}
    refused = [answer for answer in answers[:200] if answer.status_code == 429]
    assert refused
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert {answer.status_code for answer in answers[:200]} == {200, 429}


async def test_over_its_rate_a_body_is_not_read(kafka: str, topic_prefix: str) -> None:
    rates = DoorRates(server_key=1, browser_key=RATES.browser_key, browser_address=RATES.browser_address)
    async with door_before(kafka, topic_prefix, rates=rates) as door:
        answer = b""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not answer:  # b"": this machine took longer than the window of the rate is
                await door.post("/v1/batch", BATCH)
                answer = await door.raw(HEAD + b"Content-Length: 100\r\n\r\n", within_seconds=PATIENCE_SECONDS)
    assert answer.startswith(b"HTTP/1.1 429 "), "although its body never came"


async def test_a_network_that_proves_nothing_is_429_without_its_body_and_a_live_source_in_it_is_not(
    kafka: str, topic_prefix: str
) -> None:
    rates = replace(RATES, unproven=1)
    certificates = Certificates(Shelf({}))
    asked = {"/webhooks/postmark/nobody": b"[]", "/flags/": b'{"token":"nobody"}', "/debug/mp/collect": b"{}"}
    options = {"rates": rates, "directory": sources_of_all(), "certificates": certificates}
    async with door_before(kafka, topic_prefix, **options) as door:
        for path, body in asked.items():
            answer = b""
            request = f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n".encode()
            while not answer.startswith(b"HTTP/1.1 429 "):  # this machine may take longer than the window
                await door.post(path, body, key=None)
                answer = await first_answer(door, request)
            assert (await post(door, signed_now("postmark"))).status_code == 200, path


async def first_answer(door: Door, request: bytes) -> bytes:
    """The start of the answer, b"" when none came while a body is waited for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        writer.write(request)
        async with asyncio.timeout(1):
            return await reader.read(256)
    except TimeoutError:
        return b""
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
async def test_flags_are_asked_for_in_at_most_64_kib(
    kafka: str, topic_prefix: str, pack: Callable[[bytes], bytes]
) -> None:
    bodies = [json.dumps({"token": SERVER_KEY, "x": "x" * length}).encode() for length in (60_000, 70_000)]
    async with door_before(kafka, topic_prefix) as door:
        answers = [await door.post("/flags/", pack(body), key=None) for body in bodies]
    assert [one.status_code for one in answers] == [200, 413]
