"""Decides how the bytes of an imported file become text: its encoding, and what a person must be told about that.

UTF-8 unless the file says otherwise by a byte order mark; what is no UTF-8 was nearly always saved by a spreadsheet as
Windows-1252, so it is read as that and said so. Knows no columns and no records.
"""

import codecs
from dataclasses import dataclass
from typing import BinaryIO, Final

from shared.errors import Unreadable

__all__ = ["Encoding", "encoding_of"]

_READ_BYTES: Final = 1024 * 1024
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig", ""),
    (codecs.BOM_UTF16_LE, "utf-16", "The file is UTF-16; it was read as that."),
    (codecs.BOM_UTF16_BE, "utf-16", "The file is UTF-16; it was read as that."),
)
_UNDEFINED: Final = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))  # no characters of Windows-1252


@dataclass(frozen=True, slots=True)
class Encoding:
    """The codec to decode with, and the line that says why it is not plain UTF-8 ("" when it is)."""

    codec: str
    note: str = ""


def encoding_of(file: BinaryIO, *, is_beginning: bool = False) -> Encoding:
    """The encoding of a whole file, which is left at its start; is_beginning: its last character may be cut off.

    Raises Unreadable for bytes that are neither UTF-8 nor Windows-1252.
    """
    start = file.read(4)
    file.seek(0)
    for mark, codec, note in _MARKS:
        if start.startswith(mark):
            return Encoding(codec, note)
    line = _line_that_is_no_utf8(file, is_beginning=is_beginning)
    file.seek(0)
    if not line:
        return Encoding("utf-8")
    if _has_undefined(file):
        detail = f"Line {line} is neither UTF-8 nor Windows-1252; save the file as CSV in UTF-8 and send it again."
        raise Unreadable(detail, slug="not_utf8")
    file.seek(0)
    note = f"Line {line} is no UTF-8, so the file was read as Windows-1252; save it as UTF-8 if names look wrong."
    return Encoding("cp1252", note)


def _line_that_is_no_utf8(file: BinaryIO, *, is_beginning: bool) -> int:
    """The number of the first line that cannot be decoded as UTF-8; 0 when all can."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    while chunk := file.read(_READ_BYTES):
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            return lines + chunk[: error.start].count(b"\n")
        lines += chunk.count(b"\n")
    try:
        decoder.decode(b"", not is_beginning)
    except UnicodeDecodeError:
        return lines
    return 0


def _has_undefined(file: BinaryIO) -> bool:
    while chunk := file.read(_READ_BYTES):
        if chunk.translate(None, _UNDEFINED) != chunk:
            return True
    return False
