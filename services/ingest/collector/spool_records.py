"""How a delivery lies in the spool: CRC-32C, length, then id, key, headers and body. No file, no clock.

Invariant: whatever is cut off a row of records, and whichever bit of it flips, what is read back is a prefix of what
was written. The checksum covers the length too, so a run of zeros that a crash leaves behind is no record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final

from shared.stream.checksum import crc32c

__all__ = ["RECORD_BYTES_MAX", "Spooled", "first_length", "packed", "unpacked"]

RECORD_BYTES_MAX: Final = 16 * 1024 * 1024  # above any body; a larger length is damage, not a record
_CHECKSUM: Final = Struct(">I")
_START: Final = Struct(">IHHH")  # length of all that follows it, of id, of key, number of headers
_HEADER: Final = Struct(">HI")  # length of name, of value
_LEAST: Final = _CHECKSUM.size + _START.size


@dataclass(frozen=True, slots=True)
class Spooled:
    """One delivery on its way: what Kafka gets, now or later."""

    delivery_id: str
    key: str
    headers: Sequence[tuple[str, bytes]]
    body: bytes


def packed(record: Spooled) -> bytes:
    """The bytes of one record."""
    own, key = record.delivery_id.encode(), record.key.encode()
    parts = [own, key]
    for name, value in record.headers:
        encoded = name.encode()
        parts += (_HEADER.pack(len(encoded), len(value)), encoded, value)
    parts.append(record.body)
    rest = b"".join(parts)
    said = _START.pack(len(rest), len(own), len(key), len(record.headers)) + rest
    return _CHECKSUM.pack(crc32c(said)) + said


def unpacked(data: bytes) -> tuple[list[Spooled], int]:
    """The whole, undamaged records at the start of some bytes, in order, and where they end."""
    records: list[Spooled] = []
    at, view = 0, memoryview(data)
    while at + _LEAST <= len(data):
        end = at + first_length(data, at)
        if end > len(data) or end - at > RECORD_BYTES_MAX:
            break
        said = view[at + _CHECKSUM.size : end]
        if crc32c(said) != _CHECKSUM.unpack_from(data, at)[0]:
            break
        records.append(_read(data, at + _CHECKSUM.size, end))
        at = end
    return records, at


def first_length(data: bytes, at: int = 0) -> int:
    """How many bytes the record that begins there has by its own word; of too few bytes: those that say it."""
    if at + _LEAST > len(data):
        return _LEAST
    return _LEAST + int(_START.unpack_from(data, at + _CHECKSUM.size)[0])


def _read(data: bytes, at: int, end: int) -> Spooled:
    """The record of checked bytes."""
    _, own, key, headers = _START.unpack_from(data, at)
    at += _START.size
    own_end, key_end = at + own, at + own + key
    delivery_id, key_text = data[at:own_end].decode(), data[own_end:key_end].decode()
    at = key_end
    found: list[tuple[str, bytes]] = []  # the client takes nothing but a list
    for _ in range(headers):
        name, value = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        found.append((data[at : at + name].decode(), data[at + name : at + name + value]))
        at += name + value
    return Spooled(delivery_id, key_text, found, data[at:end])
