"""How a sheet is read: its encoding, which column is which field, what its times mean."""

import io
import tracemalloc
from datetime import UTC, datetime

import pytest

from services.ingest.domain.csv_columns import FIELDS, Plan, column_name, plan_of
from services.ingest.domain.csv_file import cut, header_of
from services.ingest.domain.csv_text import encoding_of
from services.ingest.domain.local_times import Dates, local_moment
from shared.errors import Refused, Unreadable

LONG = b"x" * (1024 * 1024) + b"\n"


@pytest.mark.parametrize(
    ("body", "codec", "line"),
    [
        (b"", "utf-8", ""),
        ("Zoë\n".encode(), "utf-8", ""),
        ("Zoë\n".encode("utf-8-sig"), "utf-8-sig", ""),
        ("Zoë\n".encode("utf-16"), "utf-16", "UTF-16"),
        ("\ufeffZoë\n".encode("utf-16-be"), "utf-16", "UTF-16"),
        ("a\nb\nZoë\n".encode("cp1252"), "cp1252", "Line 3 "),
        (LONG + "Zoë\n".encode("cp1252"), "cp1252", "Line 2 "),
        (b"a\nZo\xc3", "cp1252", "Line 2 "),
    ],
)
def test_an_encoding_is_said_by_the_file_or_told_to_the_person(body: bytes, codec: str, line: str) -> None:
    file = io.BytesIO(body)
    found = encoding_of(file)
    assert found.codec == codec
    assert found.note.startswith(line) if line.startswith("Line") else line in found.note
    assert file.tell() == 0


def test_a_character_cut_off_is_no_other_encoding() -> None:
    assert encoding_of(io.BytesIO("a,Zoë".encode()[:-1]), is_beginning=True).codec == "utf-8"


@pytest.mark.parametrize("body", [b"a\n\x81\xff", LONG + b"\xff\x8d"])
def test_bytes_of_no_encoding_are_refused_by_their_line(body: bytes) -> None:
    with pytest.raises(Unreadable, match="Line 2 "):
        encoding_of(io.BytesIO(body))


@pytest.mark.parametrize(
    "heading", ["E-Mail", "e_mail address", "E-Mail-Adresse", "MAIL", "\ufeffEmail", "Work Email:"]
)
def test_a_heading_people_use_is_guessed(heading: str) -> None:
    (column,) = Plan("leads").columns([column_name(heading)])
    assert column.field == "email"


def test_a_guess_never_takes_what_another_column_is_called() -> None:
    columns = Plan("leads").columns(["mail", "email", "e_mail"])
    assert [(one.field, one.is_known) for one in columns] == [("mail", False), ("email", True), ("e_mail", False)]
    columns = Plan("leads").columns(["mail", "e_mail"])
    assert [one.field for one in columns] == ["email", "e_mail"]


def test_a_name_is_the_person_s_in_a_list_of_leads_and_the_activity_s_beside_activities() -> None:
    assert [one.field for one in Plan("leads").columns(["name", "comments"])] == ["name", "note"]
    assert [one.field for one in Plan("activities").columns(["name", "full_name", "comments"])] == [
        "name",
        "person_name",
        "text",
    ]


def test_every_guess_is_a_field_of_some_kind_of_file() -> None:
    for kind, fields in FIELDS.items():
        assert len(set(fields)) == len(fields)
        for name in fields:
            assert [one.field for one in Plan(kind).columns([name])] == [name]


def test_our_own_columns_and_empty_headings_are_left_out_and_fixed_values_fill_gaps() -> None:
    text = "baton_record,email,,country\r\n7,kim@acme.example,x,\r\n8,lee@acme.example\r\n"
    plan = plan_of("leads", said=[], fixed=["country=DE", "entry_channel=email"])
    assert [one.field for one in header_of(io.StringIO(text, newline=""), plan)] == ["", "email", "", "country"]
    (piece,) = cut(io.StringIO(text, newline=""), plan)
    assert piece.text == "email,country,entry_channel\r\nkim@acme.example,DE,email\r\nlee@acme.example,DE,email\r\n"
    assert piece.rows[0] == ["7", "kim@acme.example", "x", ""]


@pytest.mark.parametrize(
    ("said", "fixed"), [(["Email"], []), (["=email"], []), (["Email=shoe"], []), ([], ["shoe=44"]), ([], ["country"])]
)
def test_an_option_of_another_form_is_refused(said: list[str], fixed: list[str]) -> None:
    with pytest.raises(Refused):
        plan_of("leads", said=said, fixed=fixed)


