"""Decides how an imported CSV is cut and read: records (not lines), one spelling of a header, ids of rows.

Used by the import route, which cuts, and by the two CSV adapters, which read. Invariants: a quoted line break never
makes a record; a row without an id of its own has the hash of its cells as id, so the same row again adds nothing. One
record at a time is held, so memory does not grow with the file. A piece is small enough for one record of the log.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

from services.ingest.domain.csv_columns import REJECTED, Column, Plan, column_name
from services.ingest.domain.csv_formula import as_meant
from shared.errors import FieldError, Refused, Unreadable

__all__ = ["ROWS_PER_DELIVERY_MAX", "Piece", "Record", "checked", "cut", "header_of", "records", "row_id"]

ROWS_PER_DELIVERY_MAX: Final = 500  # one delivery stays one short transaction
CHARACTERS_PER_DELIVERY_MAX: Final = 1024 * 1024  # at most four bytes each, and a delivery has to fit a record of Kafka
_COLUMNS_MAX: Final = 200
_CELL_CHARACTERS_MAX: Final = 64 * 1024
_CELLS_MAX: Final = 5 * _COLUMNS_MAX  # cells beyond the header are left out, but each is held first
_DELIMITERS_MAX: Final = 200 * _CELLS_MAX  # of one record before it is split; most of an honest one's are in its texts
_RECORD_CHARACTERS_MAX: Final = 16 * 1024 * 1024  # more than all columns full of the longest cells
_DELIMITERS: Final = (",", ";", "\t", "|")
_SAID_DELIMITER: Final = "sep="  # the line that Excel writes and reads before the header


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its number from 1 (the header is none), and its cells by column."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive records as CSV with our field names, and the same records as they stood in the file."""

    first: int
    text: str
    rows: Sequence[Sequence[str]]
    block: int = 0
    """Which 500 records of the file it belongs to, from 0."""
    is_part: bool = False
    """Whether the block's characters were too many for one piece."""


def checked(file: TextIO, plan: Plan) -> int:
    """The number of records of a file that can be cut to its end. Raises what `cut` would, before anything is sent."""
    rows = _rows(file)
    plan.columns(_header(next(rows, [])))
    return sum(1 for _ in rows)


def header_of(file: TextIO, plan: Plan) -> list[Column]:
    """What each column is read as. Raises Refused or Unreadable."""
    return plan.columns(_header(next(_rows(file), [])))


def cut(
    file: TextIO,
    plan: Plan,
    *,
    rows_max: int = ROWS_PER_DELIVERY_MAX,
    characters_max: int = CHARACTERS_PER_DELIVERY_MAX,
) -> Iterator[Piece]:
    """Pieces of a file, in its order; the text is written anew with our field names, `,` and CR LF.

    A piece ends with its block of rows_max records, or before the record that would make it too long. Raises Refused
    for a header that is missing, doubled or too wide, Unreadable for what is no CSV, with the record it begins in.
    """
    rows = _rows(file)
    columns = plan.columns(_header(next(rows, [])))
    added = sum(map(len, plan.fixed.values()))  # what each record may get beside its own cells
    piece, held, block, is_part = list[list[str]](), 0, 0, False
    number = 0
    for number, row in enumerate(rows):
        length = _length(row) + added
        is_new_block = number % rows_max == 0
        if piece and (is_new_block or held + length > characters_max):
            is_part = is_part or not is_new_block
            yield Piece(number - len(piece) + 1, _written(columns, piece, plan), piece, block, is_part)
            piece, held = [], 0
        if is_new_block:
            block, is_part = number // rows_max, False
        piece.append(row)
        held += length
    if piece:
        yield Piece(number - len(piece) + 2, _written(columns, piece, plan), piece, block, is_part)


def records(text: str, *, first: int) -> Iterator[Record]:
    """The records of one piece; cells beyond the header are left out, missing ones are empty. Raises Unreadable."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(rows, [])
        for index, row in enumerate(rows):
            cells = {name: row[at].strip() if at < len(row) else "" for at, name in enumerate(header)}
            yield Record(first + index, cells)
    except csv.Error as error:
        raise Unreadable(f"The piece is no CSV: {error}.", slug="not_csv") from error


def row_id(cells: Mapping[str, str]) -> str:
    """The row's own id, else the hash of its cells in the order of their names."""
    if cells.get("id"):
        return f"id:{cells['id']}"
    text = "\x1e".join(f"{name}\x1f{cells[name]}" for name in sorted(cells) if cells[name])
    return f"row:{hashlib.sha256(text.encode()).hexdigest()}"


