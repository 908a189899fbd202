"""Cases from the field about times (../shared/cases.md 1 and 27): when it happened, and what changed since."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import count

import pytest
import pytest_asyncio

from shared.db.engine import transaction
from tests.integration.ingest.counter import Counter, opened
from tests.integration.ingest.stage import AT, IngestStage, batch, identify, page, raw_event

AD = "https://www.example.com/landing?utm_source=ads&utm_medium=cpc&utm_campaign=june"
WRITERS, WRITES, PAGE = 8, 12, 7


@pytest_asyncio.fixture
async def counter(stage: IngestStage) -> AsyncIterator[Counter]:
    async with opened(stage) as made:
        yield made


# ------------------------------------------------------------------ 1: delivery time is no clock error
@pytest.mark.parametrize("is_late_first", [True, False])
@pytest.mark.parametrize("held_seconds", [0, 10, 30, 299])
async def test_case_1_what_was_held_back_happened_when_it_says(
    stage: IngestStage, held_seconds: int, *, is_late_first: bool
) -> None:
    """A is the view of the ad's page, held back by the browser; B the next one, sent at once and 20 s later."""
    held = timedelta(seconds=held_seconds)
    first = batch(page(AD, anonymousId="a1", at=AT), sent_at=AT)
    second = batch(page("https://www.example.com/pricing", anonymousId="a1", at=AT + timedelta(seconds=20)))
    late = raw_event(first, source_id=stage.source_id, received_at=AT + held)
    prompt = raw_event(second, source_id=stage.source_id, received_at=AT + timedelta(seconds=20))
    for one in (late, prompt) if is_late_first else (prompt, late):
        await stage.handle(one)
    times = await stage.rows("select url, occurred_at from activity_text order by occurred_at")
    assert [(row.url.partition("?")[0][-8:], row.occurred_at) for row in times] == [
        ("/landing", AT),
        ("/pricing", AT + timedelta(seconds=20)),
    ]
    lead = await stage.rows("select first_page, traffic_source, campaign from lead")
    assert [tuple(row) for row in lead] == [("/landing", "ads", "june")]


@pytest.mark.parametrize("off", [timedelta(minutes=5), timedelta(hours=2), timedelta(hours=-2), timedelta(hours=47)])
async def test_case_1_a_wrong_clock_moves_both_events_and_keeps_their_distance(
    stage: IngestStage, off: timedelta
) -> None:
    said = AT - off
    events = (page(AD, anonymousId="a1", at=said), page(AD, anonymousId="a1", at=said + timedelta(seconds=20)))
    body = batch(*events, sent_at=said + timedelta(seconds=30))
    await stage.handle(raw_event(body, source_id=stage.source_id, received_at=AT + timedelta(seconds=30)))
    times = await stage.rows("select occurred_at from activity_text order by occurred_at")
    assert [row.occurred_at for row in times] == [AT, AT + timedelta(seconds=20)]


# ------------------------------------------------------------------ 27: list by change time
async def test_case_27_a_walk_and_equal_change_times_lose_nobody(counter: Counter) -> None:
    people = [identify(userId=f"u{n}", traits={"email": f"u{n}@acme.example"}) for n in range(5)]
    await counter.stage.send(*people)
    first = await counter.get("/v1/leads?limit=2")
    patched, kept = (one["id"] for one in first["leads"])
    await counter.call("PATCH", f"/v1/leads/{patched}", json={"title": "VP"}, headers={"if-match": "*"})
    coming = (await counter.get("/v1/leads", params={"limit": 2, "cursor": first["next"]}))["leads"]
    await counter.call("POST", "/v1/erasures", role="admin", json={"lead_id": coming[0]["id"]})
    seen, cursor = [patched, kept], first["next"]  # the cursor of page 1 works on, whatever changed behind it
    while cursor:
        walked = await counter.get("/v1/leads", params={"limit": 2, "cursor": cursor})
        seen, cursor = seen + [one["id"] for one in walked["leads"]], walked["next"]
    assert len(seen) == len(set(seen)) == 4
    assert coming[0]["id"] not in seen
    exact = first["leads"][1]["updated_at"]
    assert {kept, coming[1]["id"]} <= await _since(counter, exact)
    just_after = (datetime.fromisoformat(exact) + timedelta(microseconds=1)).isoformat()
    assert await _since(counter, just_after) & {kept, coming[1]["id"]} == set()


async def test_case_27_what_commits_late_is_found_with_five_minutes_of_overlap(counter: Counter) -> None:
    await counter.stage.send(identify(userId="u1", traits={"email": "u1@acme.example"}))
    lead_id = str(await counter.stage.lead_of("user", "u1"))
    wrote, read = asyncio.Event(), asyncio.Event()

    async def late_writer() -> None:
        async with transaction(counter.stage.database, "command") as tx:
            await tx.execute("update lead set updated_at = :now, country = 'FR'", {"now": tx.now})
            wrote.set()
            await read.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(late_writer())
        await wrote.wait()
        now: datetime = await counter.stage.one("select baton_now()")
        assert await _since(counter, now.isoformat()) == set()
        read.set()
    assert await _since(counter, now.isoformat()) == set(), "it was stamped before the reader took its now"
    assert await _since(counter, (now - timedelta(minutes=5)).isoformat()) == {lead_id}


async def test_case_27_eight_writers_and_one_incremental_reader_see_the_same_people(counter: Counter) -> None:
    numbers = count()
    is_writing = WRITERS

    async def write() -> None:
        nonlocal is_writing
        for _ in range(WRITES):
            number = next(numbers)
            await counter.stage.send(identify(userId=f"w{number}", traits={"email": f"w{number}@acme.example"}))
        is_writing -= 1

    async def follow() -> set[str]:
        found: set[str] = set()
        since, is_last = AT - timedelta(days=1), False
        while not is_last:
            is_last = is_writing == 0
            began: datetime = await counter.stage.one("select baton_now()")
            found |= await _since(counter, since.isoformat())
            since = began - timedelta(minutes=5)
        return found

    async with asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(write())
        following = group.create_task(follow())
    rows = await counter.stage.rows("select id from lead")
    assert following.result() == {str(row.id) for row in rows}
    assert len(rows) == WRITERS * WRITES


async def _since(counter: Counter, moment: str) -> set[str]:
    """Everybody who changed at or after a moment, walked page by page."""
    found: set[str] = set()
    cursor: str | None = ""
    while cursor is not None:
        asked = {"updated_since": moment, "limit": PAGE, **({"cursor": cursor} if cursor else {})}
        walked = await counter.get("/v1/leads", params=asked)
        found |= {one["id"] for one in walked["leads"]}
        cursor = walked["next"]
    return found
