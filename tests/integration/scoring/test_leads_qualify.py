"""Events in, decisions out, on a real database: qualification, consent, merges, handoffs, time."""

from datetime import timedelta

import pytest

from services.scoring.store.encoding import member_from, standing_from
from services.scoring.store.ledger import LEDGER
from shared.db.engine import reading
from shared.db.ledger import find_gaps
from tests.integration.scoring.desk import ScoringDesk
from tests.support.builders.scoring import (
    START,
    activity,
    consent,
    correction,
    days,
    deal,
    handoff,
    lead_id,
    linked,
    merged,
    profile,
    split,
)

ABOUT_KIM = (consent("kim"), profile("kim"), linked("kim", "acme"))


async def scores(desk: ScoringDesk, lead: str = "kim") -> list[tuple[int, int]]:
    return [
        (each["fit"], each["engagement"])
        for each in await desk.emitted("lead.scored")
        if each["lead_id"] == str(lead_id(lead))
    ]


async def test_an_activity_in_is_a_qualified_lead_out(desk: ScoringDesk) -> None:
    pricing, webinar = activity("kim", "pricing_viewed"), activity("kim", "webinar_attended")
    await desk.feed(*ABOUT_KIM, pricing, webinar)
    (qualified,) = await desk.emitted("lead.qualified")
    assert (qualified["score"], qualified["fit"], qualified["engagement"]) == (75, 40, 35)
    assert (qualified["policy"], qualified["tier"], qualified["propensity"], qualified["number"]) == (
        "qualified",
        "scored",
        1.0,
        1,
    )
    assert sum(line["points"] for line in qualified["lines"]) == 75
    assert set(qualified["evidence"]) == {str(pricing.payload.activity_id), str(webinar.payload.activity_id)}
    facts = {fact["name"]: fact["value"] for fact in qualified["facts"]}
    assert (facts["title_level"], facts["is_target_industry"], facts["points"]) == ("vp", "true", "75")
    (scored,) = await desk.emitted("lead.scored")
    assert scored["is_qualified"]
    assert [line["line"] for line in scored["reasons"]] == [
        "title_level=vp",
        "is_target_industry=true",
        "pricing_viewed",
    ]


async def test_a_hand_raiser_gets_its_tier_at_once(desk: ScoringDesk) -> None:
    await desk.feed(consent("kim"), profile("kim", title_level="vp"), activity("kim", "demo_requested"))
    (qualified,) = await desk.emitted("lead.qualified")
    assert (qualified["policy"], qualified["tier"], qualified["is_below_floor"]) == (
        "hand_raiser",
        "hand_raiser",
        False,
    )


async def test_a_hand_raiser_below_the_fit_floor_is_on_the_list(desk: ScoringDesk) -> None:
    await desk.feed(consent("kim"), profile("kim", title_level="staff"), activity("kim", "demo_requested"))
    (qualified,) = await desk.emitted("lead.qualified")
    assert (qualified["tier"], qualified["is_below_floor"]) == ("list", True)


async def test_without_consent_a_lead_is_counted_and_not_scored(desk: ScoringDesk) -> None:
    await desk.feed(profile("kim"), linked("kim", "acme"), activity("kim", "demo_requested"))
    assert await desk.emitted() == []
    await desk.feed(consent("kim"))
    (qualified,) = await desk.emitted("lead.qualified")
    assert qualified["policy"] == "hand_raiser"


async def test_a_withdrawal_ends_the_qualification_and_the_score(desk: ScoringDesk) -> None:
    await desk.feed(*ABOUT_KIM, activity("kim", "demo_requested"))
    await desk.feed(consent("kim", version=2, given="withdrawn"), at=START + days(1))
    (demoted,) = await desk.emitted("lead.demoted")
    assert (demoted["is_qualified"], demoted["lines"], demoted["facts"]) == (False, [], [])
    before = len(await desk.emitted())
    await desk.feed(activity("kim", "pricing_viewed", at=START + days(1)))
    assert len(await desk.emitted()) == before


