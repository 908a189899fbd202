"""Parked deliveries many at once: groups, a trial of mended settings, jobs that go on where a killed process stood."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from services.ingest.consumer import handlers
from services.ingest.domain.source import settings_of
from services.ingest.usecases.feeding import KeptTopic
from services.ingest.usecases.normalise.reading import read_delivery, read_request
from services.ingest.usecases.replaying import JOBS_MAX, step_jobs
from shared.db.engine import transaction
from shared.stream import parked
from shared.stream.decode import receive
from shared.stream.handlers import ParkError, RawEvent
from shared.stream.parked import Parked
from shared.web.auth import Role
from tests.integration.ingest.counter import Counter, opened
from tests.integration.ingest.stage import HASHED, IngestStage, batch, page, raw_event

NOWHERE = KeptTopic("127.0.0.1:9", "baton.deliveries")  # jobs over parked deliveries ask no broker
ORIGIN = "https://landing.example.test"


@pytest_asyncio.fixture
async def counter(stage: IngestStage) -> AsyncIterator[Counter]:
    async with opened(stage) as made:
        yield made


@dataclass(frozen=True)
class _Record:
    offset: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


async def _park(stage: IngestStage, event: RawEvent) -> UUID:
    """Set a delivery aside as the consumer does after the adapter or the door found it wrong."""
    with pytest.raises(ParkError) as caught:
        read_delivery(event, read_request(event), settings_of({}))
    wrong = caught.value
    record = _Record(1, event.key.encode(), event.value, list(event.headers.items()))
    received = receive(handlers(HASHED), record, place="deliveries/0")
    one = Parked("ingest", "deliveries", 0, received, wrong.slug, wrong.reason, wrong.is_ours, wrong.source)
    async with transaction(stage.database, "park") as tx:
        assert await parked.keep(tx, one)
    found: UUID = await stage.one("select id from parked where event_id = :id", id=event.id)
    return found


async def _park_pages(stage: IngestStage, number: int, *, origin: str = ORIGIN) -> list[UUID]:
    return [
        await _park(
            stage,
            raw_event(
                batch(page("https://landing.example.test/", anonymousId=f"{origin}{n}")),
                source_id=stage.source_id,
                verified_by="browser_key",
                headers={"origin": origin},
                parked_as="origin_not_listed",
            ),
        )
        for n in range(number)
    ]


async def _job(counter: Counter, **asked: object) -> Any:  # noqa: ANN401 - JSON
    answer = await counter.call("POST", "/internal/replays", role="revops", json=asked)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def test_a_group_is_mended_by_listing_its_origin_and_replayed_whole(counter: Counter) -> None:
    stage = counter.stage
    ids = await _park_pages(stage, 7)
    unreadable = await _park(stage, raw_event(b"[1", source_id=stage.source_id))
    groups = (await counter.get("/internal/parked-groups", role="revops"))["groups"]
    told = [(one["reason"], one["open"], one["origins"]) for one in groups]
    assert told == [("origin_not_listed", 7, [ORIGIN]), ("not_json", 1, [])]
    assert groups[0]["source_name"] == "granted"
    assert set(groups[0]["samples"]) <= {str(one) for one in ids}

    group = {"action": "replay", "source_id": str(stage.source_id), "reason": "origin_not_listed"}
    still = await _job(counter, **group)
    await step_jobs(stage.database, handlers(HASHED), NOWHERE)
    job = await counter.get(f"/internal/replays/{still['id']}", role="revops")
    assert (job["state"], job["done"], job["failed"], job["total"]) == ("done", 0, 7, 7)
    assert "set it aside" in job["last_error"]

    path = f"/internal/parked-groups/{stage.source_id}/try"
    tried = await counter.call("POST", path, role="revops", json={"settings": {"origins": [ORIGIN]}})
    assert tried.status_code == 200, tried.text
    assert sorted(one["is_read"] for one in tried.json()["tried"]) == [False] + [True] * 7
    kinds = [event["kind"] for one in tried.json()["tried"] for event in one["events"]]
    assert kinds == ["page_view"] * 7
    assert await stage.one("select count(*) from lead") == 0

    change = {"settings": {"origins": [ORIGIN]}}
    source = f"/v1/sources/{stage.source_id}"
    assert (await counter.call("PATCH", source, json=change, headers={"if-match": '"1"'})).status_code == 200
    again = await _job(counter, **group)
    await step_jobs(stage.database, handlers(HASHED), NOWHERE)
    job = await counter.get(f"/internal/replays/{again['id']}", role="revops")
    assert (job["state"], job["done"], job["failed"]) == ("done", 7, 0)
    assert await stage.one("select count(*) from lead") == 7
    assert await stage.rows("select id from parked where state = 'open'") == [(unreadable,)]


async def test_a_job_goes_at_its_rate_and_on_where_it_stood(counter: Counter) -> None:
    stage = counter.stage
    await _park_pages(stage, 5)
    await stage.change(
        "update source set settings = jsonb_build_object('origins', jsonb_build_array(cast(:o as text)))", o=ORIGIN
    )
    job = await _job(counter, action="replay", reason="origin_not_listed", rate_per_second=2)
    seen: list[tuple[str, int]] = []
    while not seen or seen[-1][0] == "running":
        await step_jobs(stage.database, handlers(HASHED), NOWHERE)
        told = await counter.get(f"/internal/replays/{job['id']}", role="revops")
        seen.append((told["state"], told["done"]))
        if len(seen) == 1:  # a process that was killed after it settled and before it wrote its place
            await stage.change("update replay_job set done = 0, place_at = null, place_id = null")
    assert seen == [("running", 2), ("running", 4), ("done", 5)]
    assert await stage.one("select count(*) from lead") == 5
    await step_jobs(stage.database, handlers(HASHED), NOWHERE)
    assert await stage.one("select count(*) from parked where state = 'replayed'") == 5


async def test_a_time_range_is_discarded_with_its_reason_and_what_lies_outside_stays(counter: Counter) -> None:
    stage = counter.stage
    ids = await _park_pages(stage, 4)
    for hours, parked_id in zip((5, 4, 2, 0), ids, strict=True):
        await stage.change(
            "update parked set parked_at = now() - make_interval(hours => :hours) where id = :id",
            hours=hours,
            id=parked_id,
        )
    now = await stage.one("select now()")
    span = {
        "since_at": (now - timedelta(hours=4, minutes=30)).isoformat(),
        "until_at": (now - timedelta(hours=1)).isoformat(),
    }
    refused = await counter.call("POST", "/internal/replays", role="revops", json={"action": "discard", **span})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/because")
    await _job(counter, action="discard", because="a test of ours", **span)
    await step_jobs(stage.database, handlers(HASHED), NOWHERE)
    rows = await stage.rows("select id, settled_because from parked where state = 'discarded'")
    assert {tuple(row) for row in rows} == {(one, "a test of ours") for one in ids[1:3]}


@pytest.mark.parametrize(
    ("role", "asked", "status"),
    [
        ("revops", {"action": "replay"}, 422),
        ("revops", {"action": "replay", "reason": "x", "rate_per_second": 501}, 422),
        ("marketer", {"action": "replay", "reason": "x"}, 403),
        ("revops", {"action": "drop", "reason": "x"}, 422),
        ("revops", {"action": "feed", "reason": "x"}, 422),
        ("revops", {"action": "feed", "reason": "x", "since_at": "2026-06-10T09:00:00Z"}, 422),
        ("revops", {"action": "feed", "until_at": "2026-06-10T09:00:00Z"}, 422),
        ("revops", {"action": "feed", "since_at": "2026-06-10T09:00:00Z"}, 202),
    ],
)
async def test_a_job_names_what_it_means_and_is_for_operators(
    counter: Counter,
    role: Role,
    asked: dict[str, object],
    status: int,
) -> None:
    answer = await counter.call("POST", "/internal/replays", role=role, json=asked)
    assert answer.status_code == status, answer.text


async def test_jobs_are_bounded_and_can_be_stopped(counter: Counter) -> None:
    made = [await _job(counter, action="replay", reason="x") for _ in range(JOBS_MAX)]
    full = await counter.call("POST", "/internal/replays", role="revops", json={"action": "replay", "reason": "x"})
    assert full.status_code == 422
    stopped = await counter.call("POST", f"/internal/replays/{made[0]['id']}/stop", role="revops")
    assert stopped.json()["state"] == "stopped"
    await _job(counter, action="replay", reason="x")
    assert len((await counter.get("/internal/replays", role="revops"))["jobs"]) == JOBS_MAX + 1
