"""The buttons against a small handoff service: what is sent, who wins a race, what can be taken back or is refused."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson
from fastapi import FastAPI, Request, Response

from services.console.commands.leaving import send_due
from services.console.domain.rights import Role
from shared.contracts.handoffs import HandoffAccepted
from shared.db.engine import reading, transaction
from shared.runtime import Pace
from shared.runtime.server import DrainServer
from tests.integration.console.conftest import Browser, Console
from tests.support.builders.console import NOW, agreement_published, event, handoff_event, identified, named

Make = Callable[..., Awaitable[Console]]
LEAVING_SECONDS = 30.0
HANDOFF = str(named("handoff", "one"))


@dataclass
class Owner:
    """A service that keeps what it was asked and answers what the test says."""

    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    status: int = 200
    answer: dict[str, Any] = field(default_factory=dict)
    base: str = ""
    meanwhile: Callable[[str], Awaitable[None]] | None = None  # what happens while it is asked a path


@asynccontextmanager
async def owner_service() -> AsyncIterator[Owner]:
    owner, app = Owner(), FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT"])
    async def take(path: str, request: Request) -> Response:
        body = await request.body()
        owner.asked.append((f"{request.method} /{path}", dict(request.headers), orjson.loads(body) if body else None))
        if owner.meanwhile is not None:
            await owner.meanwhile(path)
        closing = {"connection": "close"}  # a kept-alive client would hold up the server's end
        content = orjson.dumps(owner.answer)
        return Response(content, status_code=owner.status, media_type="application/json", headers=closing)

    listener = socket.create_server(("127.0.0.1", 0))  # the server closes it
    owner.base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = DrainServer(app)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listener]))
        try:
            yield owner
        finally:
            server.drain()
    listener.close()  # a server that never started did not


@asynccontextmanager
async def desk(make_console: Make) -> AsyncIterator[tuple[Owner, Console, Browser]]:
    """A signed-in rep whose lead waits, and the service that owns the lead."""
    async with owner_service() as owner:
        console = await make_console(handoff=owner.base)
        user = await console.user("Priya Nair")
        await console.fold(event(agreement_published()), event(handoff_event(owner=user.user_id)))
        async with console.browser() as browser:
            await browser.sign_in(user)
            yield owner, console, browser


def form(**more: str) -> dict[str, str]:
    return {"handoff_id": HANDOFF, "token": "1", "key": "page-key", "origin": "queue", **more}


def commands(owner: Owner) -> list[tuple[str, dict[str, str], Any]]:
    return [asked for asked in owner.asked if "/handoffs/" in asked[0]]


async def test_an_accept_carries_token_key_and_the_person(make_console: Make) -> None:
    async with owner_service() as owner:
        console = await make_console(handoff=owner.base)
        user = await console.user("Priya Nair")
        await console.fold(event(identified()), event(handoff_event(owner=user.user_id)))
        async with console.browser() as browser:
            await browser.sign_in(user)
            answer = await browser.press("/do/accept", form())
    assert answer.status_code == 200
    assert "Accepted." in answer.text
    ((path, headers, body),) = commands(owner)
    assert path == f"POST /v1/handoffs/{HANDOFF}/accept"
    assert (headers["if-match"], headers["idempotency-key"], body) == ('"1.0"', "page-key", {})
    assert headers["authorization"].startswith("Bearer ")


async def test_who_comes_too_late_is_told_in_one_sentence_who_did_what_and_when(make_console: Make) -> None:
    async with owner_service() as owner:
        console = await make_console(handoff=owner.base)
        user = await console.user("Priya Nair", team_id=named("team", "one"))
        await console.fold(
            event(handoff_event(owner=user.user_id)),
            event(
                handoff_event(
                    HandoffAccepted,
                    seq=2,
                    token=2,
                    state="accepted",
                    owner=user.user_id,
                    actor="rep",
                    actor_id=user.user_id,
                )
            ),
        )
        owner.status = 409
        owner.answer = {
            "type": "/problems/stale",
            "detail": "It changed.",
            "current": {"token": 2, "state": "accepted", "owner_id": str(user.user_id)},
        }
        async with console.browser() as browser:
            await browser.sign_in(user)
            answer = await browser.press("/do/accept", form())
    assert answer.status_code == 409
    assert "You accepted this lead in another window at 09:00." in answer.text
    assert 'data-title="Accept"' not in answer.text  # what stands there now is the current state


async def test_a_reject_waits_ten_seconds_and_can_be_taken_back(make_console: Make) -> None:
    async with desk(make_console) as (owner, _, browser):
        left = await browser.press("/do/reject", form(reason_code="no_need"))
        undo = left.text.partition('hx-post="/do/undo/')[2].partition('"')[0]
        again = await browser.press("/do/reject", form(reason_code="no_need", key="other"))
        back = await browser.press(f"/do/undo/{undo}", {})
        late = await browser.press(f"/do/undo/{undo}", {})
    assert "It leaves in 10 seconds." in left.text
    assert again.status_code == 409
    assert (back.status_code, late.status_code) == (200, 409)
    assert commands(owner) == []


async def test_a_reject_leaves_by_itself_with_its_row_as_the_key_and_the_moment_of_its_press(
    make_console: Make,
) -> None:
    async with desk(make_console) as (owner, console, browser):
        await browser.press("/do/reject", form(reason_code="no_need", text="They said so"))
        row_id = await let_leave(console)
        assert "did not take effect" not in (await browser.client.get("/queue")).text
    ((path, headers, body),) = commands(owner)
    assert path.endswith("/reject")
    assert headers["idempotency-key"] == row_id
    assert body == {"reason_code": "no_need", "text": "They said so", "pressed_at": NOW.isoformat()}


async def test_who_pressed_is_told_when_a_waiting_command_came_too_late(make_console: Make) -> None:
    async with owner_service() as owner:
        console = await make_console(handoff=owner.base, ingest=owner.base)
        user, other = await console.user("Priya Nair"), await console.user("Jonas Weber")
        await console.fold(event(agreement_published()), event(handoff_event(owner=user.user_id)))
        async with console.browser() as browser, console.browser() as another:
            await browser.sign_in(user)
            await another.sign_in(other)
            await browser.press("/do/reject", form(reason_code="no_need"))
            await console.fold(
                event(handoff_event(seq=2, token=2, owner=other.user_id, actor="manager", actor_id=other.user_id))
            )
            owner.status, owner.answer = 409, {"type": "/problems/stale", "detail": "It changed.", "current": {}}
            row_id = await let_leave(console)
            owner.status, owner.answer = 200, {"profiles": []}
            words = "Your reject came too late and did not take effect. Jonas Weber gave this lead to Jonas Weber at"
            assert words in (await browser.client.get("/queue")).text
            assert words not in (await another.client.get("/queue")).text
            await another.press(f"/do/read/{row_id}", {})  # somebody else's is not theirs to put away
            assert words in (await browser.client.get("/queue")).text
            assert words not in (await browser.press(f"/do/read/{row_id}", {})).text
            assert words not in (await browser.client.get("/queue")).text


async def test_who_pressed_is_told_when_a_waiting_command_was_refused(make_console: Make) -> None:
    async with desk(make_console) as (owner, console, browser):
        await browser.press("/do/reject", form(reason_code="no_need"))
        owner.status, owner.answer = 422, {"type": "/problems/refused", "detail": "This reason is not agreed."}
        await let_leave(console)
        page = (await browser.client.get("/queue")).text
    assert "Your reject was not taken: This reason is not agreed." in page


async def test_a_command_sent_twice_at_once_waits_for_the_first_to_tell(make_console: Make) -> None:
    async with desk(make_console) as (owner, console, browser):
        await browser.press("/do/reject", form(reason_code="no_need"))
        running = {"type": "/problems/still_running", "detail": "The first request is still running."}
        owner.status, owner.answer = 409, running

        async def then_done(_: str) -> None:
            if len(commands(owner)) > 1:
                owner.status, owner.answer = 200, {}

        owner.meanwhile = then_done
        await let_leave(console)
        assert "Your reject" not in (await browser.client.get("/queue")).text
    assert len(commands(owner)) == 2


async def let_leave(console: Console) -> str:
    """Let the one waiting command leave now; its id."""
    async with transaction(console.database, "command") as tx:
        await tx.execute("update leaving set leaves_at = now() - interval '1 second'")
        row_id = (await tx.execute("select leaving_id from leaving")).scalar_one()
    pace = Pace()
    async with asyncio.TaskGroup() as group:
        group.create_task(send_due(console.database, console.app.state.owners, pace))
        async with asyncio.timeout(LEAVING_SECONDS):
            while await _leaving(console):
                pace.wake()
                await asyncio.to_thread(bool)
        pace.stop()
    return str(row_id)


async def _leaving(console: Console) -> int:
    async with reading(console.database) as tx:
        return int((await tx.execute("select count(*) from leaving")).scalar_one())


async def test_a_reason_that_asks_for_more_is_refused_at_the_press(make_console: Make) -> None:
    async with desk(make_console) as (owner, _, browser):
        answers = [
            await browser.press("/do/reject", form(**more))
            for more in ({}, {"reason_code": "bad_timing"}, {"reason_code": "no_fit"}, {"reason_code": "other"})
        ]
    assert [answer.status_code for answer in answers] == [422] * 4
    assert "Choose a reason." in answers[0].text
    assert "say from when the lead is good again" in answers[1].text
    assert commands(owner) == []


async def test_a_handoff_of_another_rep_is_not_there(make_console: Make) -> None:
    async with owner_service() as owner:
        console = await make_console(handoff=owner.base)
        user = await console.user("Priya Nair")
        await console.fold(event(handoff_event(owner=named("user", "jonas"))))
        async with console.browser() as browser:
            await browser.sign_in(user)
            assert (await browser.press("/do/accept", form())).status_code == 404
            assert (await browser.client.get(f"/leads/{named('lead', 'anna')}")).status_code == 404
    assert commands(owner) == []


async def test_an_owner_that_is_away_is_said_and_the_page_stays(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Priya Nair")
    await console.fold(event(identified()), event(handoff_event(owner=user.user_id)))
    async with console.browser() as browser:
        await browser.sign_in(user)
        answer = await browser.press("/do/accept", form())
        page = await browser.client.get("/queue")
    assert answer.status_code == 503
    assert "handoff does not answer now" in answer.text
    assert "Name not available now" in page.text


async def test_names_are_asked_of_ingest_and_an_erased_one_is_forgotten(make_console: Make) -> None:
    async with owner_service() as owner:
        console = await make_console(ingest=owner.base)
        user = await console.user("Priya Nair")
        anna = named("lead", "anna")
        owner.answer = {"profiles": [{"lead_id": str(anna), "name": "Anna Berg", "email": "anna@nordwind.test"}]}
        await console.fold(event(identified()), event(handoff_event(owner=user.user_id)))
        async with console.browser() as browser:
            await browser.sign_in(user)
            assert "Anna Berg" in (await browser.client.get("/queue")).text
            owner.answer = {"profiles": []}
            assert "Anna Berg" in (await browser.client.get("/queue")).text  # remembered
            console.watching.profiles.drop([anna])
            assert "Unnamed lead" in (await browser.client.get("/queue")).text


async def test_v1_is_forwarded_unchanged_with_the_person_in_the_token(make_console: Make) -> None:
    async with owner_service() as owner:
        console = await make_console(handoff=owner.base)
        user = await console.user("Mia Manager", Role.MANAGER)
        owner.answer = {"handoffs": []}
        async with console.browser() as browser:
            await browser.sign_in(user)
            answer = await browser.client.get(
                "/v1/handoffs?state=assigned", headers={"authorization": "Basic c211Z2dsZWQ=", "if-none-match": '"7"'}
            )
            nowhere = await browser.client.get("/v1/nowhere")
            await browser.client.get("/v1/handoffs/what%3F/events")
    assert answer.json() == {"handoffs": []}
    assert nowhere.status_code == 404
    assert owner.asked[-1][0] == "GET /v1/handoffs/what?/events"  # one path, as it was sent
    asked = owner.asked[-2]
    assert asked[0] == "GET /v1/handoffs"
    assert asked[1]["if-none-match"] == '"7"'
    assert asked[1]["authorization"].startswith("Bearer ")


async def test_reps_and_managers_read_over_v1_only_the_people_in_their_view(make_console: Make) -> None:
    anna, boris, cleo = (str(named("lead", name)) for name in ("anna", "boris", "cleo"))
    team, decision = named("team", "one"), named("decision", "boris")
    async with owner_service() as owner:
        console = await make_console(ingest=owner.base, scoring=owner.base)
        rep = await console.user("Priya Nair", team_id=team)
        other = await console.user("Jonas Weber", team_id=named("team", "two"))
        manager = await console.user("Mia Manager", Role.MANAGER, team_id=team)
        await console.fold(*(event(identified(name)) for name in ("anna", "boris", "cleo")))
        await console.fold(event(handoff_event(owner=rep.user_id)))
        await console.fold(event(handoff_event(handoff="theirs", lead="boris", owner=other.user_id)))
        paths = (f"/v1/leads/{anna}", f"/v1/leads/{boris}", f"/v1/scores/{boris}", f"/v1/leads/{cleo}")
        for user in (rep, manager):
            async with console.browser() as browser:
                await browser.sign_in(user)
                owner.answer = {"leads": [{"id": anna}, {"id": boris}, {"id": cleo}], "next": "more"}
                seen = (await browser.client.get("/v1/leads")).json()
                assert seen == {"leads": [{"id": anna}], "next": "more"}, user.role
                got = [(await browser.client.get(path)).status_code for path in paths]
                assert got == [200, 404, 404, 404], user.role
                assert (await browser.client.get("/v1/leads/nobody")).status_code == 200  # its owner says so
                owner.answer = {"lead_id": boris}
                assert (await browser.client.get(f"/v1/score-decisions/{decision}")).status_code == 404
                owner.answer = {"lead_ids": [boris, anna]}
                assert (await browser.client.get("/v1/accounts/one")).json() == {"lead_ids": [anna]}
        for name, role in (("Mo Marketer", Role.MARKETER), ("Rae Revops", Role.REVOPS)):
            async with console.browser() as browser:
                await browser.sign_in(await console.user(name, role))
                assert (await browser.client.get("/v1/accounts/one")).json() == owner.answer, role
    told = [asked[0] for asked in owner.asked if boris in asked[0] or cleo in asked[0]]
    assert told == []


async def test_a_manager_opens_the_people_of_the_own_team_and_no_others(make_console: Make) -> None:
    team = named("team", "one")
    async with owner_service() as ingest:
        console = await make_console(ingest=ingest.base)
        ours = await console.user("Priya Nair", team_id=team)
        theirs = await console.user("Jonas Weber", team_id=named("team", "two"))
        manager = await console.user("Mia Manager", Role.MANAGER, team_id=team)
        people = {"anna": ours.user_id, "boris": theirs.user_id, "cleo": None}
        for name, owner_id in people.items():
            await console.fold(
                event(identified(name)), event(handoff_event(handoff=name, lead=name, owner=owner_id, state="working"))
            )
        await console.fold(event(identified("dora")))  # never handed off
        ids = {name: str(named("lead", name)) for name in (*people, "dora")}
        ingest.answer = {"profiles": [], "leads": [{"id": one} for one in ids.values()]}
        async with console.browser() as browser:
            await browser.sign_in(manager)
            opened = {name: (await browser.client.get(f"/leads/{ids[name]}")).status_code for name in ids}
            listed = [(await browser.client.get(path)).text for path in ("/leads", "/leads?q=any", "/board")]
            found = (await browser.client.get("/leads/find?q=any")).json()["leads"]
    assert opened == {"anna": 200, "boris": 404, "cleo": 200, "dora": 404}
    assert {one["id"] for one in found} == {ids["anna"], ids["cleo"]}
    for text in listed:
        assert [name for name in ids if ids[name] in text] == ["anna", "cleo"]


async def test_no_path_with_dots_or_holes_reaches_another_route_than_the_one_that_was_judged(
    make_console: Make,
) -> None:
    boris = named("lead", "boris")
    async with owner_service() as owner:
        console = await make_console(ingest=owner.base)
        user = await console.user("Priya Nair")
        async with console.browser() as browser:
            await browser.sign_in(user)
            for path in (
                f"sources/%2e%2e/leads/{boris}",
                f"sources/..%2fleads/{boris}",
                f"sources/x/%2e%2e/%2e%2e/leads/{boris}",
                f"leads//{boris}",
                f"leads/%2e/{boris}",
                f"leads%2f{boris}",
                f"leads\\{boris}",
            ):
                answer = await browser.client.get(f"/v1/{path}")
                assert answer.status_code == 404, path
    assert not any(str(boris) in asked[0] for asked in owner.asked)


async def test_a_form_without_its_parked_event_is_unreadable(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Rae Revops", Role.REVOPS)
    async with console.browser() as browser:
        await browser.sign_in(user)
        for verb in ("replay", "discard"):
            assert (await browser.press(f"/do/{verb}-parked", form(parked_id="x"))).status_code == 400


async def test_a_form_without_script_is_sent_back_to_its_page(make_console: Make) -> None:
    async with owner_service() as owner:
        console = await make_console(handoff=owner.base)
        user = await console.user("Mia Manager", Role.MANAGER, team_id=named("team", "one"))
        await console.fold(event(handoff_event()))
        async with console.browser() as browser:
            await browser.sign_in(user)
            answer: httpx2.Response = await browser.client.post(
                "/do/reassign",
                data={**form(origin="board", rep_id=str(named("user", "jonas"))), "csrf": browser.csrf},
                headers={"origin": "http://console.test"},
            )
    assert (answer.status_code, answer.headers["location"]) == (303, "/board")
