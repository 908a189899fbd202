"""Cases 21 and 27 of the field, as their whole kind: first touch, and lists by change time."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.feedback.usecases.outcomes import Reported, record_opportunity
from shared.contracts.kinds import ActivityKind, Channel
from shared.contracts.leads import LeadMerged, LeadSplit
from shared.db.engine import transaction
from tests.integration.feedback.desk import FeedbackDesk
from tests.support.builders.feedback import START, activity, days, event, hours, lead_id, profile

PATH = "/v1/opportunities/crm/d-21"


async def test_a_later_ad_never_takes_the_first_touch_from_a_direct_visit(desk: FeedbackDesk) -> None:
    """Case 21, also after a late activity, a merge and a split: the stored credits follow and always sum."""
    await desk.feed(
        profile("kim", traffic_source="direct"),
        activity("kim", at=days(0)),
        activity("kim", at=days(3), traffic_source="ads", campaign="june"),
        activity("kim", at=hours(72.1), kind=ActivityKind.DEMO_REQUESTED, channel=Channel.FORM),
        at=days(5),
    )
    body = {
        "lead_id": str(lead_id("kim")), "result": "won", "occurred_at": days(4).isoformat(), "amount_minor": 9_999,
        "currency": "EUR",
    }  # fmt: skip
    await desk.ask("PUT", PATH, json=body)
    assert await _credits(desk) == {
        "first": [("direct", 9_999)],
        "last": [("ads", 9_999)],
        "linear": [("direct", 5_000), ("ads", 4_999)],
    }
    await desk.feed(activity("kim", at=days(1), learned=days(5), traffic_source="news"))
    await desk.tick()
    assert (await _credits(desk))["linear"] == [("direct", 3_333), ("news", 3_333), ("ads", 3_333)]
    await desk.feed(profile("twin"), activity("twin", at=days(-2), traffic_source="partner"))
    await desk.feed(_merged("twin", "kim", version=1))
    await desk.tick()
    assert (await _credits(desk))["first"] == [("partner", 9_999)]
    await desk.feed(_split("twin", "kim", version=2), _merged("twin", "kim", version=1))
    await desk.tick()
    assert (await _credits(desk))["first"] == [("direct", 9_999)]
    assert not await desk.gaps()
    shown = await desk.get("/v1/attributions/crm:d-21")
    stored = await _credits(desk)
    assert {
        m: [(each["traffic_source"], each["amount_minor"]) for each in own] for m, own in shown["models"].items()
    } == stored


async def test_a_first_visit_heard_of_late_is_the_origin_in_any_order_of_telling(desk: FeedbackDesk) -> None:
    """Ingest tells an origin anew, with a higher version, when an earlier visit arrives; a campaign goes with it."""
    told: dict[str, Any] = {"profile_version": 1, "traffic_source": "ads", "campaign": "june"}
    corrected: dict[str, Any] = {"profile_version": 2, "traffic_source": "direct"}
    await desk.feed(profile("kim", **told), profile("kim", **corrected), profile("kim", profile_version=3))
    await desk.feed(profile("lee", **corrected))
    await desk.feed(profile("lee", **told))
    rows = await desk.rows("select traffic_source, campaign from lead")
    assert [tuple(row) for row in rows] == [("direct", "")] * 2


async def test_nothing_falls_between_two_runs_of_a_list_by_change_time(desk: FeedbackDesk) -> None:
    """Case 27: equal change times, an inclusive bound, a cursor that goes on after changes, and a late writer."""
    for name in range(5):
        await _report(desk, name)
    seen = await _walk(desk, limit=2)
    assert len(seen) == len(set(seen)) == 5
    first = await desk.get("/v1/outcomes", limit=2)
    await desk.at(START + timedelta(seconds=1))
    await _report(desk, 0, version=2, result="won")
    rest = await _walk(desk, limit=2, cursor=first["next"])
    assert len(rest) == 4
    exact = first["outcomes"][0]["recorded_at"]
    assert len((await desk.get("/v1/outcomes", updated_since=exact))["outcomes"]) == 6
    just_after = (START + timedelta(microseconds=1)).isoformat()
    assert len((await desk.get("/v1/outcomes", updated_since=just_after))["outcomes"]) == 1


async def test_what_commits_late_is_found_with_five_minutes_of_overlap(desk: FeedbackDesk) -> None:
    began, read = asyncio.Event(), asyncio.Event()

    async def late_writer() -> None:
        async with transaction(desk.database, "command") as tx:
            await record_opportunity(tx, _reported(7))
            began.set()
            await read.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(late_writer())
        await began.wait()
        await desk.at(START + timedelta(seconds=3))
        now = START + timedelta(seconds=3)
        assert (await desk.get("/v1/outcomes", updated_since=now.isoformat()))["outcomes"] == []
        read.set()
    overlap = (now - timedelta(minutes=5)).isoformat()
    assert len((await desk.get("/v1/outcomes", updated_since=overlap))["outcomes"]) == 1


async def test_a_cursor_that_is_none_and_a_time_without_zone_are_refused(desk: FeedbackDesk) -> None:
    for params in ({"cursor": "abc"}, {"updated_since": "2026-06-01T00:00:00"}):
        answer = await desk.ask("GET", "/v1/outcomes", params=params)
        assert answer.status_code == 422, answer.text


async def _report(desk: FeedbackDesk, name: int, *, version: int = 1, result: str = "open") -> None:
    body = {
        "lead_id": str(lead_id(name)),
        "result": result,
        "occurred_at": START.isoformat(),
        "object_version": version,
    }
    answer = await desk.ask("PUT", f"/v1/opportunities/crm/o-{name}", json=body)
    assert answer.status_code in {200, 201}, answer.text


def _reported(name: int) -> Reported:
    return Reported(
        system="crm",
        external_id=f"o-{name}",
        lead_id=lead_id(name),
        result="open",
        occurred_at=START,
        object_version=1,
    )


async def _walk(desk: FeedbackDesk, *, limit: int, cursor: str | None = None) -> list[UUID]:
    found: list[UUID] = []
    while True:
        page = await desk.get("/v1/outcomes", limit=limit, **({"cursor": cursor} if cursor else {}))
        found += [UUID(each["outcome_id"]) for each in page["outcomes"]]
        cursor = page["next"]
        if cursor is None:
            return found


async def _credits(desk: FeedbackDesk) -> dict[str, list[tuple[str, int]]]:
    rows = await desk.rows("select model, traffic_source, amount_minor from credit order by model, position")
    found: dict[str, list[tuple[str, int]]] = {}
    for row in rows:
        found.setdefault(row.model, []).append((row.traffic_source, row.amount_minor))
    return found


def _merged(member: str, root: str, *, version: int) -> Any:  # noqa: ANN401 - an event
    payload = LeadMerged(
        lead_id=lead_id(member),
        into_lead_id=lead_id(root),
        root_lead_id=lead_id(root),
        identity_version=version,
        reason="command",
    )
    return event(payload, at=START)


def _split(member: str, root: str, *, version: int) -> Any:  # noqa: ANN401 - an event
    payload = LeadSplit(
        lead_id=lead_id(member),
        from_lead_id=lead_id(root),
        root_lead_id=lead_id(member),
        identity_version=version,
        reason="command",
    )
    return event(payload, at=START)