@pytest.mark.parametrize(("said", "pointer"), [("Shoe=email", "/map/shoe"), ("Other=email", "/map/email")])
def test_a_mapping_that_does_not_fit_the_file_is_refused_by_its_column(said: str, pointer: str) -> None:
    with pytest.raises(Refused) as caught:
        plan_of("leads", said=[said, "Email=email"], fixed=[]).columns(["email", "other"])
    assert [one.pointer for one in caught.value.errors] == [pointer]


@pytest.mark.parametrize(("first", "sign"), [("sep=;\r\n", ";"), ("sep=\t\n", "\t"), ("sep=|\n", "|"), ("", ";")])
def test_a_file_may_name_its_delimiter_in_front(first: str, sign: str) -> None:
    text = f"{first}email{sign}company\r\nkim@acme.example{sign}Acme, Inc.\r\n"
    (piece,) = cut(io.StringIO(text, newline=""), Plan("leads"))
    assert piece.text == 'email,company\r\nkim@acme.example,"Acme, Inc."\r\n'


@pytest.mark.parametrize(
    ("text", "zone", "dates", "expected"),
    [
        ("2026-06-12T14:30:00Z", "Europe/Berlin", "iso", datetime(2026, 6, 12, 14, 30, tzinfo=UTC)),
        ("2026-06-12T14:30:00+05:30", "UTC", "iso", datetime(2026, 6, 12, 9, 0, tzinfo=UTC)),
        ("2026-06-12 14:30", "Europe/Berlin", "iso", datetime(2026, 6, 12, 12, 30, tzinfo=UTC)),
        ("2026/06/12 14:30", "UTC", "mdy", datetime(2026, 6, 12, 14, 30, tzinfo=UTC)),
        ("2026-06-12", "America/New_York", "iso", datetime(2026, 6, 12, 4, 0, tzinfo=UTC)),
        ("12.6.2026, 14:30:59", "UTC", "iso", datetime(2026, 6, 12, 14, 30, 59, tzinfo=UTC)),
        ("12.06.2026", "Europe/Berlin", "iso", datetime(2026, 6, 11, 22, 0, tzinfo=UTC)),
        ("12/06/2026 14:30", "UTC", "dmy", datetime(2026, 6, 12, 14, 30, tzinfo=UTC)),
        ("06/12/2026 2:30 PM", "UTC", "mdy", datetime(2026, 6, 12, 14, 30, tzinfo=UTC)),
        ("06/12/2026 12:05 am", "UTC", "mdy", datetime(2026, 6, 12, 0, 5, tzinfo=UTC)),
        ("2026-10-25 02:30", "Europe/Berlin", "iso", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-03-29 02:30", "Europe/Berlin", "iso", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("06/12/2026 14:30", "UTC", "iso", None),
        ("13/13/2026", "UTC", "mdy", None),
        ("31.02.2026", "UTC", "iso", None),
        ("12.06.2026 25:00", "UTC", "iso", None),
        ("12.06.2026 half past two", "UTC", "iso", None),
        ("06/12/2026 13:30 PM", "UTC", "mdy", None),
        ("0001-01-01", "Asia/Tokyo", "iso", None),
        ("yesterday", "UTC", "iso", None),
        ("", "UTC", "dmy", None),
    ],
)
def test_a_time_means_one_moment_or_none(text: str, zone: str, dates: Dates, expected: datetime | None) -> None:
    assert local_moment(text, zone=zone, dates=dates) == expected


def test_a_file_that_says_an_encoding_and_breaks_it_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        list(cut(io.TextIOWrapper(io.BytesIO(b"\xff\xfe\x00"), encoding="utf-16", newline=""), Plan("leads")))


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("," * 2_000_000, "The header "),
        ("email\n" + "," * 2_000_000, "Record 1 "),
        ("email\nkim@acme.example\n" + '"\n",' * 400_000, "Record 2 "),
        ("email\n" + "x" * (17 * 1024 * 1024), "Record 1 "),
        ("email\nkim@acme.example" + "," * 1_000, "Record 1 "),
        ("sep=;\nemail\nkim@acme.example" + ";" * 1_000, "Record 1 "),
    ],
)
def test_a_record_of_far_too_many_cells_is_refused_before_it_is_split(body: str, place: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable, match=place):
            list(cut(io.StringIO(body, newline=""), Plan("leads")))
        assert tracemalloc.get_traced_memory()[1] < 5 * len(body.encode()) + 1024 * 1024, "text, not cells"
    finally:
        tracemalloc.stop()


def test_long_texts_full_of_commas_and_some_cells_too_many_are_read() -> None:
    note = ", \r\n" * 16_000
    body = f'email,note\r\nkim@acme.example,"{note}"\r\nlee@acme.example,x{"," * 900}\r\n'
    (piece,) = cut(io.StringIO(body, newline=""), Plan("leads"))
    assert [len(row) for row in piece.rows] == [2, 902]
    assert piece.rows[0][1] == note
