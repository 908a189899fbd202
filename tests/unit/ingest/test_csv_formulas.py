"""Rejected records on their way through a spreadsheet: nothing in them is run, and nothing of them is lost."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.csv_columns import Plan
from services.ingest.domain.csv_file import cut
from services.ingest.domain.csv_formula import as_meant, as_text
from services.ingest.usecases.imports import How, reject_lines

RUN = ('=cmd|" /C calc"!A0', "+x", "-1+A1", "@SUM(1)", "\t=1", "\r=1", "=", "+49 170 A1")
HARMLESS = ("", "-", "-1", "+1.5", "+49 (170) 123-45", "a=b", "'tis", "kim@acme.example")


@pytest.mark.parametrize("cell", RUN)
def test_what_a_spreadsheet_would_run_is_quoted(cell: str) -> None:
    assert as_text(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", HARMLESS)
def test_signed_numbers_phones_and_plain_texts_stay_as_they_are(cell: str) -> None:
    assert as_text(cell) == as_meant(cell) == cell


@given(st.text("'=+-@\t\r\n1a ", max_size=6))
def test_every_cell_comes_back_as_it_was(cell: str) -> None:
    assert as_meant(as_text(cell)) == cell


def test_a_file_of_rejects_is_harmless_and_is_read_as_the_first_file_was() -> None:
    rows = [[name, "no address", note] for name in (*RUN, *HARMLESS, "'=1") for note in ("=A1", "+49 170 1")]
    first = io.StringIO(newline="")
    csv.writer(first).writerows([["=Name", "email", "note"], *rows])
    how = How(Plan("leads"))
    again = io.StringIO("".join(reject_lines(_start(first), how)), newline="")
    held = list(csv.reader(again))
    assert held[0][3:] == ["'=name", "email", "note"]
    assert not [cell for row in held for cell in row if cell.startswith(("=", "@", "\t", "\r"))]
    assert [row[3:] for row in held[1:]] == [[as_text(cell) for cell in row] for row in rows]
    (read,) = cut(_start(again), how.plan)
    (meant,) = cut(_start(first), how.plan)
    assert read.text == meant.text
    assert "".join(reject_lines(_start(again), how)) == again.getvalue()


def test_a_quote_in_another_file_is_a_quote() -> None:
    (piece,) = cut(io.StringIO("email,note\r\nkim@acme.example,'=1\r\n", newline=""), Plan("leads"))
    assert piece.rows[0][1] == "'=1"


def _start(file: io.StringIO) -> io.StringIO:
    file.seek(0)
    return file
