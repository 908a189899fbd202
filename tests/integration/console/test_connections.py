"""Connections, Imports and parked groups: drawn from what ingest answers, and pressed as commands to ingest."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from fastapi import FastAPI, Request, Response

from services.console.domain.connections import BadForm, settings_from, texts_of
from services.console.domain.parked import masked
from services.console.domain.rights import Role
from shared.runtime.server import DrainServer
from tests.integration.console.conftest import Browser, Console

Make = Callable[..., Awaitable[Console]]
SOURCE, KEY, PARKED, JOB, IMPORT = (f"0191a000-0000-7000-8000-00000000000{n}" for n in range(5))
AT = "2026-06-10T11:20:00+00:00"
EVIL = "<img src=x onerror=alert(1)>"
STANDS = {"last_received_at": AT, "deliveries": 48, "events": 60, "refused": 3, "parked": 7}
SENDERS = [
    {"sender": "segment", "title": "Segment", "proof": "key", "setup": ["Set host to {url}.", "Use {key}."],
     "kinds": {"page": "page_view"}, "statuses": []},
    {"sender": "sendgrid", "title": "SendGrid", "proof": "signature", "setup": ["Paste {url}."], "kinds": {},
     "statuses": []},
]  # fmt: skip
ONE = {
    "id": SOURCE, "sender": "segment", "name": f"Site {EVIL}", "url": "https://in.example.test/v1", "version": 3,
    "settings": {"origins": ["https://www.example.com"], "names": {"got quote": "form_submit"}, "consent": "granted"},
    "created_at": AT, "standing": STANDS,
    "keys": [{"id": KEY, "kind": "server_key", "shown_prefix": "bts_abc", "created_at": AT, "valid_until": None}],
}  # fmt: skip
STANDING = {
    "last_received_at": AT,
    "hours": [{"hour": "2026-06-10T11:00:00+00:00", "deliveries": 48, "events": 60, "refused": 3}],
    "refusals": [
        {"reason": "unknown_type", "refused": 3, "last_at": AT,
         "samples": [{"index": 2, "detail": f"No {EVIL}", "event_id": EVIL, "refused_at": AT}]}
    ],
    "parked": [{"reason": "origin_not_listed", "open": 7, "last_at": AT}],
}  # fmt: skip
GROUP = {
    "source_id": SOURCE, "source_name": "Site", "sender": "segment", "reason": "origin_not_listed",
    "detail": "The door set it aside.", "open": 7, "first_at": AT, "last_at": AT,
    "origins": ["https://new.example.com"], "samples": [PARKED],
}  # fmt: skip
A_JOB = {
    "id": JOB, "action": "replay", "reason": "origin_not_listed", "state": "running", "total": 7, "done": 2,
    "failed": 1, "last_error": "still not", "created_at": AT,
}  # fmt: skip
BODY = '{"person": {"mail": "kim@acme.example", "age": 33}, "tags": ["a"], "ok": true}'
DELIVERY = {
    "id": PARKED, "consumer": "ingest", "topic": "deliveries", "partition": 0, "offset": 5, "key": "k", "state": "open",
    "event_type": "baton.delivery.received.v1", "reason": "origin_not_listed", "detail": "The door set it aside.",
    "parked_at": AT, "payload": BODY, "payload_bytes": len(BODY),
    "headers": [["request", '{"sender": "segment", "path": "/v1/batch", "headers": {"origin": "https://new.example.com"}}']],
}  # fmt: skip
AN_IMPORT = {
    "id": IMPORT, "kind": "leads", "name": EVIL, "state": "sent", "note": "", "records": 10, "records_handled": 4,
    "leads_new": 3, "refused": 1, "created_at": AT,
}  # fmt: skip
LOOKED = {
    "note": "Line 2 is no UTF-8.", "fields": ["email", "name"], "looked_at": 1, "is_whole": True,
    "columns": [{"heading": "mail", "field": "email", "is_guessed": True, "is_known": True}],
    "records": [{"record": 1, "kind": "identify", "occurred_at": None, "name": "", "email": EVIL, "identifiers": [],
                 "person": {"name": "Kim"}, "company": "", "campaign": "", "text": "", "consent": ""}],
    "refused": {"no_identifier": 1}, "rejects": [{"record": 2, "reason": "no_identifier", "detail": "Give one."}],
}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "GET /v1/senders": {"senders": SENDERS},
    "GET /v1/sources": {"sources": [ONE]},
    f"GET /v1/sources/{SOURCE}": ONE,
    f"GET /v1/sources/{SOURCE}/standing": STANDING,
    f"PATCH /v1/sources/{SOURCE}": ONE,
    "POST /v1/sources": {**ONE, "keys": [{"id": KEY, "kind": "server_key", "key": "bts_whole_key"}]},
    f"POST /v1/sources/{SOURCE}/rotate": {"id": KEY, "kind": "server_key", "key": "bts_another_key"},
    f"POST /v1/sources/{SOURCE}/mapping/dry-run": {"deliveries": [
        {"received_at": AT, "error": "", "refusals": [{"index": 1, "reason": "no_time", "detail": "Give one."}],
         "events": [{"kind": "form_submit", "identifiers": ["email"], "fields": ["company"], "time_flag": "absent"}]},
        {"received_at": AT, "error": "The body is no JSON.", "events": [], "refusals": []},
    ]},
    f"POST /v1/sources/{SOURCE}/keys/{KEY}/revoke": {"id": KEY},
    "GET /internal/parked-groups": {"groups": [GROUP]},
    "GET /internal/replays": {"jobs": [A_JOB]},
    "POST /internal/replays": A_JOB,
    f"POST /internal/replays/{JOB}/stop": {**A_JOB, "state": "stopped"},
    "GET /internal/parked": {"parked": [], "open": 0},
    f"GET /internal/parked/{PARKED}": DELIVERY,
    "GET /v1/imports": {"imports": [AN_IMPORT]},
    f"GET /v1/imports/{IMPORT}": AN_IMPORT,
    "POST /v1/imports/leads/preview": LOOKED,
    "POST /v1/imports/leads": AN_IMPORT,
    "POST /v1/spend": {"taken": 1, "repeated": 0, "refused": []},
    "POST /v1/spend/preview": {
        "note": "", "records": 1, "refused": [{"record": 1, "field": "amount", "reason": "is missing"}], "rows": [],
        "columns": [{"heading": "cost", "field": "amount"}],
    },
}  # fmt: skip


@dataclass
class Ingest:
    """A service that answers by the table above and remembers what it was asked."""

    base: str = ""
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=lambda: dict(ANSWERS))

    def bodies(self, asked: str) -> list[Any]:
        return [orjson.loads(body) for name, _, body in self.asked if name == asked]


@asynccontextmanager
async def _ingest() -> AsyncIterator[Ingest]:
    made, app = Ingest(), FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST", "PATCH", "DELETE"])
    async def take(path: str, request: Request) -> Response:
        name = f"{request.method} /{path}"
        made.asked.append((name, {**request.headers, "query": request.url.query}, await request.body()))
        found = made.answers.get(name)
        closing = {"connection": "close"}  # a kept-alive client would hold up the server's end
        if found is None:
            problem = {"title": "Not found", "status": 404, "detail": "There is no such thing."}
            return Response(orjson.dumps(problem), 404, media_type="application/problem+json", headers=closing)
        return Response(orjson.dumps(found), media_type="application/json", headers=closing)

    listener = socket.create_server(("127.0.0.1", 0))
    made.base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = DrainServer(app)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            try:
                yield made
            finally:
                server.drain()
    finally:
        listener.close()  # a server that never started did not


@asynccontextmanager
async def _desk(make_console: Make, role: Role) -> AsyncIterator[tuple[Ingest, Browser]]:
    async with _ingest() as ingest:
        console = await make_console(ingest=ingest.base, feedback=ingest.base)
        async with console.browser() as browser:
            await browser.sign_in(await console.user("Robin Ops", role))
            yield ingest, browser


async def test_each_source_is_shown_with_how_it_stands_and_nothing_it_sent_is_markup(make_console: Make) -> None:
    async with _desk(make_console, Role.MARKETER) as (_, browser):
        pages = [
            (await browser.client.get(path)).text
            for path in (
                "/connections",
                f"/connections/{SOURCE}",
                "/connections/new",
                "/connections/new?sender=sendgrid",
            )
        ]
        assert (await browser.client.get("/connections/new?sender=pigeon")).status_code == 404
        assert (await browser.client.get(f"/connections/{KEY}")).status_code == 404
    assert not any(EVIL in page for page in pages)
    listed, one, chosen, asked = pages
    for words in ("Segment", "5.0 %", "2.0", 'href="/connections/new"'):
        assert words in listed
    for words in (
        "Set host to https://in.example.test/v1.",
        "Unknown type",
        "bts_abc…",
        "got quote = form_submit",
        "48",
    ):
        assert words in one
    assert "Signs what it sends" in chosen
    assert 'name="secret"' in asked


async def test_a_source_is_connected_and_its_key_is_shown_in_the_answer_alone(make_console: Make) -> None:
    async with _desk(make_console, Role.MARKETER) as (ingest, browser):
        typed = {
            "sender": "segment",
            "name": "Site",
            "origins": "https://a.example\n\nhttps://b.example",
            "has_browser": "y",
        }
        made = await browser.press("/do/connect", typed)
        assert "bts_whole_key" in made.text
        assert "Waiting for the next delivery" in made.text
        (body,) = ingest.bodies("POST /v1/sources")
        assert body["settings"]["origins"] == ["https://a.example", "https://b.example"]
        assert body["keys"] == ["server_key", "browser_key"]
        refused = await browser.press("/do/connect", {**typed, "names": "no sign"})
        assert (refused.status_code, "NAME = VALUE" in refused.text) == (422, True)
        rotated = await browser.press(
            "/do/source-rotate", {"source_id": SOURCE, "kind": "server_key", "overlap_hours": "1"}
        )
        assert "bts_another_key" in rotated.text
        assert ingest.bodies(f"POST /v1/sources/{SOURCE}/rotate") == [{"kind": "server_key", "overlap_hours": 1}]
        revoked = await browser.press("/do/source-revoke", {"source_id": SOURCE, "key_id": KEY})
        assert "The key has ended" in revoked.text
        saved = await browser.press(
            "/do/source-set", {"source_id": SOURCE, "version": "3", "name": "New", "time_zone": ""}
        )
        assert "Saved." in saved.text
        assert ingest.bodies(f"PATCH /v1/sources/{SOURCE}") == [{"name": "New", "settings": {"time_zone": None}}]
        typed = {"source_id": SOURCE, "name": "New", "mapping": '{"email": "$.mail"}'}
        tried = await browser.press("/do/source-try", typed)
        for words in ("Form submit", "email; fields company; time absent", "The body is no JSON.", "Give one."):
            assert words in tried.text
        assert "$.mail" in tried.text, "what was typed stays"
        assert ingest.bodies(f"POST /v1/sources/{SOURCE}/mapping/dry-run") == [{"mapping": {"email": "$.mail"}}]
        assert (await browser.press("/do/source-try", {**typed, "mapping": "{"})).status_code == 422
        gone = await browser.press("/do/source-delete", {"source_id": SOURCE})
        assert "There is no such thing" in gone.text  # the table has no answer to it


async def test_the_page_waits_for_the_next_delivery_and_says_what_came(make_console: Make) -> None:
    async with _desk(make_console, Role.ADMIN) as (_, browser):
        page = (await browser.press("/do/source-test", {"source_id": SOURCE})).text
        assert 'hx-trigger="every 2s"' in page
        path = f"/connections/{SOURCE}/wait"
        told = {
            asked: (await browser.client.get(path, params=dict(pair.split("=") for pair in asked.split("&")))).text
            for asked in (f"last={AT}&parked=7", "last=2026-06-09T00:00:00Z&parked=7", f"last={AT}&parked=6")
        }
        silent = (await browser.client.get(path, params={"last": AT, "parked": 7, "looks": 150})).text
    waiting, received, parked = told.values()
    assert "Waiting" in waiting
    assert "Test received" in received
    assert "set aside" in parked
    assert ("five minutes" in silent, "hx-trigger" in silent) == (True, False)


async def test_parked_groups_are_replayed_mended_and_discarded_as_jobs(make_console: Make) -> None:
    async with _desk(make_console, Role.REVOPS) as (ingest, browser):
        page = (await browser.client.get("/parked")).text
        for words in ("Origin not listed", "List https://new.example.com and replay", "2 of 7", "still not"):
            assert words in page
        group = {"source_id": SOURCE, "reason": "origin_not_listed"}
        began = await browser.press("/do/list-origin", {**group, "origin": "https://new.example.com"})
        assert "are being replayed" in began.text
        (change,) = ingest.bodies(f"PATCH /v1/sources/{SOURCE}")
        assert change["settings"]["origins"] == ["https://www.example.com", "https://new.example.com"]
        span = {"since_at": "2026-06-10T09:00", "until_at": "", "zone": "Europe/Berlin", "rate": "5"}
        await browser.press("/do/replay-group", {**group, **span})
        await browser.press("/do/discard-group", {**group, "because": "not ours"})
        first, second, third = ingest.bodies("POST /internal/replays")
        assert first == {"action": "replay", **group}
        assert second == {"action": "replay", **group, "rate_per_second": 5, "since_at": "2026-06-10T09:00:00+02:00"}
        assert third == {"action": "discard", **group, "because": "not ours"}
        assert "Stopped" in (await browser.press("/do/stop-job", {"job_id": JOB})).text
        assert (await browser.press("/do/replay-group", {**group, "since_at": "soon"})).status_code == 400
        assert 'id="jobs"' in (await browser.client.get("/parked/jobs")).text


@pytest.mark.parametrize(("role", "is_whole"), [(Role.ADMIN, True), (Role.REVOPS, False)])
async def test_a_body_is_whole_for_administrators_and_a_shape_for_who_mends(
    make_console: Make, role: Role, *, is_whole: bool
) -> None:
    async with _desk(make_console, role) as (_, browser):
        page = (await browser.client.get(f"/parked/deliveries/{PARKED}")).text
    assert ("kim@acme.example" in page) == is_whole
    assert ("text of 16" in page) != is_whole
    assert "https://new.example.com" in page


async def test_a_file_is_looked_at_sent_and_followed(make_console: Make) -> None:
    file = {"file": ("people.csv", b"mail\nkim@acme.example\n", "text/csv")}
    async with _desk(make_console, Role.MARKETER) as (ingest, browser):
        page = (await browser.client.get("/imports")).text
        assert EVIL not in page
        assert "40 %" in page
        asked = {
            "kind": "leads",
            "time_zone": "Europe/Berlin",
            "campaign": "x",
            "heading_0": "mail",
            "field_0": "email",
        }
        looked = await _upload(browser, "/do/preview-import", asked, file)
        assert (EVIL in looked, "Line 2 is no UTF-8." in looked, "Email (guessed)" in looked) == (False, True, True)
        await _upload(browser, "/do/import", asked, file)
        queries = [said["query"] for name, said, _ in ingest.asked if name.startswith("POST /v1/imports/leads")]
        assert all("map=mail%3Demail" in query and "time_zone=Europe%2FBerlin" in query for query in queries)
        assert not any("campaign" in query for query in queries), "of leads a file says no campaign"
        assert [body for name, _, body in ingest.asked if name == "POST /v1/imports/leads"] == [file["file"][1]]
        spend = {"kind": "spend", "heading_0": "cost", "field_0": "="}
        assert "is missing" in await _upload(browser, "/do/preview-import", spend, file)
        assert "1 lines of spend were taken" in await _upload(browser, "/do/import", spend, file)
        assert "Choose a file first" in await _upload(browser, "/do/import", spend, {"file": ("", b"", "text/csv")})
        assert (await browser.client.get(f"/imports/{IMPORT}")).text.count("<tr") == 1


async def test_who_may_not_sees_no_page_and_presses_nothing(make_console: Make) -> None:
    async with _desk(make_console, Role.REP) as (ingest, browser):
        for path in (
            "/connections",
            "/connections/new",
            f"/connections/{SOURCE}",
            "/imports",
            f"/parked/deliveries/{PARKED}",
        ):
            assert (await browser.client.get(path)).status_code == 403, path
        for verb in (
            "connect",
            "source-set",
            "source-rotate",
            "source-revoke",
            "source-delete",
            "replay-group",
            "stop-job",
        ):
            pressed = await browser.press(f"/do/{verb}", {"source_id": SOURCE, "key_id": KEY, "job_id": JOB})
            assert pressed.status_code == 403, verb
        assert not [name for name, _, _ in ingest.asked if name.startswith(("POST", "PATCH", "DELETE"))]


def test_a_body_s_shape_keeps_paths_and_no_people() -> None:
    assert "kim" not in masked(BODY)
    assert '"mail": "text of 16"' in masked(BODY)
    assert masked("kim@acme.example") == "No JSON, 16 characters."


def test_settings_go_to_the_form_and_back() -> None:
    settings = {
        "origins": ["https://a.example"],
        "names": {"got quote": "form_submit"},
        "pages": [{"path": "/a=b*", "content": "pricing"}],
        "properties": ["plan"],
        "options": {"topic": "t"},
        "mapping": {"email": "$.mail"},
        "time_zone": "Europe/Berlin",
        "consent": "granted",
        "rate_per_second": 5,
    }
    assert settings_from(texts_of(settings)) == settings
    for wrong in ({"mapping": "[1]"}, {"mapping": "{"}, {"rate_per_second": "many"}, {"pages": "x"}):
        with pytest.raises(BadForm):
            settings_from(wrong)


async def _upload(browser: Browser, path: str, form: dict[str, str], file: dict[str, tuple[str, bytes, str]]) -> str:
    headers = {"origin": "http://console.test", "x-csrf-token": browser.csrf, "hx-request": "true"}
    answer = await browser.client.post(path, data=form, files=file, headers=headers)
    return answer.text
