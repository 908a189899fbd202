"""Reads `multipart/form-data`: the fields that are texts, as bytes; files are passed over without being kept.

Pure, by a library that many run, in one pass. Bounds: PARTS_MAX parts, HEADER_BYTES_MAX of headers of one part; a body
that ends before its last boundary is Unreadable as a whole.
"""

from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.errors import Unreadable

__all__ = ["text_fields"]

PARTS_MAX: Final = 1_000
HEADER_BYTES_MAX: Final = 16 * 1024


def text_fields(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    """(name, content) of each part that is no file, in order; charsets are the sender's matter. Raises Unreadable."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise Unreadable("The multipart form names no boundary.", slug="not_a_form")
    fields = _Fields()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": fields.begin,
                "on_header_field": fields.header,
                "on_header_value": fields.header_value,
                "on_header_end": fields.header_end,
                "on_headers_finished": fields.headers_finished,
                "on_part_data": fields.content,
                "on_part_end": fields.end,
                "on_end": fields.all_read,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Unreadable("The body is no multipart form, or is cut off.", slug="not_a_form") from error
    if not fields.is_ended:
        raise Unreadable("The multipart form is cut off.", slug="not_a_form")
    return fields.found


class _Fields:
    """Takes what the parser tells, part by part."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bytes]] = []
        self.is_ended = False
        self._parts = 0
        self._headers = b""
        self._is_in_value = False
        self._name: str | None = None
        self._content: list[bytes] = []

    def begin(self) -> None:
        """A part begins."""
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise Unreadable(f"A form may have at most {PARTS_MAX} parts.", slug="not_a_form")
        self._headers, self._is_in_value, self._name, self._content = b"", False, None, []

    def header(self, said: bytes, start: int, end: int) -> None:
        """A piece of a header's name."""
        self._add(said[start:end])

    def header_value(self, said: bytes, start: int, end: int) -> None:
        """A piece of a header's value."""
        self._add(said[start:end] if self._is_in_value else b":" + said[start:end])
        self._is_in_value = True

    def header_end(self) -> None:
        """A header is whole."""
        self._add(b"\n")
        self._is_in_value = False

    def _add(self, said: bytes) -> None:
        self._headers += said
        if len(self._headers) > HEADER_BYTES_MAX:
            raise Unreadable("The headers of a part are too long.", slug="not_a_form")

    def headers_finished(self) -> None:
        """All headers of a part are there: is it a text, and of which name?"""
        for line in self._headers.split(b"\n"):
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-disposition":
                _, options = parse_options_header(value.strip())
                if b"filename" not in options and b"name" in options:
                    self._name = options[b"name"].decode(errors="replace")

    def content(self, said: bytes, start: int, end: int) -> None:
        """A piece of a part's content."""
        if self._name is not None:
            self._content.append(said[start:end])

    def end(self) -> None:
        """A part is whole."""
        if self._name is not None:
            self.found.append((self._name, b"".join(self._content)))

    def all_read(self) -> None:
        """The last boundary was there."""
        self.is_ended = True