def _rows(file: TextIO) -> Iterator[list[str]]:
    """The non-empty records of a file, by the delimiter it names or its first line uses most."""
    csv.field_size_limit(_CELL_CHARACTERS_MAX)
    is_ours = False  # a file of rejects, whose formulas are quoted
    number, line = 0, 0  # of the record that is being read, the header being 0; of the last line before it
    try:
        start = file.readline(_CELL_CHARACTERS_MAX)
        said = start.strip().lstrip("\ufeff").lower()
        if said.startswith(_SAID_DELIMITER) and len(said) <= len(_SAID_DELIMITER) + 1:
            delimiter, line = said[len(_SAID_DELIMITER) :] or "\t", 1
        else:
            delimiter = max(_DELIMITERS, key=start.count)
            file.seek(0)
        before = line
        lines = _Lines(file, delimiter)
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        for row in rows:
            lines.end_record(row)
            line = before + rows.line_num
            if _length(row) > CHARACTERS_PER_DELIVERY_MAX:
                raise _too_long_record(number, line)
            if any(cell.strip() for cell in row):
                cells = [cell.replace("\x00", "") for cell in row]
                is_ours = is_ours if number else REJECTED in map(column_name, cells)
                yield [as_meant(cell) for cell in cells] if is_ours else cells
                number += 1
    except UnicodeDecodeError as error:
        raise Unreadable("The file is not UTF-8; save it as UTF-8 and send it again.", slug="not_utf8") from error
    except csv.Error as error:
        raise _unreadable_record(number, line + 1, error) from error


def _length(row: Sequence[str]) -> int:
    """About how many characters a record has as text: its cells, a comma behind each, and doubled quotes."""
    return sum(map(len, row)) + len(row) + sum(cell.count('"') for cell in row)


def _too_long_record(number: int, line: int) -> Unreadable:
    place = f"Record {number}" if number else "The header"
    detail = f"{place}, which ends in line {line}, has over a million characters. Shorten it and send the file again."
    return Unreadable(detail, slug="record_too_long", errors=[FieldError(f"/records/{number}", "too_long", detail)])


class _Lines:
    """The lines of a file; those of one record are held to its bounds before anybody splits them."""

    def __init__(self, file: TextIO, delimiter: str) -> None:
        self._file, self._delimiter = file, delimiter
        self._characters = self._delimiters = 0

    def end_record(self, row: Sequence[str]) -> None:
        """The lines so far were this record; what comes now is another one. Raises csv.Error for too many cells."""
        self._characters = self._delimiters = 0
        if len(row) > _CELLS_MAX:
            raise csv.Error(f"more than {_CELLS_MAX} cells")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(_RECORD_CHARACTERS_MAX + 1)
        if not line:
            raise StopIteration
        self._characters += len(line)
        self._delimiters += line.count(self._delimiter)
        if self._characters > _RECORD_CHARACTERS_MAX or self._delimiters > _DELIMITERS_MAX:
            raise csv.Error(f"more than {_RECORD_CHARACTERS_MAX} characters or {_DELIMITERS_MAX} delimiters")
        return line


def _unreadable_record(number: int, line: int, error: csv.Error) -> Unreadable:
    """What is wrong with a record; nearly always a quote that is opened and not closed, so it swallows what follows."""
    place = f"Record {number} (line {line})" if number else f"The header (line {line})"
    detail = (
        f"{place} has a quote that is not closed, a bare quote, a cell over 64 KiB, or far too many cells ({error}). "
        'Close the quote, or double it ("") where it belongs to the text, and send the file again.'
    )
    return Unreadable(detail, slug="not_csv", errors=[FieldError(f"/records/{number}", "quote", str(error))])


def _header(cells: Sequence[str]) -> list[str]:
    names = [column_name(cell) for cell in cells]
    if not names or len(names) > _COLUMNS_MAX:
        raise Refused("The first record must name the columns, at most 200.", slug="header")
    doubled = next((name for name in names if name and names.count(name) > 1), None)
    if doubled is not None:
        error = FieldError(f"/header/{doubled}", "doubled", "a column name may stand once")
        raise Refused("Two columns have the same name.", slug="header", errors=[error])
    return names


def _written(columns: Sequence[Column], rows: Sequence[Sequence[str]], plan: Plan) -> str:
    kept = [(at, one.field) for at, one in enumerate(columns) if one.field]
    added = [name for name in plan.fixed if name not in {name for _, name in kept}]
    tail = [plan.fixed[name] for name in added]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([*(name for _, name in kept), *added])
    for row in rows:
        cells = [row[at] if at < len(row) else "" for at, _ in kept]
        if plan.fixed:
            cells = [cell or plan.fixed.get(name, "") for cell, (_, name) in zip(cells, kept, strict=True)]
        writer.writerow([*cells, *tail])
    return out.getvalue()
