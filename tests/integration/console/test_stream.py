"""The stream of changes over a real server and socket: case 25, rows of others, resuming, ends."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest

from services.console.domain.rights import Role
from services.console.store import changes
from shared.db.engine import transaction
from shared.runtime import Pace
from shared.runtime.server import DrainServer
from tests.integration.console.conftest import Browser, Console
from tests.support.builders.console import event, handoff_event, identified, named

Make = Callable[..., Awaitable[Console]]
DEADLINE_SECONDS = 10.0


@dataclass(frozen=True)
class Message:
    name: str
    number: str
    data: str


@asynccontextmanager
async def served(console: Console) -> AsyncIterator[str]:
    """The console on a port of its own, with its reader of changes running."""
    listener = socket.create_server(("127.0.0.1", 0))
    server, pace = DrainServer(console.app), Pace()
    async with asyncio.TaskGroup() as group:
        group.create_task(console.watching.run(pace))
        group.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            pace.stop()
            server.drain()
    listener.close()  # a server that never started did not


@asynccontextmanager
async def signed_in(console: Console, base: str, name: str, role: Role = Role.REP) -> AsyncIterator[Browser]:
    user = await console.user(name, role)
    async with httpx2.AsyncClient(base_url=base, timeout=DEADLINE_SECONDS, trust_env=False) as client:
        door = await client.get("/login")
        csrf = door.text.partition('name="csrf" value="')[2].partition('"')[0]
        form = {"user_name": user.user_name, "password": "a long enough password", "csrf": csrf}
        await client.post("/login", data=form, headers={"origin": base})
        yield Browser(client)


@asynccontextmanager
async def opened(browser: Browser, *, page: str = "board", **headers: str) -> AsyncIterator[AsyncIterator[Message]]:
    async with browser.client.stream("GET", f"/stream?page={page}", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _messages(answer)


async def _messages(answer: httpx2.Response) -> AsyncIterator[Message]:
    fields: dict[str, list[str]] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields.setdefault(name, []).append(value)
        elif fields:
            if "id" in fields:
                yield Message("".join(fields.get("event", [])), fields["id"][0], "\n".join(fields.get("data", [])))
            fields = {}


async def first(messages: AsyncIterator[Message]) -> Message:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await anext(messages)


async def until(messages: AsyncIterator[Message], text: str) -> Message:
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for message in messages:
            if text in message.data:
                return message
    raise AssertionError(text)


async def test_case_25_what_a_browser_hears_by_the_number_it_saw_last(make_console: Make) -> None:
    console = await make_console()
    async with transaction(console.database, "batch") as tx:
        await changes.number_changes(tx, [(None, None)] * 10_000)
    async with served(console) as base, signed_in(console, base, "Ada Admin", Role.ADMIN) as browser:
        heard = {}
        for last in ["1", "10000", "15000", "abc", str(2**63), "", "-5", "9999999999999999999999", "٣"]:
            headers = {"last-event-id": last.encode()} if last else {}
            async with opened(browser, **headers) as messages:  # type: ignore[arg-type]  # a raw header value
                message = await first(messages)
                heard[last] = (message.name, message.number)
        assert heard["1"] == ("stale", "10000")
        assert heard["10000"] == ("open", "10000")
        assert heard["15000"] == ("stale", "10000")
        for last in ["abc", "", "-5", "٣"]:
            assert heard[last] == ("open", "10000"), last
        assert heard[str(2**63)][0] == "stale"


async def test_a_change_arrives_and_a_resumed_stream_misses_none_and_repeats_none(make_console: Make) -> None:
    console = await make_console()
    async with served(console) as base, signed_in(console, base, "Mia Manager", Role.MANAGER) as browser:
        async with opened(browser) as messages:
            assert (await first(messages)).name == "open"
            await console.fold(event(identified("anna")), event(handoff_event(handoff="one")))
            seen = await until(messages, str(named("handoff", "one")))
            assert '<hx-partial hx-target="#h-' in seen.data
        await console.fold(event(handoff_event(handoff="two", lead="bo")))
        async with opened(browser, **{"last-event-id": seen.number}) as messages:
            assert (await first(messages)).name == "open"
            missed = await until(messages, "hx-partial")
            assert str(named("handoff", "two")) in missed.data
            assert str(named("handoff", "one")) not in missed.data


async def test_nobody_hears_of_other_peoples_rows(make_console: Make) -> None:
    console = await make_console()
    async with served(console) as base, signed_in(console, base, "Priya Nair") as browser:
        mine = (await console.user("Jonas Weber")).user_id
        me = named("user", "somebody else")
        async with opened(browser, page="queue") as messages:
            await first(messages)
            await console.fold(event(handoff_event(handoff="theirs", owner=mine)))
            await console.fold(event(handoff_event(handoff="nobodys", lead="bo", owner=me)))
            async with asyncio.timeout(DEADLINE_SECONDS):
                heard = [await anext(messages), await anext(messages)]
        assert [message.data for message in heard] == ["", ""]


async def test_a_rep_hears_when_a_lead_leaves_the_queue_but_not_whose_it_is(make_console: Make) -> None:
    console = await make_console()
    async with served(console) as base, signed_in(console, base, "Priya Nair") as browser:
        other = await console.user("Jonas Weber")
        page = await browser.client.get("/login")
        assert page.status_code == 303
        async with transaction(console.database, "command") as tx:
            me = (await tx.execute("select user_id from console_user where user_name like 'priya%'")).scalar_one()
        await console.fold(event(handoff_event(owner=me)))
        async with opened(browser, page="queue") as messages:
            await first(messages)
            await console.fold(event(handoff_event(seq=2, token=2, owner=other.user_id)))
            gone = await until(messages, "no longer in your queue")
        assert "Jonas" not in gone.data


async def test_a_session_opens_four_streams_and_no_more(make_console: Make) -> None:
    console = await make_console()
    async with (
        served(console) as base,
        signed_in(console, base, "Ada Admin", Role.ADMIN) as browser,
        AsyncExitStack() as stack,
    ):
        kept = []  # a reader nobody holds closes its connection
        for _ in range(console.settings.streams_per_session):
            kept.append(await stack.enter_async_context(opened(browser)))
            await first(kept[-1])
        assert (await browser.client.get("/stream?page=board")).status_code == 429


async def test_a_stream_needs_a_session(make_console: Make) -> None:
    console = await make_console()
    async with console.browser() as browser:
        assert (await browser.client.get("/stream?page=board")).status_code == 401


@pytest.mark.parametrize("page", ["queue", "board", "lead", "nothing"])
async def test_a_stopping_process_ends_its_streams(make_console: Make, page: str) -> None:
    console = await make_console()
    async with (
        served(console) as base,
        signed_in(console, base, "Ada Admin", Role.ADMIN) as browser,
        opened(browser, page=page) as messages,
    ):
        await first(messages)
        console.watching.end_all()
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert [message async for message in messages] == []
