"""Absences out of calendar files: whole days in the rep's zone, times as written, and nothing odd."""

from datetime import UTC, datetime

import pytest

from services.handoff.api.ics import absences_in
from shared.errors import Refused


def _file(*events: str) -> str:
    parts = [f"BEGIN:VEVENT\r\nUID:{number}\r\n{event}\r\nEND:VEVENT" for number, event in enumerate(events)]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//t//EN", *parts, "END:VCALENDAR", ""])


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "begins", "ends"),
    [
        ("DTSTART:20260610T130000Z\r\nDTEND:20260610T150000Z", "2026-06-10T13:00", "2026-06-10T15:00"),
        ("DTSTART:20260610T130000\r\nDURATION:PT2H", "2026-06-10T11:00", "2026-06-10T13:00"),
        ("DTSTART;VALUE=DATE:20260610\r\nDTEND;VALUE=DATE:20260612", "2026-06-09T22:00", "2026-06-11T22:00"),
        ("DTSTART;VALUE=DATE:20260610", "2026-06-09T22:00", "2026-06-10T22:00"),
    ],
)
def test_every_event_is_an_absence(event: str, begins: str, ends: str) -> None:
    assert absences_in(_file(event), zone="Europe/Berlin") == [(_utc(begins), _utc(ends))]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        _file(),
        _file("SUMMARY:no start"),
        _file("DTSTART:20260610T130000Z\r\nDTEND:20260610T130000Z"),
        _file("DTSTART:20260610T130000Z\r\nDTEND:20360610T130000Z"),
        _file(*["DTSTART:20260610T130000Z\r\nDURATION:PT2H"] * 201),
    ],
)
def test_what_is_no_calendar_of_absences_is_refused_by_field(text: str) -> None:
    with pytest.raises(Refused) as refused:
        absences_in(text, zone="UTC")
    assert refused.value.errors[0].pointer == "/ics"
