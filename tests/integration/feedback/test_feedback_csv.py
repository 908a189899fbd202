"""CSV in: each line taken or refused with its record number and field; the same file again adds nothing."""

from typing import Any

import httpx2
import pytest

from tests.integration.feedback.desk import FeedbackDesk, user
from tests.support.builders.feedback import days, lead_id

CSV = {"content-type": "text/csv"}


async def test_outcomes_come_in_by_file_and_wrong_lines_are_named(desk: FeedbackDesk) -> None:
    await desk.at(days(5))
    kim, ann = lead_id("kim"), lead_id("ann")
    text = (
        "lead_id,what,occurred_at,amount,currency,external_id,reason_code\r\n"
        f'{kim},won,2026-06-02T09:00:00Z,12.50,EUR,d-1,"line\nbreak"\r\n'
        f"{ann},lost,2026-06-02T09:00:00Z,,,d-2,price\r\n"
        f"{ann},churned,2026-06-03T09:00:00Z,,,d-2,price\r\n"
        f"{ann},liked,2026-06-02T09:00:00Z,,,,\r\n"
        f"nobody,won,2026-06-02T09:00:00Z,,,,\r\n"
        f"{kim},won,2026-06-02,,,,\r\n"
        f"{kim},won,2026-06-02T09:00:00Z,1.234,EUR,d-9,\r\n"
        f"{kim},won,2026-06-02T09:00:00Z,1,eur,d-9,\r\n"
        f"{kim},won,2026-09-02T09:00:00Z,1,EUR,d-9,\r\n"
    )
    answer = (await _send(desk, "/v1/outcomes", text)).json()
    assert (answer["records"], answer["taken"], answer["repeated"]) == (9, 3, 0)
    assert [(each["record"], each["field"]) for each in answer["refused"]] == [
        (4, "what"), (5, "lead_id"), (6, "occurred_at"), (7, "amount"), (8, "currency"), (9, ""),
    ]  # fmt: skip
    again = (await _send(desk, "/v1/outcomes", text)).json()
    assert again == answer | {"is_repeat": True}
    moved = (await _send(desk, "/v1/outcomes", text.replace("liked", "loved"))).json()
    assert (moved["taken"], moved["repeated"]) == (1, 2)
    assert {each["what"] for each in await desk.emitted("outcome")} == {"won", "lost", "churned"}
    assert not await desk.gaps()


async def test_spend_meets_revenue_by_source(desk: FeedbackDesk) -> None:
    text = "since_on,until_on,amount,currency,source,campaign\n2026-06-01,2026-06-30,300.00,EUR,ads,june\n"
    marketer = user("mary", "marketer")
    answer = await _send(desk, "/v1/spend", text, by=marketer)
    assert (answer.status_code, answer.json()["taken"]) == (202, 1)
    wrong = "since_on,until_on,amount,currency\n2026-06-30,2026-06-01,1,EUR\n2026-06-01,2026-06-30,,EUR\nx,y,1,EUR\n"
    refused = (await _send(desk, "/v1/spend", wrong, by=marketer)).json()["refused"]
    assert [each["field"] for each in refused] == ["until_on", "amount", "since_on"]
    page = await desk.get("/v1/reports/campaigns", since="2026-06-01T00:00:00Z", until="2026-07-01T00:00:00Z")
    (row,) = page["rows"]
    assert (row["source"], row["spend_minor"], row["roi"]) == ("ads", 30_000, -1.0)


SHEET = "Campaign name;Month;Cost;Currency\r\nJuni-Aktion für Köln;2026-06;300.00;EUR\r\nHerbst;2026-Q4;12.5;EUR\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
async def test_spend_is_read_by_the_headings_people_use_after_a_look(desk: FeedbackDesk, encoding: str) -> None:
    marketer = user("mary", "marketer")
    body = (SHEET + "Juni;June;1;EUR\r\n").encode(encoding)
    looked = (await _send(desk, "/v1/spend/preview", body, by=marketer)).json()
    assert {one["heading"]: one["field"] for one in looked["columns"]} == {
        "campaign_name": "campaign",
        "month": "period",
        "cost": "amount",
        "currency": "currency",
    }
    assert [(one["since_on"], one["until_on"], one["amount_minor"], one["campaign"]) for one in looked["rows"]] == [
        ("2026-06-01", "2026-06-30", 30_000, "Juni-Aktion für Köln"),
        ("2026-10-01", "2026-12-31", 1_250, "Herbst"),
    ]
    assert [(one["record"], one["field"]) for one in looked["refused"]] == [(3, "period")]
    assert await desk.rows("select 1 from spend") == []
    taken = (await _send(desk, "/v1/spend", body, by=marketer)).json()
    assert (taken["taken"], taken["note"]) == (2, looked["note"])
    assert ("Windows-1252" in taken["note"]) == (encoding == "cp1252")


async def test_a_mended_file_of_spend_adds_what_was_mended_alone(desk: FeedbackDesk) -> None:
    marketer = user("mary", "marketer")
    twice = SHEET + "Herbst;2026-Q4;12.5;EUR\r\nJuni;June;1;EUR\r\n"
    first = (await _send(desk, "/v1/spend", twice, by=marketer)).json()
    assert (first["taken"], first["repeated"], len(first["refused"])) == (3, 0, 1)
    mended = (await _send(desk, "/v1/spend", twice.replace(";June;", ";2026-06-15;"), by=marketer)).json()
    assert (mended["taken"], mended["repeated"], mended["refused"]) == (1, 3, [])
    assert [row.amount_minor for row in await desk.rows("select amount_minor from spend order by 1")] == [
        100, 1_250, 1_250, 30_000,
    ]  # fmt: skip