async def test_the_same_events_in_any_batches_give_the_same_row(desk: ScoringDesk) -> None:
    late = activity("kim", "pricing_viewed", number=2, at=START - days(3), learned=START)
    events = [*ABOUT_KIM, activity("kim", "pricing_viewed"), activity("kim", "webinar_registered"), late]
    for event in [*reversed(events), events[3], events[5]]:
        await desk.feed(event)
    await desk.feed(*[each for each in events if each.type.endswith("activity.recorded.v1")])
    (row,) = await desk.rows("select * from lead where lead_id = :id", id=lead_id("kim"))
    sums = member_from(row.lead_id, row.state).sums
    assert {key: tally.times for key, tally in sums.tallies.items()} == {
        "pricing_viewed@14d": 2,
        "webinar_registered@30d": 1,
    }
    assert (await scores(desk))[-1] == (40, 47)  # 40 capped minus ageing, 10
    assert len(await desk.emitted("lead.qualified")) == 1


async def test_what_sales_did_is_no_input(desk: ScoringDesk) -> None:
    called = activity("kim", "call_connected", direction="sales")  # type: ignore[arg-type]  # read as the enum
    await desk.feed(called)
    assert await desk.rows("select * from activity") == []


async def test_case_7_merge_and_split(desk: ScoringDesk) -> None:
    for lead, more, content in (("a", "webinar_attended", None), ("b", "download", "white_paper")):
        views = [activity(lead, "pricing_viewed", number=number) for number in (1, 2)]
        await desk.feed(consent(lead), profile(lead), *views, activity(lead, more, content=content))
    assert (await scores(desk, "a"))[-1] == (20, 55)
    assert (await scores(desk, "b"))[-1] == (20, 50)
    await desk.feed(merged("b", "a"))
    assert (await scores(desk, "a"))[-1] == (20, 65)
    await desk.feed(split("b", "a"))
    assert ((await scores(desk, "a"))[-1], (await scores(desk, "b"))[-1]) == ((20, 55), (20, 50))
    await desk.feed(merged("a", "b"))
    assert (await scores(desk, "b"))[-1] == (20, 65)
    for each in await desk.emitted("lead.qualified"):
        assert sum(line["points"] for line in each["lines"]) == each["score"]
    await desk.feed(merged("b", "a"))  # an old version: the pointer stays
    (row,) = await desk.rows("select root_id, tree_size from lead where lead_id = :id", id=lead_id("b"))
    assert (row.root_id, row.tree_size) == (lead_id("b"), 2)


async def test_a_qualification_that_a_merge_handed_on_goes_back_with_its_member(desk: ScoringDesk) -> None:
    await desk.feed(consent("a"), profile("a"), consent("b"), profile("b"), activity("b", "demo_requested"))
    for version, event, qualified in (
        (1, merged("b", "a"), {"a": True, "b": True}),
        (2, split("b", "a"), {"a": False, "b": True}),
        (3, merged("b", "a", version=3), {"a": True, "b": True}),
        (4, split("b", "a", version=4), {"a": False, "b": True}),
    ):
        await desk.feed(event)
        rows = await desk.rows("select * from lead")
        found = {row.lead_id: standing_from(row.standing).is_qualified for row in rows}
        assert found == {lead_id(name): is_qualified for name, is_qualified in qualified.items()}, version
    assert [each["lead_id"] for each in await desk.emitted("lead.qualified")] == [str(lead_id("b"))]
    assert await desk.emitted("lead.demoted") == []


