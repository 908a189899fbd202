"""What an operator does to a running stack: parked events, the ledger, decisions computed again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx2
import pytest

from shared.ids import new_id
from tests.e2e.command import baton, document_of
from tests.e2e.life import Life, begin_life
from tests.support.stack import BatonStack

pytestmark = pytest.mark.timeout(400)  # the first test pays for the start of the whole stack

PASSWORD = "a long enough password"

# A release of scoring that cannot keep one kind of activity, until it is mended.
_BREAK = """
    create function careless_release() returns trigger language plpgsql as $$
    begin raise exception 'this release cannot keep a webinar'; end $$;
    create trigger careless_release before insert on activity for each row when (new.kind = 'webinar_attended')
    execute function careless_release();
"""
_MEND = "drop trigger careless_release on activity; drop function careless_release()"


@asynccontextmanager
async def connected(stack: BatonStack, service: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(stack.database_url(service))
    try:
        yield connection
    finally:
        await connection.close()


async def open_ones(stack: BatonStack, service: str) -> list[dict[str, Any]]:
    listed = await document_of(stack, "parked", "list", "--service", service)
    found: list[dict[str, Any]] = listed["parked"]
    return found


async def test_what_a_mended_release_can_read_is_replayed_by_command_and_by_page(baton_stack: BatonStack) -> None:
    life = await begin_life(baton_stack)
    async with connected(baton_stack, "scoring") as scoring:
        await scoring.execute(_BREAK)
        for name in ("paula", "quin"):
            await life.comes(name, "Webinar Attended")
        first, second = await open_ones(baton_stack, "scoring")
        refused = await baton(baton_stack, "parked", "replay", first["id"])
        assert refused.returncode != 0
        await scoring.execute(_MEND)

        shown = await document_of(baton_stack, "parked", "show", first["id"])
        assert (shown["service"], shown["state"], shown["event_type"]) == ("scoring", "open", first["event_type"])
        assert "webinar_attended" in shown["payload"]
        done = await document_of(baton_stack, "parked", "replay", first["id"])
        assert done == {"id": first["id"], "service": "scoring", "state": "replayed"}
        assert "The event was replayed." in await press_on_the_page(life, "replay", second["id"])
        await baton_stack.quiet()

        kept = await scoring.fetchval("select count(*) from activity where kind = 'webinar_attended'")
        assert kept == 2
    assert await open_ones(baton_stack, "scoring") == []
    again = await baton(baton_stack, "parked", "replay", first["id"])
    assert (again.returncode, "replayed already" in again.stderr) == (3, True)
    assert (await document_of(baton_stack, "verify"))["ledger_gap"] == 0


async def test_what_came_from_an_unlisted_page_is_shown_and_discarded_with_a_reason(baton_stack: BatonStack) -> None:
    life = await begin_life(baton_stack)
    for _ in range(2):
        await beacon(life)
    await baton_stack.quiet()
    first, second = await open_ones(baton_stack, "ingest")
    shown = await baton(baton_stack, "parked", "show", first["id"])
    assert shown.returncode == 0, shown.stderr
    assert "origin_not_listed" in shown.stdout
    unlisted = await baton(baton_stack, "parked", "replay", first["id"])
    assert (unlisted.returncode, "still cannot be applied" in unlisted.stderr) == (3, True)

    await document_of(baton_stack, "parked", "discard", first["id"], "--because", "somebody else's page")
    assert "The event was discarded." in await press_on_the_page(life, "discard", second["id"], reason="not ours")
    assert await open_ones(baton_stack, "ingest") == []
    settled = await document_of(baton_stack, "parked", "show", first["id"])
    assert (settled["state"], settled["settled_because"]) == ("discarded", "somebody else's page")
    unknown = await baton(baton_stack, "parked", "discard", str(new_id()), "--because", "no such event")
    assert (unknown.returncode, "parked list" in unknown.stderr) == (4, True)


async def test_verify_ends_with_1_and_names_what_nobody_accounts_for(baton_stack: BatonStack) -> None:
    lost = new_id()
    async with connected(baton_stack, "ingest") as ingest:
        await ingest.execute("insert into inbox (consumer, event_id) values ('ingest', $1)", lost)
        found = await document_of(baton_stack, "verify", code=1)
        await ingest.execute("delete from inbox where event_id = $1", lost)
    assert found["ledger_gap"] == 1
    assert [(gap["service"], gap["part"], gap["ids"]) for gap in found["gaps"]] == [
        ("ingest", "deliveries", [str(lost)])
    ]
    assert (await document_of(baton_stack, "verify"))["ledger_gap"] == 0


async def test_every_routing_decision_is_computed_again_identically(baton_stack: BatonStack) -> None:
    life = await begin_life(baton_stack)
    await life.comes("rosa", "Demo Requested")
    replayed = await document_of(baton_stack, "replay-decision")
    async with connected(baton_stack, "handoff") as handoff:
        assert replayed["replayed"] == await handoff.fetchval("select count(*) from routing_decision") > 0
    assert replayed["differing"] == []


async def beacon(life: Life) -> None:
    """A page view by a browser key from a page that is not on the source's list."""
    asked = {"sender": "segment", "name": "pages", "keys": ["browser_key"]}
    made = await life.stack.calls.call("ingest", "POST", "/v1/sources", body=asked)
    body = {"type": "page", "anonymousId": str(new_id()), "messageId": str(new_id())}
    body["writeKey"] = made["keys"][0]["key"]
    headers = {"origin": "https://elsewhere.example"}
    await life.stack.calls.send("ingest", "POST", "/v1/p", body=body, headers=headers, signed=False)


async def press_on_the_page(life: Life, verb: str, parked_id: str, **form: str) -> str:
    """What the console's page says after revops pressed the button beside a parked event."""
    who = f"ops-{new_id().hex[-8:]}@{life.domain}"
    user = {"email": who, "name": "Robin Ops", "role": "revops", "password": PASSWORD}
    await life.stack.calls.call("console", "POST", "/v1/users", body=user)
    base = life.stack.url("console")
    async with httpx2.AsyncClient(base_url=base, timeout=30, trust_env=False, headers={"origin": base}) as client:
        door = await client.get("/login")
        csrf = _between(door.text, 'name="csrf" value="', '"')
        await client.post("/login", data={"user_name": who, "password": PASSWORD, "csrf": csrf})
        page = await client.get("/parked")
        row = page.text.partition(f'id="p-{parked_id}"')[2].partition("</tr>")[0]
        sent = {name: _between(row, f'name="{name}" value="', '"') for name in ("csrf", "service", "parked_id", "key")}
        assert sent["parked_id"] == parked_id
        pressed = await client.post(f"/do/{verb}-parked", data={**sent, **form}, headers={"hx-request": "true"})
        return pressed.text


def _between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0]