async def test_a_mapping_of_spend_goes_before_every_guess(desk: FeedbackDesk) -> None:
    marketer = user("mary", "marketer")
    text = "Day,Net,Gross,Currency,baton_reason\n2026-06-01,10,12,EUR,old\n"
    for said, status in (("map=Gross%3Damount&map=Net%3D", 202), ("map=Tax%3Damount", 422), ("map=Gross", 422)):
        assert (await _send(desk, f"/v1/spend?{said}", text, by=marketer)).status_code == status, said
    assert [row.amount_minor for row in await desk.rows("select amount_minor from spend")] == [1_200]


async def test_a_file_that_is_none_is_refused_as_a_whole(desk: FeedbackDesk) -> None:
    assert (await _send(desk, "/v1/outcomes", b"\xff\xfe\x00")).status_code == 400
    lacking = await _send(desk, "/v1/outcomes", "lead_id,what\n")
    assert (lacking.status_code, lacking.json()["type"]) == (422, "/problems/columns")
    large = "lead_id,what,occurred_at\n" + "x,won,y\n" * 5_001
    assert (await _send(desk, "/v1/outcomes", large)).json()["type"] == "/problems/too_many_records"
    assert (await desk.ask("POST", "/v1/spend", json={})).status_code == 415
    wide = "period,amount,currency,campaign\n" + f"2026-06,1,EUR,{'c' * 100}\n" * 5_000
    preview = await _send(desk, "/v1/spend/preview", wide, by=user("mary", "marketer"))
    assert (preview.status_code, preview.json()["records"]) == (200, 5_000)
    opened = "lead_id,what,occurred_at,reason_code\n" + "x,won,y,z\n" * 3 + 'x,won,y,"z\nx,won,y,z\n'
    unclosed = (await _send(desk, "/v1/outcomes", opened)).json()
    assert (unclosed["status"], unclosed["errors"][0]["pointer"]) == (400, "/records/4")
    assert "Record 4 has a quote that is not closed" in unclosed["detail"]


async def test_a_single_outcome_is_refused_by_field_and_repeat_safe_by_key(desk: FeedbackDesk) -> None:
    await desk.at(days(5))
    body: dict[str, Any] = {"lead_id": str(lead_id("kim")), "what": "won", "occurred_at": days(1).isoformat()}
    missing = await desk.ask("POST", "/v1/outcomes", json={"what": "won"})
    assert missing.status_code == 422
    assert {each["pointer"] for each in missing.json()["errors"]} >= {"/lead_id", "/occurred_at"}
    for wrong in ({"amount_minor": 5}, {"occurred_at": "2026-06-02T09:00:00"}, {"occurred_at": days(9).isoformat()}):
        assert (await desk.ask("POST", "/v1/outcomes", json=body | wrong)).status_code == 422, wrong
    made = await desk.ask("POST", "/v1/outcomes", json=body, key="k-1")
    again = await desk.ask("POST", "/v1/outcomes", json=body, key="k-1")
    assert (made.status_code, again.json()) == (201, made.json())
    assert (await desk.ask("POST", "/v1/outcomes", json=body | {"what": "lost"}, key="k-1")).status_code == 422
    assert (await desk.ask("POST", "/v1/outcomes", json=body | {"what": "churned"})).json()["what"] == "churned"
    assert (await desk.get(f"/v1/outcomes/{made.json()['outcome_id']}"))["what"] == "won"
    rep = user("rob", "rep")
    assert (await desk.ask("POST", "/v1/outcomes", by=rep, json=body)).status_code == 403
    page = await desk.get("/v1/outcomes", lead_id=str(lead_id("kim")))
    assert {(each["what"], each["is_current"]) for each in page["outcomes"]} == {("won", True), ("churned", True)}


async def test_what_is_not_there_is_not_found(desk: FeedbackDesk) -> None:
    nobody = lead_id("nobody")
    for path in (
        f"/v1/outcomes/{nobody}", "/v1/opportunities/crm/x", "/v1/attributions/x", f"/v1/attributions/{nobody}",
        "/v1/reports/luck", "/v1/reports/funnel/leads?number=luck", f"/v1/models/{nobody}", f"/v1/drafts/{nobody}",
        "/v1/agreements/99", "/v1/agreements/nine",
    ):  # fmt: skip
        answer = await desk.ask("GET", path)
        assert answer.status_code == 404, path
    assert (await desk.ask("GET", "/v1/commitments", params={"at": "2026-06-01T00:00:00"})).status_code == 422
    backwards = {"since": "2026-06-02T00:00:00Z", "until": "2026-06-01T00:00:00Z"}
    assert (await desk.ask("GET", "/v1/reports/funnel", params=backwards)).status_code == 422
    assert (await desk.get("/v1/numbers"))["version"] == 1
    text = await desk.ask("GET", "/v1/commitments", headers={"accept": "text/csv"})
    assert text.text.startswith("team,measure")


async def _send(desk: FeedbackDesk, path: str, text: str | bytes, **named: Any) -> httpx2.Response:  # noqa: ANN401
    content = text if isinstance(text, bytes) else text.encode()
    return await desk.ask("POST", path, content=content, headers=CSV, **named)
