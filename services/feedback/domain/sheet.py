"""Decides how the bytes of a sheet become records by our column names: encoding, delimiter, headings. Pure.

UTF-8 unless a byte order mark says otherwise; what is no UTF-8 is read as Windows-1252, the way spreadsheets save it,
and that is told. A heading is a column as a person mapped it, by our own name, or as people usually call it.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.errors import FieldError, Refused, Unreadable

__all__ = ["OWN_PREFIX", "Sheet", "read_sheet"]

OWN_PREFIX = "baton_"  # columns of a rejects file: they are ours and are left out
_DELIMITERS = (",", ";", "\t", "|")
_HEADINGS: Mapping[str, str] = {
    "since": "since_on", "start": "since_on", "start_date": "since_on", "from": "since_on", "von": "since_on",
    "until": "until_on", "end": "until_on", "end_date": "until_on", "to": "until_on", "bis": "until_on",
    "month": "period", "quarter": "period", "date": "period", "day": "period", "datum": "period", "monat": "period",
    "cost": "amount", "spend": "amount", "amount_spent": "amount", "budget": "amount", "kosten": "amount",
    "betrag": "amount", "currency_code": "currency", "währung": "currency",
    "traffic_source": "source", "utm_source": "source", "platform": "source", "quelle": "source",
    "campaign_name": "campaign", "utm_campaign": "campaign", "kampagne": "campaign",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sheet:
    """The records by our names, what each heading is read as ("" = left out), and the line a person must be told."""

    records: Sequence[Mapping[str, str]]
    columns: Mapping[str, str]
    note: str = ""


def read_sheet(content: bytes, *, mapping: Mapping[str, str], records_max: int) -> Sheet:
    """Read a CSV with a header. mapping: heading to our column, "" to leave it out.

    Raises Unreadable for what is no CSV, Refused for a mapping that does not fit or too many records.
    """
    text, note = _text(content)
    start = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=start.count), strict=True)
    read: list[dict[str, str]] = []
    columns: dict[str, str] = {}
    try:
        columns = _columns(next(rows, []), mapping)
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(read) == records_max:
                raise Refused(f"A file has at most {records_max} records; cut it into parts.", slug="too_many_records")
            cells = dict.fromkeys(name for name in columns.values() if name)
            cells |= {name: cell.strip() for name, cell in zip(columns.values(), row, strict=False) if name}
            read.append({name: cell or "" for name, cell in cells.items()})
    except csv.Error as wrong:
        place = f"Record {len(read) + 1}" if columns else "The header line"
        error = FieldError(f"/records/{len(read) + 1}", "quote", str(wrong))
        detail = f"{place} has a quote that is not closed or stands bare; mend it and send the file again."
        raise Unreadable(detail, errors=[error]) from wrong
    return Sheet(read, columns, note)


def _text(content: bytes) -> tuple[str, str]:
    codec, note = "utf-8-sig", ""
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        codec, note = "utf-16", "The file is UTF-16; it was read as that."
    elif line := _first_line_that_is_no_utf8(content):
        note = f"Line {line} is no UTF-8, so the file was read as Windows-1252; save it as UTF-8 if names look wrong."
        codec = "cp1252"
    try:
        return content.decode(codec).replace("\x00", ""), note
    except UnicodeDecodeError as wrong:
        raise Unreadable("The file is not UTF-8; export it as CSV in UTF-8 and send it again.") from wrong


def _first_line_that_is_no_utf8(content: bytes) -> int:
    """Its number; 0 when the whole file is UTF-8."""
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number
    return 0


def _columns(header: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    names = [_spelt(cell) for cell in header]
    said = {_spelt(heading): column for heading, column in mapping.items()}
    unknown = next((heading for heading in said if heading not in names), None)
    if unknown is not None:
        error = FieldError(f"/map/{unknown}", "unknown", f"the file has the columns {', '.join(names)}")
        raise Refused(f"There is no column {unknown} to map.", slug="columns", errors=[error])
    columns: dict[str, str] = {}
    for name in names:
        guess = _HEADINGS.get(name, name)
        is_free = guess not in names and guess not in said.values() and guess not in columns.values()
        own = "" if name.startswith(OWN_PREFIX) else guess if is_free else name
        columns[name] = said.get(name, own)
    return columns


def _spelt(cell: str) -> str:
    return "_".join(cell.strip().lstrip("\ufeff").lower().replace("-", " ").split())