@pytest.mark.parametrize("chain", [("a", "b", "c"), ("c", "b", "a")])  # with their ids, and against them
@pytest.mark.parametrize("is_all_apart", [False, True])
async def test_a_qualification_that_two_merges_handed_on_goes_back_along_both(
    desk: ScoringDesk, chain: tuple[str, str, str], *, is_all_apart: bool
) -> None:
    first, middle, last = chain
    about = [event for lead in chain for event in (consent(lead), profile(lead))]
    await desk.feed(*about, activity(first, "demo_requested"))
    await desk.feed(merged(first, middle))
    await desk.feed(merged(middle, last))
    assert await _qualified(desk) == set(chain)
    apart = [split(first, middle), *([split(middle, last)] if is_all_apart else [])]
    await desk.feed(*apart)
    assert await _qualified(desk) == {first}


async def test_a_qualification_of_its_own_stays_when_what_is_below_leaves(desk: ScoringDesk) -> None:
    await desk.feed(consent("a"), profile("a"), consent("b"), profile("b"), consent("c"), profile("c"))
    await desk.feed(activity("b", "demo_requested"), activity("a", "demo_requested"))
    await desk.feed(merged("a", "b"))
    await desk.feed(merged("b", "c"))
    await desk.feed(split("a", "b"))
    assert await _qualified(desk) == {"a", "b", "c"}


async def _qualified(desk: ScoringDesk) -> set[str]:
    """The names, of a to c, of the leads whose row stands qualified."""
    rows = await desk.rows("select lead_id, standing from lead")
    standing = {row.lead_id: standing_from(row.standing).is_qualified for row in rows}
    return {name for name in "abc" if standing[lead_id(name)]}


async def test_an_activity_in_flight_while_merging_counts_on_either_side(desk: ScoringDesk) -> None:
    await desk.feed(consent("a"), profile("a"), consent("b"), profile("b"))
    await desk.feed(activity("b", "pricing_viewed"), merged("b", "a"), activity("b", "webinar_attended"))
    assert (await scores(desk, "a"))[-1] == (20, 35)
    await desk.feed(activity("a", "download", content="white_paper"))
    assert (await scores(desk, "a"))[-1] == (20, 45)


async def test_moves_that_overtake_each_other_settle(desk: ScoringDesk) -> None:
    await desk.feed(merged("a", "b"))
    await desk.feed(merged("b", "a"))
    await desk.feed(split("a", "b"))
    rows = await desk.rows("select lead_id, root_id, tree_size from lead order by tree_size desc")
    assert [(row.root_id, row.tree_size) for row in rows] == [(lead_id("a"), 2), (lead_id("a"), 1)]


async def test_a_correction_takes_the_activity_back_in_any_order(desk: ScoringDesk) -> None:
    click = activity("kim", "email_click")
    await desk.feed(consent("kim"), profile("kim"), click)
    await desk.feed(correction(click, human=0.1, at=START + timedelta(minutes=5)))
    assert (await scores(desk))[-1] == (20, 0)
    late = activity("lee", "email_click")
    await desk.feed(consent("lee"), profile("lee"), correction(late, human=0.1))
    await desk.feed(late)
    assert (await scores(desk, "lee"))[-1] == (20, 0)
    await desk.feed(correction(late, human=1.0, at=START + timedelta(minutes=9), number=2))
    assert (await scores(desk, "lee"))[-1] == (20, 5)


async def test_a_score_that_falls_demotes_at_the_armed_instant(desk: ScoringDesk) -> None:
    await desk.feed(*ABOUT_KIM, activity("kim", "pricing_viewed"), activity("kim", "webinar_registered"))
    (row,) = await desk.rows("select recheck_at from lead")
    assert await desk.recheck(at=row.recheck_at - timedelta(seconds=2)) == 0
    assert await desk.recheck(at=row.recheck_at) == 1
    (demoted,) = await desk.emitted("lead.demoted")
    assert (demoted["score"], demoted["number"]) == (49, 1)
    (row,) = await desk.rows("select recheck_at, standing from lead")
    assert row.recheck_at is None


