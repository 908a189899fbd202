"""Inputs that must never give a 5xx, a stuck consumer, a lost neighbour or a stored poison value; each by its name."""

# ruff: noqa: E501 - one input a line is easier to read than the same wrapped

import gzip
import json
from dataclasses import dataclass, field

GOOD = {"type": "track", "event": "Good Neighbour", "userId": "good"}


@dataclass(frozen=True)
class Poison:
    """One input: what is sent where, and the statuses that are right; raw = bytes on the socket."""

    name: str
    statuses: tuple[int, ...]
    body: bytes = b""
    path: str = "/v1/track"
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    closes: bool = False


def _event(fields: str) -> bytes:
    return ('{"type":"track","event":"e","userId":"u",' + fields + "}").encode()


def _batch(*events: bytes) -> bytes:
    return b'{"batch":[' + b",".join((*events, json.dumps(GOOD).encode())) + b"]}"


_GZIP = {"content-encoding": "gzip"}
_BATCH = _batch(_event('"messageId":"n1"'))
_MANY_KEYS = _event('"properties":{' + ",".join(f'"k{n}":1' for n in range(200_000)) + "}")
_HTTP = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\n"


def _deep(depth: int) -> Poison:
    return Poison(f"json depth {depth}", (400, 413), b"[" * depth)


POISON: tuple[Poison, ...] = (
    Poison("NaN", (200,), _event('"properties":{"a":NaN}')),
    Poison("1e999 (becomes inf)", (200,), _event('"properties":{"a":1e999}')),
    Poison("Infinity", (200,), _event('"properties":{"a":Infinity}')),
    Poison("NUL in text", (200,), b'{"type":"track","event":"a\\u0000b","userId":"u"}'),
    Poison("NUL in a key", (200,), _event('"properties":{"a\\u0000":1}')),
    Poison("lone surrogate", (200,), b'{"type":"track","event":"\\ud800","userId":"u"}'),
    Poison("invalid UTF-8", (400,), b'{"type":"\xff\xfe"}'),
    Poison("UTF-8 BOM", (200,), b"\xef\xbb\xbf" + _event('"messageId":"bom"')),
    Poison("UTF-16 body", (400,), _event('"a":1').decode().encode("utf-16")),
    Poison("__proto__ / constructor keys", (200,), _event('"properties":{"__proto__":{"admin":true},"constructor":{"prototype":1}}')),
    Poison("duplicate keys", (200,), b'{"type":"track","userId":"a","userId":"b","event":"e"}'),
    _deep(100),
    _deep(900),
    _deep(1000),
    _deep(5000),
    _deep(100000),
    Poison("integer of 10^6 digits", (400,), b"9" * 1_000_000),
    Poison("integer beyond int64", (400,), _event('"properties":{"a":9223372036854775808}')),
    Poison("200 000 keys", (413,), _MANY_KEYS),
    Poison("string of 5 MiB in one event", (200, 413), _batch(_event('"properties":{"a":"' + "a" * 4_900_000 + '"}')), "/v1/batch"),
    Poison("body of 64 MiB", (413,), b"0" * (64 * 1024 * 1024), "/v1/batch"),
    Poison("gzip bomb 100 MiB of zeros in 102 kB", (413,), gzip.compress(b"0" * (100 * 1024 * 1024)), "/v1/batch", _GZIP),
    Poison("truncated gzip", (400,), gzip.compress(_BATCH)[:-9], "/v1/batch", _GZIP),
    Poison("gzip in gzip", (400,), gzip.compress(gzip.compress(_BATCH)), "/v1/batch", _GZIP),
    Poison("gzip with trailing garbage", (400,), gzip.compress(_BATCH) + b"garbage", "/v1/batch", _GZIP),
    Poison("gzip magic without the header (posthog-js does this)", (400,), gzip.compress(_BATCH), "/v1/batch"),
    Poison("Content-Encoding: gzip, gzip / br / zstd / deflate", (415,), _BATCH, "/v1/batch", {"content-encoding": "br"}),
    Poison("timestamp year 0001 / 9999 / 292277026596", (200,), _event('"timestamp":"9999-12-31T23:59:59.999Z"')),
    Poison('timestamp as a number, as "", as null, as {}', (200,), _event('"timestamp":{}')),
    Poison("timestamp 10 years ahead with sentAt (clock skew)", (200,), _event('"timestamp":"2036-11-25T00:00:00Z","sentAt":"2036-11-25T00:00:01Z"')),
    Poison("batch that is an object, a string, null", (400,), b'{"batch":"x"}', "/v1/batch"),
    Poison("batch of 0", (200,), b'{"batch":[]}', "/v1/batch"),
    Poison("same messageId twice in one batch", (200,), _batch(_event('"messageId":"t"'), _event('"messageId":"t"')), "/v1/batch"),
    Poison("same messageId from two sources", (200,), _event('"messageId":"two"')),
    Poison("messageId of 1 MB", (400, 413), _event('"messageId":"' + "m" * 1_000_000 + '"')),
    Poison("one bad event among 100", (200,), _batch(*(_event(f'"messageId":"h{n}"') for n in range(98)), b'{"type":7}'), "/v1/batch"),
    Poison("name with HTML/script, formula (=HYPERLINK), Slack <!channel>, RTL override", (200,),
           b'{"type":"identify","userId":"u","traits":{"name":"<img src=x onerror=alert(1)>","company":"=HYPERLINK(\\"http://x\\")","title":"<!channel> \\u202egnp"}}', "/v1/identify"),
    Poison("email with CR LF", (200,), b'{"type":"identify","userId":"u","traits":{"email":"a@b.example\\r\\nBcc: x@y.example"}}', "/v1/identify"),
    Poison("header of 200 kB", (400, 431), _BATCH, "/v1/batch", {"x-long": "h" * 200_000}),
    Poison("10 000 headers", (400, 431), raw=_HTTP + b"".join(b"X-%d: 1\r\n" % n for n in range(10_000)) + b"Content-Length: 0\r\n\r\n"),
    Poison("Content-Length 10^12, no body", (413,), raw=_HTTP + b"Content-Length: 1000000000000\r\n\r\n"),
    Poison("two Content-Length", (400,), raw=_HTTP + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    Poison("Content-Length together with Transfer-Encoding", (400,), raw=_HTTP + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Poison("absolute-form request target, wrong Host", (400, 401, 404), raw=b"POST http://evil.example/v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n" + b'{"batch":[]}'),
    Poison("HTTP/1.0 without Host", (400, 401), raw=b"POST /v1/batch HTTP/1.0\r\nContent-Length: 12\r\n\r\n" + b'{"batch":[]}'),
    Poison("slow body (headers, then nothing)", (), raw=_HTTP + b"Content-Length: 10\r\n\r\n", closes=True),
    Poison("slowloris: 400 half requests, 1 byte per 10 s", (), raw=b"POST /v1/batch HTTP/1.1\r\nHos", closes=True),
)  # fmt: skip
