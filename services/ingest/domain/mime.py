"""Reads a mail: its headers, who wrote it, and its text; attachments are passed over, HTML is read as text.

Total functions over bytes of strangers: what cannot be decoded is replaced, what is missing is absent. Bounds:
TEXT_MAX characters of text, PARTS_MAX parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Final

from typing_extensions import override

from services.ingest.domain.fields import text_of

__all__ = ["Mail", "decoded", "headers_of", "html_text", "mail_of", "moment_in"]

TEXT_MAX: Final = 100_000
PARTS_MAX: Final = 200
_HIDDEN: Final = frozenset({"script", "style", "head", "title", "blockquote"})  # a quoted mail is no own words
_LINES: Final = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3"})


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail; header names in lower case, values decoded. An absent In-Reply-To is the last of References."""

    headers: Mapping[str, str]
    text: str | None


def mail_of(raw: bytes) -> Mail:
    """A mail as it went over the wire."""
    message = message_from_bytes(raw)
    return Mail(_answering(_headers(message)), _text(message))


def headers_of(block: bytes) -> Mapping[str, str]:
    """The headers alone, as a block of lines."""
    return _answering(_headers(message_from_bytes(block + b"\r\n\r\n")))


def moment_in(headers: Mapping[str, str]) -> datetime | None:
    """The time of the Date header."""
    try:
        moment = parsedate_to_datetime(headers.get("date", ""))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def html_text(html: str) -> str | None:
    """HTML as text, without scripts and without what is quoted in it."""
    reader = _TextOf()
    reader.feed(html[:TEXT_MAX])
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.parts).splitlines())
    return "\n".join(line for line in lines if line) or None


def decoded(content: bytes, charset: str | None) -> str:
    """Bytes in the charset somebody named; an unknown one is read as UTF-8, what is wrong is replaced."""
    try:
        return content.decode(charset or "utf-8", errors="replace")
    except (LookupError, ValueError):
        return content.decode(errors="replace")


def _headers(message: Message) -> dict[str, str]:
    """The first of each; a later one of the same name was added on the way or by an attacker."""
    found: dict[str, str] = {}
    for name, value in message.items():
        found.setdefault(name.lower(), _header(str(value)))
    return found


def _header(value: str) -> str:
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value.encode(errors="replace").decode()


def _answering(headers: dict[str, str]) -> dict[str, str]:
    references = headers.get("references", "").split()
    if not text_of(headers.get("in-reply-to")) and references:
        headers["in-reply-to"] = references[-1]
    return headers


def _text(message: Message) -> str | None:
    """The first plain text, else the first HTML, that is no attachment."""
    html = None
    for number, part in enumerate(message.walk()):
        if number >= PARTS_MAX:
            break
        if part.is_multipart() or part.get_content_disposition() == "attachment" or part.get_filename():
            continue
        kind = part.get_content_type()
        if kind == "text/plain":
            return _content(part)[:TEXT_MAX] or None
        if kind == "text/html" and html is None:
            html = html_text(_content(part))
    return html


def _content(part: Message) -> str:
    content = part.get_payload(decode=True)
    return decoded(content, part.get_content_charset()) if isinstance(content, bytes) else ""


class _TextOf(HTMLParser):
    """Collects the text of a page, leaving out what is hidden."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_quote = any(name == "class" and value and "quote" in value for name, value in attrs)
        if tag in _HIDDEN or (is_quote and tag == "div"):
            self._hidden.append(tag)
        elif self._hidden and tag == self._hidden[-1]:
            self._hidden.append(tag)  # a nested one of the same name ends before it
        if tag in _LINES:
            self.parts.append("\n")

    @override
    def handle_endtag(self, tag: str) -> None:
        if self._hidden and tag == self._hidden[-1]:
            self._hidden.pop()
        if tag in _LINES:
            self.parts.append("\n")

    @override
    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)