async def test_an_open_handoff_bars_and_its_end_spends_the_evidence(desk: ScoringDesk) -> None:
    await desk.feed(*ABOUT_KIM, activity("kim", "demo_requested"))
    await desk.feed(handoff("kim", "qualified"))
    await desk.feed(activity("kim", "demo_requested", number=2))
    assert len(await desk.emitted("lead.qualified")) == 1
    end = START + days(9)
    await desk.feed(handoff("kim", "nurture", seq=2, at=end), at=end)
    assert len(await desk.emitted("lead.qualified")) == 1
    assert not (await desk.emitted("lead.scored"))[-1]["is_qualified"]
    again = end + days(1)
    await desk.feed(activity("kim", "demo_requested", number=3, at=again), at=again)
    assert [each["number"] for each in await desk.emitted("lead.qualified")] == [1, 2]


async def test_a_demo_asked_for_while_a_scored_handoff_is_open_joins_it(desk: ScoringDesk) -> None:
    await desk.feed(*ABOUT_KIM, activity("kim", "pricing_viewed"), activity("kim", "webinar_attended"))
    await desk.feed(activity("kim", "demo_requested"))
    assert len(await desk.emitted("lead.qualified")) == 1  # the handoff is not open yet, the dwell holds
    await desk.feed(handoff("kim", "qualified"))
    first, second = await desk.emitted("lead.qualified")
    assert [(each["policy"], each["number"]) for each in (first, second)] == [("qualified", 1), ("hand_raiser", 2)]
    assert first["decision_id"] != second["decision_id"]


async def test_a_qualification_taken_over_by_a_merge_is_demoted_under_a_number_of_its_own(desk: ScoringDesk) -> None:
    await desk.feed(*ABOUT_KIM, activity("kim", "pricing_viewed"), activity("kim", "webinar_registered"))
    await desk.feed(consent("root"), profile("root", title_level="staff"), merged("kim", "root"))
    (row,) = await desk.rows("select recheck_at from lead where lead_id = :id", id=lead_id("root"))
    await desk.recheck(at=row.recheck_at)
    (demoted,) = await desk.emitted("lead.demoted")
    assert (demoted["lead_id"], demoted["number"]) == (str(lead_id("root")), 1)
    later = row.recheck_at + days(4)
    await desk.feed(activity("kim", "demo_requested", at=later), at=later)
    assert [(each["lead_id"], each["number"]) for each in await desk.emitted("lead.qualified")] == [
        (str(lead_id("kim")), 1),
        (str(lead_id("root")), 2),
    ]
    async with reading(desk.database) as tx:
        assert await find_gaps(tx, LEDGER) == []


async def test_a_customer_is_not_qualified(desk: ScoringDesk) -> None:
    await desk.feed(*ABOUT_KIM, deal("kim", "won"), activity("kim", "demo_requested"))
    assert await desk.emitted("lead.qualified") == []


async def test_a_draw_is_recorded_a_day_after_the_lead_became_known(desk: ScoringDesk) -> None:
    await desk.feed(consent("kim"), profile("kim"), activity("kim", "email_click"))
    assert await desk.recheck(at=START + timedelta(hours=25)) == 1
    (drawn,) = await desk.rows("select kind, content::jsonb as content from decision")
    assert (drawn.kind, drawn.content["propensity"], drawn.content["draw_limit"]) == ("drawn", 0.0, 0.0)
    (row,) = await desk.rows("select recheck_at from lead")
    assert row.recheck_at is None
    assert await desk.emitted("lead.qualified") == []
    assert await desk.rows("select draw_limit, handoffs, eligible from exploration") == [(0.0, 0, 0)]


async def test_an_explored_lead_is_handed_off_with_its_propensity(desk: ScoringDesk) -> None:
    await desk.feed(consent("kim"), profile("kim"), activity("kim", "email_click"))
    later = START + timedelta(hours=25)
    await desk.write("insert into exploration values (:today, 1.0, 20, 20)", today=later.date())
    await desk.recheck(at=later)
    (explored,) = await desk.emitted("lead.qualified")
    assert (explored["policy"], explored["propensity"], explored["draw_limit"]) == ("explored", 1.0, 1.0)
    assert 0 <= explored["draw"] < 1
