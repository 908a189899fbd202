"""When a decision happened in the world: by the facts it rests on, however late and in whatever order they came."""

import random  # noqa: TID251 - a seeded shuffle, printed by the test's own parameter
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.contracts.envelope import Event
from tests.integration.scoring.desk import ScoringDesk
from tests.support.builders.scoring import (
    START,
    activity,
    consent,
    days,
    handoff,
    lead_id,
    linked,
    merged,
    profile,
)


async def moments(desk: ScoringDesk, name: str = "lead.qualified", lead: str = "kim") -> list[datetime]:
    """crossed_at of the decisions, each of which dates its event too."""
    rows = await desk.rows(
        "select headers::jsonb ->> 'ce_time' as at, payload::jsonb as payload from outbox"
        " where headers::jsonb ->> 'ce_type' like :like order by id",
        like=f"%{name}%",
    )
    own = [row for row in rows if row.payload["lead_id"] == str(lead_id(lead))]
    found = [datetime.fromisoformat(row.payload["crossed_at"]) for row in own]
    assert found == [datetime.fromisoformat(row.at) for row in own]
    return found


async def test_days_imported_in_arrears_are_dated_by_what_happened(desk: ScoringDesk) -> None:
    now = START + days(5)
    asked = START + days(1)
    await desk.feed(
        consent("kim", at=asked + timedelta(hours=2)),
        profile("kim", at=asked + timedelta(hours=2)),
        activity("kim", "demo_requested", at=asked, learned=now),
        activity("kim", "pricing_viewed", at=asked + timedelta(hours=2), learned=now),
        at=now,
    )
    assert await moments(desk) == [asked]


async def test_permission_given_later_dates_who_had_asked_before(desk: ScoringDesk) -> None:
    given = START + timedelta(hours=3)
    await desk.feed(profile("kim"), consent("kim", given="unknown"), activity("kim", "demo_requested"))
    await desk.feed(consent("kim", version=2, at=given), at=given + timedelta(hours=9))
    assert await moments(desk) == [given]
    gone = START + timedelta(days=1)
    await desk.feed(consent("kim", version=3, given="withdrawn", at=gone), at=gone + timedelta(hours=9))
    assert await moments(desk, "lead.demoted") == [gone]


async def test_a_merge_dates_what_the_joined_person_comes_to(desk: ScoringDesk) -> None:
    for lead, kind in (("kim", "pricing_viewed"), ("lee", "webinar_attended")):
        await desk.feed(consent(lead), profile(lead), activity(lead, kind))
    await desk.feed(linked("kim", "acme"))
    assert await moments(desk) == []
    joined = START + timedelta(hours=2)
    await desk.feed(merged("lee", "kim", at=joined), at=joined + timedelta(hours=1))
    assert await moments(desk) == [joined]


async def test_a_recheck_that_comes_late_is_dated_by_the_moment_it_was_armed_for(desk: ScoringDesk) -> None:
    about = (consent("kim"), profile("kim"), linked("kim", "acme"))
    await desk.feed(*about, activity("kim", "pricing_viewed"), activity("kim", "webinar_registered"))
    (row,) = await desk.rows("select recheck_at from lead")
    await desk.recheck(at=row.recheck_at + timedelta(hours=9))
    (fell,) = await moments(desk, "lead.demoted")
    assert abs(fell - row.recheck_at) <= timedelta(seconds=1)


async def test_the_end_of_a_dwell_dates_what_waited_for_it(desk: ScoringDesk) -> None:
    about = (consent("kim"), profile("kim"), linked("kim", "acme"))
    await desk.feed(*about, activity("kim", "pricing_viewed"), activity("kim", "webinar_attended"))
    ended = START + days(9)
    await desk.feed(handoff("kim", "qualified"))
    await desk.feed(handoff("kim", "nurture", seq=2, at=ended), at=ended)
    back = ended + timedelta(hours=1)
    await desk.feed(*(activity("kim", "pricing_viewed", number=each, at=back) for each in (2, 3)), at=back)
    (row,) = await desk.rows("select recheck_at from lead")
    assert row.recheck_at == ended + timedelta(hours=72)
    await desk.recheck(at=row.recheck_at + timedelta(hours=9))
    assert await moments(desk) == [START, row.recheck_at]


async def test_an_account_is_dated_by_the_activity_that_made_it_cross(desk: ScoringDesk) -> None:
    learned = START + days(3)
    for number, lead in enumerate(("ann", "bob", "cay", "dan", "eve")):
        at = START + timedelta(hours=number)
        await desk.feed(
            consent(lead),
            profile(lead, title_level="staff"),
            linked(lead, "acme", is_target=False),
            *(activity(lead, kind, at=at, learned=learned) for kind in ("pricing_viewed", "webinar_attended")),
            at=learned,
        )
    await desk.accounts()
    rows = await desk.rows(
        "select headers::jsonb ->> 'ce_time' as at from outbox"
        " where headers::jsonb ->> 'ce_type' like '%account.qualified%'"
    )
    assert [datetime.fromisoformat(row.at) for row in rows] == [START + timedelta(hours=2)]


def told_of(name: str) -> list[Event[Any]]:
    """One who asks, among other things done and said; and one whose every activity is needed to cross."""
    asks, counts = f"{name}-asks", f"{name}-counts"
    return [
        consent(asks, at=START + timedelta(minutes=7)),
        profile(asks, at=START + timedelta(minutes=5)),
        activity(asks, "demo_requested", at=START - days(1), learned=START),
        activity(asks, "email_open", at=START - timedelta(hours=3), learned=START),
        consent(counts),
        profile(counts),
        linked(counts, f"{name}.example"),
        activity(counts, "webinar_registered", at=START - days(3), learned=START),
        activity(counts, "download", content="white_paper", at=START - days(2), learned=START),
        activity(counts, "email_click", at=START - days(1), learned=START),
        activity(counts, "email_click", number=2, at=START - days(4), learned=START),
    ]


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_repeat_and_cut_dates_it_alike(desk: ScoringDesk, seed: int) -> None:
    draws, name = random.Random(seed), f"seed{seed}"  # noqa: S311 - a test's shuffle
    events = told_of(name)
    events += draws.sample(events, k=4)
    draws.shuffle(events)
    while events:
        cut = draws.randint(1, 4)
        await desk.feed(*events[:cut])
        del events[:cut]
    assert await moments(desk, lead=f"{name}-asks") == [START - days(1)]
    assert await moments(desk, lead=f"{name}-counts") == [START - days(1)]
