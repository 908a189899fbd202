"""Files as people have them: columns named otherwise, zones, encodings, a preview, rejects that are mended and fed."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from services.ingest.domain.csv_file import ROWS_PER_DELIVERY_MAX
from tests.integration.ingest.counter import Counter, opened
from tests.integration.ingest.stage import IngestStage

CSV = {"content-type": "text/csv"}
BADGES = (
    "Attendee;E-Mail;Firma;Scanned at;Comments\r\n"
    'Zoë Müller;zoe@acme.example;Acme;12.06.2026 14:30;"Asked for a ""demo"";\nwants it soon"\r\n'
    "No Mail;;Beta;12.06.2026 14:31;\r\n"
    "Kim Roe;kim@acme.example;Acme;soon;late\r\n"
)
BADGES_AS: dict[str, Any] = {
    "set": ["kind=badge scan", "campaign=Expo 2026", "entry_channel=field_event"],
    "time_zone": "Europe/Berlin",
}


@pytest_asyncio.fixture
async def counter(stage: IngestStage) -> AsyncIterator[Counter]:
    async with opened(stage) as made:
        yield made


async def _import(counter: Counter, body: bytes, *, kind: str = "activities", **params: Any) -> Any:  # noqa: ANN401
    answer = await counter.call("POST", f"/v1/imports/{kind}", content=body, params=params, headers=CSV)
    assert answer.status_code == 202, answer.text
    await counter.handle_sent()
    return await counter.get(answer.headers["location"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
async def test_a_sheet_of_badges_is_read_by_its_headings_in_its_zone_and_encoding(
    counter: Counter, encoding: str
) -> None:
    body = BADGES.encode(encoding)
    looked = await counter.call("POST", "/v1/imports/activities/preview", content=body, params=BADGES_AS, headers=CSV)
    assert looked.status_code == 200, looked.text
    preview = looked.json()
    assert [(one["heading"], one["field"], one["is_guessed"]) for one in preview["columns"]] == [
        ("attendee", "person_name", True),
        ("e_mail", "email", True),
        ("firma", "company", True),
        ("scanned_at", "occurred_at", True),
        ("comments", "text", True),
    ]
    (zoe,) = preview["records"]
    assert (zoe["kind"], zoe["occurred_at"]) == ("field_event_attended", "2026-06-12T12:30:00Z")
    assert zoe["person"]["name"] == "Zoë Müller"
    assert zoe["text"] == 'Asked for a "demo";\nwants it soon'
    assert preview["refused"] == {"no_identifier": 1, "no_time": 1}
    assert [(one["record"], one["reason"]) for one in preview["rejects"]] == [(2, "no_identifier"), (3, "no_time")]
    assert (preview["looked_at"], preview["is_whole"]) == (3, True)
    assert counter.sent == []
    assert await counter.stage.one("select count(*) from import_job") == 0

    shown = await _import(counter, body, **BADGES_AS)
    assert (shown["activities"], shown["refused"], shown["state"]) == (1, 2, "handled")
    assert shown["note"] == preview["note"]
    assert ("Windows-1252" in shown["note"], "UTF-16" in shown["note"]) == (encoding == "cp1252", encoding == "utf-16")
    lead = await counter.stage.rows("select entry_channel, entered_at, campaign from lead")
    assert [tuple(row) for row in lead] == [("field_event", datetime(2026, 6, 12, 12, 30, tzinfo=UTC), "Expo 2026")]
    assert (await counter.get("/v1/leads?email=zoe@acme.example"))["leads"][0]["name"] == "Zoë Müller"


async def test_rejects_are_mended_in_their_file_and_fed_again(counter: Counter) -> None:
    rows = "".join(f"P {n};p{n}@acme.example;Acme;12.06.2026 14:30;\r\n" for n in range(ROWS_PER_DELIVERY_MAX))
    body = BADGES.replace("\r\nZoë", f"\r\n{rows}Zoë").encode()
    first = await _import(counter, body, **BADGES_AS)
    assert (first["activities"], first["refused"]) == (ROWS_PER_DELIVERY_MAX + 1, 2)
    answer = await counter.call("POST", "/v1/imports/activities/rejects", content=body, params=BADGES_AS, headers=CSV)
    assert answer.status_code == 200, answer.text
    listed = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    numbers = [str(ROWS_PER_DELIVERY_MAX + 2), str(ROWS_PER_DELIVERY_MAX + 3)]
    assert [one["baton_record"] for one in listed] == numbers
    assert [one["baton_reason"] for one in listed] == ["no_identifier", "no_time"]
    assert [one["attendee"] for one in listed] == ["No Mail", "Kim Roe"]
    mended = answer.text.replace("soon,late", "12.06.2026 15:00,late").replace("No Mail,", "No Mail,now@beta.example")
    again = await _import(counter, mended.encode(), **BADGES_AS)
    assert (again["activities"], again["repeats"], again["refused"]) == (2, 0, 0)
    assert (await _import(counter, mended.encode(), **BADGES_AS))["activities"] == 2
    people = ROWS_PER_DELIVERY_MAX + 3
    assert await counter.stage.one("select count(*) from lead") == people


async def test_a_person_s_word_goes_before_every_guess(counter: Counter) -> None:
    body = b"Mail,Other,Notes\r\nkim@acme.example,lee@beta.example,hi\r\n"
    params = {"map": ["Mail=", "Other=email", "Notes="]}
    await _import(counter, body, kind="leads", **params)
    assert [one["email"] for one in (await counter.get("/v1/leads"))["leads"]] == ["lee@beta.example"]
    for wrong, pointer in (
        ({"map": ["Nowhere=email"]}, "/map/nowhere"),
        ({"map": ["Mail=shoe_size"]}, "/map/mail"),
        ({"map": ["Mail=email", "Other=email"]}, "/map/email"),
        ({"map": ["Mail"]}, "/map"),
        ({"set": ["shoe_size=44"]}, "/set/shoe_size"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
    ):
        refused = await counter.call("POST", "/v1/imports/leads", content=body, params=wrong, headers=CSV)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer), wrong
    assert counter.sent == []


async def test_the_beginning_of_a_file_is_enough_for_a_preview(counter: Counter) -> None:
    rows = "".join(f'p{n}@acme.example,"said ""hi"" {n}"\r\n' for n in range(30))
    body = f"email,note\r\n{rows}".encode()
    for cut_at in (len(body) - 1, len(body) - 4, len(body) // 2, len("email,note\r\n") + 3):
        asked = {"is_beginning": "true"}
        answer = await counter.call(
            "POST", "/v1/imports/leads/preview", content=body[:cut_at], params=asked, headers=CSV
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["is_whole"] is False


async def test_an_upload_that_broke_off_goes_on_where_it_was(counter: Counter) -> None:
    body = b"email\r\n" + b"".join(b"p%d@acme.example\r\n" % n for n in range(20 * ROWS_PER_DELIVERY_MAX))
    counter.room = 11
    answer = await counter.call("POST", "/v1/imports/leads", content=body, headers=CSV)
    assert answer.status_code == 503
    await counter.handle_sent()
    counter.room = None
    shown = await _import(counter, body, kind="leads")
    assert (shown["state"], shown["records_handled"], shown["leads_new"]) == ("handled", 10_000, 10_000)
    assert [one["id"] for one in (await counter.get("/v1/imports"))["imports"]] == [shown["id"]]


async def test_a_calling_campaign_is_the_reps_side_with_its_notes(counter: Counter) -> None:
    calls = (
        b"sep=,\r\nEmail,Type,Call date,Notes\r\nkim@acme.example,Connected,06/10/2026 2:05 PM,wants a quote\r\n"
        b"lee@acme.example,No answer,06/10/2026 2:10 PM,\r\n"
    )
    shown = await _import(counter, calls, set=["direction=sales"], dates="mdy", time_zone="America/New_York")
    assert shown["activities"] == 2
    texts = await counter.stage.rows("select text, occurred_at from activity_text where text is not null")
    assert [tuple(row) for row in texts] == [("wants a quote", datetime(2026, 6, 10, 18, 5, tzinfo=UTC))]
    kinds = await counter.stage.rows("select payload from outbox where payload like '%call_%' order by id")
    assert ["call_connected" in row.payload for row in kinds] == [True, False]
    assert all('"direction":"sales"' in row.payload for row in kinds)
