"""Reads a mail: its headers, who wrote it, and its text; attachments are passed over, HTML is read as text.

Total functions over bytes of strangers: what cannot be decoded is replaced, what is missing is absent. The bounds below
keep every mail cheap.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Final

__all__ = ["Mail", "decoded", "headers_of", "html_text", "mail_of", "moment_in"]

TEXT_MAX: Final = 100_000
PARTS_MAX: Final = 200
# The parser looks at each line once for each level it is in: without these, one mail could hold the consumer for hours.
MAIL_BYTES_MAX: Final = 512 * 1024  # people's words come first; what is behind them are attachments
BOUNDARIES_MAX: Final = 20
HEADER_BYTES_MAX: Final = 64 * 1024
HEADER_CHARACTERS_MAX: Final = 10_000
_HIDDEN: Final = frozenset({"script", "style", "head", "title", "blockquote"})  # a quoted mail is no own words
# What was taken is never given back (`*+`): a tag that is not closed would be tried at each of its letters otherwise.
_TOKEN: Final = re.compile(
    r"<(?P<end>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]*+)(?P<attributes>[^<>]*+)>|<[^<>]*+>?|(?P<text>[^<]++)"
)
_LINES: Final = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3"})


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail; header names in lower case, values decoded."""

    headers: Mapping[str, str]
    text: str | None


def mail_of(raw: bytes) -> Mail:
    """A mail as it went over the wire; of one that is nested beyond all use only the headers."""
    start = raw[:MAIL_BYTES_MAX]
    if start.lower().count(b"boundary") <= BOUNDARIES_MAX:
        try:
            message = message_from_bytes(start)
            return Mail(_headers(message), _text(message))
        except (RecursionError, ValueError):  # mails in mails need no boundary; a parameter may be numbered absurdly
            pass
    return Mail(headers_of(start.partition(b"\r\n\r\n" if b"\r\n\r\n" in start else b"\n\n")[0]), None)


def headers_of(block: bytes) -> Mapping[str, str]:
    """The headers alone, as a block of lines."""
    return _headers(BytesHeaderParser().parsebytes(block[:HEADER_BYTES_MAX] + b"\r\n\r\n"))


def moment_in(headers: Mapping[str, str]) -> datetime | None:
    """The time of the Date header."""
    try:
        moment = parsedate_to_datetime(headers.get("date", ""))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def html_text(html: str) -> str | None:
    """HTML as text, without scripts and without what is quoted in it."""
    lines = (" ".join(line.split()) for line in _shown(_without_comments(html[:TEXT_MAX])).splitlines())
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
        found.setdefault(name.lower(), _header(str(value)[:HEADER_CHARACTERS_MAX]))
    return found


def _header(value: str) -> str:
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value.encode(errors="replace").decode()


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


def _without_comments(page: str) -> str:
    """The page without `<!-- … -->`; one that is not closed hides the rest, as in a browser."""
    kept, at = [], 0
    while (start := page.find("<!--", at)) >= 0:
        kept.append(page[at:start])
        end = page.find("-->", start)
        at = len(page) if end < 0 else end + 3
    return "".join((*kept, page[at:]))


def _shown(page: str) -> str:
    """The text between the tags, a line for each block, without what is hidden or quoted: one pass, linear."""
    parts: list[str] = []
    hidden: list[str] = []
    for found in _TOKEN.finditer(page):
        tag = (found["tag"] or "").lower()
        if found["text"] is not None:
            if not hidden:
                parts.append(found["text"])
        elif found["end"] and hidden and tag == hidden[-1]:
            hidden.pop()
        elif not found["end"] and (
            tag in _HIDDEN or (tag == "div" and "quote" in found["attributes"]) or (hidden and tag == hidden[-1])
        ):
            hidden.append(tag)  # a nested one of the same name ends before it
        if tag in _LINES:
            parts.append("\n")
    text = "".join(parts)
    try:
        return unescape(text)
    except ValueError:  # `&#` and thousands of digits
        return text
