"""The stream of changes over a real server and socket: cases 25 and 27, rows of others, resuming, ends.

One message may tell several changes (all that one look of the reader found), so a test reads up to a number, never a
count of messages.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx2
import pytest

from services.console.domain.rights import Role
from services.console.store import changes
from services.console.usecases.fold import fold_events
from shared.db.engine import reading, transaction
from shared.runtime import Pace
from shared.runtime.server import DrainServer
from tests.integration.console.conftest import Browser, Console
from tests.integration.console.test_commands import owner_service
from tests.support.builders.console import activity, event, handoff_event, identified, named

Make = Callable[..., Awaitable[Console]]
DEADLINE_SECONDS = 10.0
TEAM = named("team", "one")


@dataclass(frozen=True)
class Message:
    name: str
    number: str
    data: str


@asynccontextmanager
async def served(console: Console, *, pace: Pace | None = None) -> AsyncIterator[str]:
    """The console on a port of its own, with its reader of changes running unless the test brings its pace."""
    listener = socket.create_server(("127.0.0.1", 0))
    server, is_reading = DrainServer(console.app), pace is None
    pace = pace or Pace()
    async with asyncio.TaskGroup() as group:
        if is_reading:
            group.create_task(console.watching.run(pace))
        group.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            pace.stop()
            server.drain()
    listener.close()  # a server that never started did not


@asynccontextmanager
async def signed_in(
    console: Console, base: str, name: str, role: Role = Role.REP, *, team_id: UUID = TEAM
) -> AsyncIterator[Browser]:
    user = await console.user(name, role, team_id=team_id)
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


async def up_to(messages: AsyncIterator[Message], number: int) -> list[Message]:
    """The messages until the change of this number is told, in however many messages the reader found them."""
    heard: list[Message] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for message in messages:
            heard.append(message)
            if int(message.number) >= number:
                return heard
    raise AssertionError(heard)


async def user_id_of(console: Console, name: str) -> UUID:
    async with reading(console.database) as tx:
        found = await tx.execute("select user_id from console_user where user_name like :name", {"name": f"{name}%"})
        user_id: UUID = found.scalar_one()
        return user_id


async def newest(console: Console) -> int:
    async with reading(console.database) as tx:
        return await changes.current_number(tx)


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
            heard = await up_to(messages, await newest(console))
        assert {(message.name, message.data) for message in heard} == {("", "")}


async def test_changes_found_in_one_look_are_one_message_with_the_last_number(make_console: Make) -> None:
    console = await make_console()
    async with served(console) as base, signed_in(console, base, "Priya Nair") as browser:
        me = (await console.user("Jonas Weber")).user_id
        await console.fold(event(handoff_event(handoff="theirs", owner=me)))
        await console.fold(event(handoff_event(handoff="nobodys", lead="bo", owner=named("user", "nobody"))))
        async with opened(browser, page="queue", **{"last-event-id": "0"}) as messages:
            assert (await first(messages)).name == "open"
            (heard,) = await up_to(messages, 2)
        assert (heard.number, heard.data) == ("2", "")


async def test_what_changed_between_the_opening_of_a_page_and_the_start_of_the_reader_is_told(
    make_console: Make,
) -> None:
    console, pace = await make_console(), Pace()
    async with (
        served(console, pace=pace) as base,
        signed_in(console, base, "Mia Manager", Role.MANAGER) as browser,
        opened(browser) as messages,
        asyncio.TaskGroup() as group,
    ):
        await first(messages)
        await console.fold(event(handoff_event()))
        group.create_task(console.watching.run(pace))  # its first number is that of the fold
        assert str(named("handoff", "one")) in (await up_to(messages, 1))[-1].data
        pace.stop()


async def test_case_27_eight_writers_and_one_stream_tell_every_change_once(make_console: Make) -> None:
    console = await make_console()
    names = [f"{writer} {number}" for writer in range(8) for number in range(12)]

    async def write(writer: int) -> None:
        for number in range(12):
            await console.fold(event(handoff_event(handoff=f"{writer} {number}", lead=f"{writer} {number}")))

    async with (
        served(console) as base,
        signed_in(console, base, "Mia Manager", Role.MANAGER) as browser,
        opened(browser) as messages,
    ):
        await first(messages)
        async with asyncio.TaskGroup() as group:
            for writer in range(8):
                group.create_task(write(writer))
        told = "".join(m.data for m in await up_to(messages, len(names)) if not m.name)
    heard = re.findall(r'hx-target="#h-([^"]+)"', told)
    assert sorted(heard) == sorted(str(named("handoff", name)) for name in names)


async def test_case_27_a_change_that_commits_late_is_not_overtaken_by_a_higher_number(make_console: Make) -> None:
    console = await make_console()
    async with (
        served(console) as base,
        signed_in(console, base, "Mia Manager", Role.MANAGER) as browser,
        opened(browser) as messages,
        asyncio.TaskGroup() as group,
    ):
        await first(messages)
        async with transaction(console.database, "batch") as tx:
            await fold_events(tx, [event(handoff_event(handoff="held", lead="bo"))])
            second = group.create_task(console.fold(event(handoff_event(handoff="later"))))
            await waiting_for_a_lock(console)
            assert (await newest(console), second.done()) == (0, False)
        told = "".join(message.data for message in await up_to(messages, 2))
    assert told.index(str(named("handoff", "held"))) < told.index(str(named("handoff", "later")))


async def waiting_for_a_lock(console: Console) -> None:
    """Until another transaction of this database waits for a lock."""
    asked = "select count(*) from pg_locks where not granted and pid in (select pid from pg_stat_activity"
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            async with reading(console.database) as tx:
                if (await tx.execute(f"{asked} where datname = current_database())")).scalar_one():
                    return


async def test_what_changes_while_a_page_is_drawn_comes_by_its_stream(make_console: Make) -> None:
    async with owner_service() as ingest:
        console = await make_console(ingest=ingest.base)
        user = await console.user("Mia Manager", Role.MANAGER, team_id=TEAM)
        await console.fold(event(identified()), event(handoff_event(owner=user.user_id)))
        before, seq = await newest(console), 1

        async def change(path: str) -> None:
            nonlocal seq
            if path == "internal/profiles":
                seq += 1
                await console.fold(event(handoff_event(seq=seq, token=seq, owner=user.user_id)))

        ingest.meanwhile = change
        ingest.answer = {"profiles": []}
        async with console.browser() as browser:
            await browser.sign_in(user)
            for path in ("/queue", "/board", f"/leads/{named('lead', 'anna')}"):
                console.watching.profiles.forget()
                page = await browser.client.get(path)
                assert f"since={before}&" in page.text.replace('"', "&"), path
                assert await newest(console) > before, path
                before = await newest(console)


async def test_a_stream_behind_the_kept_window_while_it_is_open_is_told_to_load_its_page(make_console: Make) -> None:
    console, pace = await make_console(), Pace()
    async with (
        served(console, pace=pace) as base,
        signed_in(console, base, "Ada Admin", Role.ADMIN) as browser,
        opened(browser) as messages,
        asyncio.TaskGroup() as group,
    ):
        await first(messages)
        async with transaction(console.database, "batch") as tx:
            await changes.number_changes(tx, [(None, None)] * (changes.CHANGES_KEPT + 10))
        async with transaction(console.database, "periodic") as tx:
            await changes.drop_old_changes(tx)
        group.create_task(console.watching.run(pace))
        assert (await first(messages)).name == "stale"
        pace.stop()


async def test_names_kept_while_nobody_read_changes_are_asked_anew(make_console: Make) -> None:
    anna, pace = named("lead", "anna"), Pace()
    async with owner_service() as ingest:
        console = await make_console(ingest=ingest.base)
        profiles = console.watching.profiles
        ingest.answer = {"profiles": [{"lead_id": str(anna), "name": "Anna Berg"}]}
        assert "Anna" in repr(await profiles.of([anna]))
        ingest.answer = {"profiles": []}  # erased, and the reader of changes had failed by then
        async with asyncio.TaskGroup() as group:
            group.create_task(console.watching.run(pace))
            async with asyncio.timeout(DEADLINE_SECONDS), console.watching.watch(b"session") as watch:
                await watch.waiting.get()
            pace.stop()
        assert "Anna" not in repr(await profiles.of([anna]))


async def test_who_was_away_while_a_lead_left_the_queue_is_told_so(make_console: Make) -> None:
    console = await make_console()
    async with served(console) as base, signed_in(console, base, "Priya Nair") as browser:
        other = await console.user("Jonas Weber")
        me = await user_id_of(console, "priya")
        await console.fold(event(handoff_event(owner=me)))
        await console.fold(event(handoff_event(seq=2, token=2, owner=other.user_id)))
        async with opened(browser, page="queue", **{"last-event-id": "1"}) as messages:
            gone = (await up_to(messages, 2))[-1]
    assert "no longer in your queue" in gone.data
    assert "Jonas" not in gone.data


async def test_a_row_that_goes_to_another_team_leaves_the_board_of_its_manager(make_console: Make) -> None:
    console = await make_console()
    ours = await console.user("Ours", team_id=TEAM)
    theirs = await console.user("Theirs", team_id=named("team", "two"))
    async with served(console) as base, signed_in(console, base, "Mia", Role.MANAGER) as browser:
        await console.fold(event(handoff_event(owner=ours.user_id)))
        async with opened(browser) as messages:
            await first(messages)
            await console.fold(event(handoff_event(seq=2, token=2, owner=theirs.user_id)))
            gone = (await up_to(messages, 2))[-1]
    assert "no longer in your view" in gone.data
    assert "Theirs" not in gone.data


async def test_a_rep_hears_when_a_lead_leaves_the_queue_but_not_whose_it_is(make_console: Make) -> None:
    console = await make_console()
    async with served(console) as base, signed_in(console, base, "Priya Nair") as browser:
        other = await console.user("Jonas Weber")
        page = await browser.client.get("/login")
        assert page.status_code == 303
        me = await user_id_of(console, "priya")
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


async def test_a_filtered_timeline_stays_filtered_when_something_happens(make_console: Make) -> None:
    console = await make_console()
    lead = named("lead", "anna")
    async with served(console) as base, signed_in(console, base, "Ada Admin", Role.ADMIN) as browser:
        await console.fold(event(identified()), event(activity()), event(handoff_event()))
        page = (await browser.client.get(f"/leads/{lead}?show=sales")).text
        address = page.partition('hx-sse:connect="')[2].partition('"')[0].replace("&amp;", "&")
        async with browser.client.stream("GET", address) as answer:
            messages = _messages(answer)
            await first(messages)
            await console.fold(event(handoff_event(seq=2, token=2)))
            told = (await up_to(messages, await newest(console)))[-1]
    assert "Handed to Sales" in told.data or "Assigned to" in told.data
    assert "Viewed pricing" not in told.data


@pytest.mark.parametrize("what", ["signed out", "another team", "switched off"])
async def test_a_stream_ends_with_its_session_however_much_it_has_to_tell(make_console: Make, what: str) -> None:
    console = await make_console()
    console.app.state.settings = console.settings.model_copy(update={"session_proven_every_seconds": 0.2})
    changed = {
        "signed out": "delete from session",
        "another team": "update console_user set team_id = gen_random_uuid()",
        "switched off": "update console_user set is_active = false",
    }
    async with (
        served(console) as base,
        signed_in(console, base, "Mia Manager", Role.MANAGER) as browser,
        opened(browser) as messages,
        asyncio.TaskGroup() as group,
    ):
        await first(messages)
        is_over = asyncio.Event()

        async def keep_changing() -> None:
            seq = 0
            while not is_over.is_set():
                seq += 1
                await console.fold(event(handoff_event(seq=seq, token=seq)))

        group.create_task(keep_changing())
        await until(messages, str(named("handoff", "one")))
        async with transaction(console.database, "command") as tx:
            await tx.execute(changed[what])
        async with asyncio.timeout(DEADLINE_SECONDS):
            heard = [message async for message in messages]
        is_over.set()
    assert heard[-1].name == "stale"  # the page loads itself again, with the rights of now


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
