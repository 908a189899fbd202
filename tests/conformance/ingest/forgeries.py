"""The ways a signed request is changed a little; none of the results may be accepted (SENDERS 11, SECURITY 3)."""

from collections.abc import Iterator

from shared.senders import InboundRequest
from tests.conformance.ingest.signing import Signing, with_

_TEXT_HEADERS = frozenset({"content-type"})
_SCHEMES = frozenset({"basic", "bearer"})
_BITS = 100
_SWAPS = "Ab7-"


def forgeries(signing: Signing, right: InboundRequest) -> Iterator[InboundRequest]:
    """All of them, 200 or more."""
    if signing.covers_body:
        yield from _of_body(signing, right)
    if signing.covers_url:
        yield from _of_url(right)
    for name in right.headers:
        if name not in _TEXT_HEADERS:
            yield from _of_header(right, name)
    yield from signing.mutations(right)


def _of_body(signing: Signing, right: InboundRequest) -> Iterator[InboundRequest]:
    body = right.body
    changed = [_flipped(body, number * len(body) // _BITS, number % 8) for number in range(_BITS)]
    changed += [b"", body[:-1], body[1:], body + b" ", b" " + body, body + b"\n", body[::-1], body + body]
    changed += [body.upper(), body.lower(), body.swapcase(), body.replace(b"\r\n", b"\n"), body.replace(b"1", b"2")]
    changed += [body.replace(b"kim", b"k%dm" % number) for number in range(30)]
    signed = signing.canonical(body)
    for other in changed:
        if signing.canonical(other) != signed:
            yield with_(right, body=other)


def _of_url(right: InboundRequest) -> Iterator[InboundRequest]:
    yield right._replace(url=f"{right.url}/")
    yield right._replace(url=f"{right.url}?")
    yield right._replace(url=f"{right.url}?a=1")
    yield right._replace(url=right.url.replace("https:", "http:"))
    yield right._replace(url=right.url.replace("//in.", "//IN."))
    yield right._replace(url=right.url.upper())
    yield right._replace(url="")


def _of_header(right: InboundRequest, name: str) -> Iterator[InboundRequest]:
    value = right.headers[name]
    others = ["", "?", value[:-1], value[1:], value[::-1], f"{value}=", f"{value}\n", f"{value}\x00", value * 2]
    others += [f"{value}, {value}", f"{value},{value}", f",{value}", f"{value}é", "x" * 5000]
    others += [value.upper(), value.lower(), value.swapcase()]
    for at, sign in enumerate(value):
        others += [value[:at] + swap + value[at + 1 :] for swap in _SWAPS if swap != sign]
        others += [value[:at] + "A" + value[at:], value[:at] + value[at + 1 :]]
    if value.isdigit():
        others += [str(int(value) + 1), str(int(value) - 1), f"{value}.0", f" {value}", f"-{value}", f"+{value}"]
        others += ["".join(chr(0x660 + int(digit)) for digit in value), "9" * 40, "0" + value, "1e9", "1_000"]
    for other in others:
        if _as_read(other) != _as_read(value):
            yield with_(right, headers={name: other})
    yield right._replace(headers={key: one for key, one in right.headers.items() if key != name})


def _as_read(value: str) -> str:
    """The scheme of an authorization is the same in any case (RFC 9110)."""
    scheme, space, rest = value.partition(" ")
    return f"{scheme.lower()}{space}{rest}" if scheme.lower() in _SCHEMES else value


def _flipped(body: bytes, at: int, bit: int) -> bytes:
    changed = bytearray(body)
    changed[at] ^= 1 << bit
    return bytes(changed)
