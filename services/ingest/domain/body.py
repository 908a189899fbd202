"""Decides what a sender's bytes say before anybody believes them: gzip, charset, JSON, its repairs and its bounds.

The front door and the consumer both read by these functions, so what one refuses the other refuses too. It must not
know senders. Invariant: a value that leaves here holds no NaN, no NUL, no lone surrogate, no integer beyond int64, no
nesting beyond DEPTH_MAX (SENDERS section 2, SECURITY section 2).
"""

import json
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

import msgspec
import orjson

from shared.errors import TooLarge, Unreadable

__all__ = [
    "BATCH_UNPACKED_MAX",
    "EVENT_BYTES_MAX",
    "Batch",
    "gunzipped",
    "is_gzip",
    "is_plain",
    "not_json",
    "plain",
    "read_event",
    "read_json",
    "split_array",
    "split_batch",
    "split_object",
    "split_under",
    "utf8",
]

BATCH_UNPACKED_MAX: Final = 8 * 1024 * 1024  # a gzip bomb is stopped here, not in memory
EVENT_BYTES_MAX: Final = 1024 * 1024  # one event above it is refused, its neighbours are kept
DEPTH_MAX: Final = 32  # deeper JSON overflows recursive readers downstream
KEYS_MAX: Final = 10_000  # more keys in one event are an attack on hash tables and on row width
STRING_CHARACTERS_MAX: Final = 256 * 1024
RATIO_MAX: Final = 200  # honest JSON packs 5 to 30 times
RATIO_FROM_BYTES: Final = 1024 * 1024
_STEP_BYTES: Final = 64 * 1024
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_BOM: Final = b"\xef\xbb\xbf"

# What the fast parser would let pass or refuse although a repair exists: NUL, surrogate escapes, 19-digit numbers,
# three-digit exponents, NaN and Infinity. A hit only sends the event to the slower, repairing parser.
# Found by `in` over the text with all digits alike and all but numbers blank: that skips fastest over what is no hit.
_ALIKE: Final = re.sub(rb"[^0e+]", b" ", re.sub(rb"[0-9]", b"0", bytes(range(256)).replace(b"E", b"e")))
_LONG_NUMBER, _EXPONENT, _EXPONENT_PLUS = b"0" * 19, b"e000", b"e+000"
_SUSPICIOUS_ESCAPES: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_SNIFFED_BYTES: Final = 256
_FORM: Final = re.compile(rb"[\w.\[\]%+-]+=")
_WHAT_TO_SEND: Final = (
    'Send JSON in UTF-8: an object for one event; {"batch": [...]} or an array where the address takes several.'
)
_UNTEXT: Final = re.compile("[\x00\ud800-\udfff]")


class _BatchOutline(msgspec.Struct, rename="camel"):
    """The parts of a batch that the door reads; each event stays raw bytes."""

    batch: list[msgspec.Raw]
    sent_at: msgspec.Raw = msgspec.Raw(b"null")
    write_key: msgspec.Raw = msgspec.Raw(b"null")
    context: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch split without decoding its events: the raw events in order, and the raw fields beside them."""

    events: tuple[bytes, ...]
    fields: Mapping[str, bytes]

    def field(self, name: str) -> object:
        """One field beside the events (sentAt, writeKey, context), read when asked for; None when unreadable."""
        try:
            return read_json(self.fields[name])
        except Unreadable:
            return None


_BATCH: Final = msgspec.json.Decoder(_BatchOutline)
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def plain(body: bytes, *, encoding: str, sniffs_gzip: bool = False) -> bytes:
    """The body as UTF-8 text in bytes: unpacked when the encoding says gzip, or, where it is sniffed, the first bytes.

    Raises TooLarge or Unreadable as `gunzipped` and `utf8` do.
    """
    is_packed = encoding.strip().lower() == "gzip" or (sniffs_gzip and is_gzip(body))
    return utf8(gunzipped(body) if is_packed else body)


def is_gzip(body: bytes) -> bool:
    """Whether the bytes start like gzip."""
    return body[:2] == b"\x1f\x8b"


def gunzipped(body: bytes, *, bytes_max: int = BATCH_UNPACKED_MAX) -> bytes:
    """The one layer and one member of gzip, unpacked in steps under the bounds.

    Raises TooLarge beyond bytes_max or RATIO_MAX, Unreadable for truncation, trailing bytes or gzip in gzip.
    """
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    out, pending, length = [], body, 0
    try:
        while pending and not unpacker.eof:
            step = unpacker.decompress(pending, _STEP_BYTES)
            pending = unpacker.unconsumed_tail
            length += len(step)
            out.append(step)
            if length > bytes_max or (length > RATIO_FROM_BYTES and length > RATIO_MAX * len(body)):
                raise TooLarge("The unpacked body is above its bound; send smaller batches.")
            if not step and not pending:
                break
    except zlib.error as error:
        raise Unreadable("The body is not valid gzip; send it again, packed once.", slug="bad_gzip") from error
    unpacked = b"".join(out)
    if not unpacker.eof or unpacker.unused_data or is_gzip(unpacked):
        raise Unreadable("The gzip body is cut, doubled or has trailing bytes; send one member.", slug="bad_gzip")
    return unpacked


def utf8(body: bytes) -> bytes:
    """The body without a byte-order mark. Raises Unreadable when it is not UTF-8."""
    plain = body.removeprefix(_BOM)
    try:
        plain.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("The body is not UTF-8; send JSON as UTF-8.", slug="not_utf8") from error
    return plain


def is_plain(raw: bytes) -> bool:
    """Whether one event needs neither repair nor a walk to be within all bounds: true for nearly every event."""
    return (
        len(raw) <= STRING_CHARACTERS_MAX
        and raw.count(b"{") + raw.count(b"[") <= DEPTH_MAX
        and raw.count(b":") <= KEYS_MAX
        and not _is_suspicious(raw)
    )


def _is_suspicious(raw: bytes) -> bool:
    alike = raw.translate(_ALIKE)
    return (  # written out: a generator would cost more than all the looking
        _LONG_NUMBER in alike
        or _EXPONENT in alike
        or _EXPONENT_PLUS in alike
        or (b"N" in raw and b"NaN" in raw)  # one sign is found ten times as fast as a word
        or (b"I" in raw and b"Infinity" in raw)
        or (b"\\" in raw and _SUSPICIOUS_ESCAPES.search(raw) is not None)
    )


def split_batch(body: bytes) -> Batch:
    """A `{"batch": […]}` body as raw events. Raises Unreadable when it is no such object."""
    try:
        outline = _BATCH.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        return _split_slowly(body)
    fields = {"sentAt": outline.sent_at, "writeKey": outline.write_key, "context": outline.context}
    events = tuple(bytes(event) for event in outline.batch)
    return Batch(events, {name: bytes(raw) for name, raw in fields.items()})


def split_array(body: bytes) -> tuple[bytes, ...]:
    """A JSON array as raw elements. Raises Unreadable when it is none."""
    try:
        return tuple(bytes(event) for event in _ARRAY.decode(body))
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        value = _loads(body)
        if not isinstance(value, list):
            raise Unreadable("The body must be a JSON array of events.", slug="not_an_array") from None
        return tuple(_dumped(event) for event in value)


def split_under(body: bytes, name: str) -> tuple[bytes, ...]:
    """The raw elements of the list under one name of an object. Raises Unreadable when there is none."""
    try:
        found = _OBJECT.decode(body).get(name)
        return tuple(bytes(event) for event in _ARRAY.decode(bytes(found or b"")))
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        value = _loads(body)
        events = value.get(name) if isinstance(value, dict) else None
        if not isinstance(events, list):
            detail = f'The body must be an object whose "{name}" is an array of events.'
            raise Unreadable(detail, slug="not_a_batch") from None
        return tuple(_dumped(event) for event in events)


def split_object(body: bytes) -> Mapping[str, bytes]:
    """A JSON object as raw fields, none of them decoded. Raises Unreadable when it is none."""
    try:
        return {name: bytes(raw) for name, raw in _OBJECT.decode(body).items()}
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        value = _loads(body)
        if not isinstance(value, dict):
            raise Unreadable("The body must be a JSON object.", slug="not_an_object") from None
        return {name: _dumped(one) for name, one in value.items()}


def read_event(raw: bytes) -> Mapping[str, object]:
    """One event as a sound object, repaired where a repair exists. Raises Unreadable naming the bound it breaks."""
    if len(raw) > EVENT_BYTES_MAX:
        raise Unreadable("One event may hold at most 1 MiB.", slug="event_too_large")
    value = read_json(raw)
    if not isinstance(value, dict):
        raise Unreadable("An event must be a JSON object.", slug="not_an_object")
    return cast("Mapping[str, object]", value)


def read_json(raw: bytes) -> object:
    """Any JSON value, sound and within the bounds. Raises Unreadable."""
    if is_plain(raw):
        try:
            return cast("object", orjson.loads(raw))
        except orjson.JSONDecodeError:
            pass
    value = _loads(raw)
    return _sound(value)


def _split_slowly(body: bytes) -> Batch:
    value = _loads(body)
    events = value.get("batch") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(events, list):
        raise Unreadable('The body must be an object whose "batch" is an array of events.', slug="not_a_batch")
    fields = {name: _dumped(value.get(name)) for name in ("sentAt", "writeKey", "context")}
    return Batch(tuple(_dumped(event) for event in events), fields)


def _loads(raw: bytes) -> object:
    """The slow parser with repairs: NaN, Infinity and what overflows a double become null; the last of twins wins."""
    try:
        return cast("object", json.loads(raw.decode(), parse_constant=_nothing, parse_float=_finite))
    except RecursionError as error:
        raise Unreadable("The JSON is nested too deeply.", slug="too_deep") from error
    except ValueError as error:
        raise Unreadable(not_json(raw), slug="not_json") from error


def not_json(raw: bytes) -> str:
    """What bytes that are no JSON seem to be, and what to send instead."""
    start = raw[:_SNIFFED_BYTES].lstrip()
    if not start:
        seen = "The body is empty."
    elif start.startswith(b"<"):
        seen = "The body looks like XML or HTML, not JSON."
    elif start.startswith(b"--") or _FORM.match(start):
        seen = "The body looks like a form, not JSON."
    else:
        seen = "The body is not JSON, or is cut off."
    return f"{seen} Nothing of it was kept. {_WHAT_TO_SEND}"


def _nothing(_: str) -> None:
    return None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _dumped(value: object) -> bytes:
    """The bytes of one event of a body that only the slow parser could read; escapes keep lone surrogates apart."""
    try:
        return json.dumps(value, separators=(",", ":")).encode()
    except RecursionError as error:
        raise Unreadable("The JSON is nested too deeply.", slug="too_deep") from error


def _sound(value: object) -> object:
    """A repaired copy. Raises Unreadable for depth, number of keys, long strings and integers beyond int64."""
    return _Walk().sound(value, 1)


class _Walk:
    """One walk over one event, counting its keys."""

    def __init__(self) -> None:
        self.keys = 0

    def sound(self, value: object, depth: int) -> object:
        """The repaired value; depth is its own level, the event's object being 1."""
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, bool) or value is None or isinstance(value, float):
            return value
        if isinstance(value, int):
            if not _INT64_MIN <= value <= _INT64_MAX:
                raise Unreadable("An integer is beyond 64 bits; send it as text.", slug="integer_too_large")
            return value
        if depth > DEPTH_MAX:
            raise Unreadable("The JSON is nested deeper than 32 levels.", slug="too_deep")
        if isinstance(value, list):
            return [self.sound(item, depth + 1) for item in value]
        assert isinstance(value, dict), "a JSON value has six forms"
        self.keys += len(value)
        if self.keys > KEYS_MAX:
            raise Unreadable("One event may hold at most 10,000 keys.", slug="too_many_keys")
        return {_text(key): self.sound(item, depth + 1) for key, item in value.items()}


def _text(text: str) -> str:
    if len(text) > STRING_CHARACTERS_MAX:
        raise Unreadable("A text may hold at most 256 KiB.", slug="text_too_long")
    if _UNTEXT.search(text) is None:
        return text
    return text.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
