"""Any order, repeat and cut of the events of two people gives the same rows, scores and number of qualifications."""

import random  # noqa: TID251 - a seeded shuffle, printed by the test's own parameter
from typing import Any

import pytest

from services.scoring.store.encoding import member_from, standing_from
from shared.contracts.envelope import Event
from tests.integration.scoring.desk import ScoringDesk
from tests.support.builders.scoring import (
    START,
    activity,
    consent,
    correction,
    days,
    lead_id,
    linked,
    merged,
    profile,
    split,
)

SEEDS = range(8)


def events_of(name: str) -> list[Event[Any]]:
    """Two people whose trees join, part and join again; late, corrected and software's activities among theirs."""
    one, other = f"{name}-one", f"{name}-other"
    click = activity(other, "email_click", number=2)
    return [
        consent(one),
        profile(one, version=1, title_level="staff"),
        profile(one, version=2, title_level="vp"),
        linked(one, f"{name}.example"),
        activity(one, "pricing_viewed", at=START - days(3), learned=START),
        activity(one, "pricing_viewed", number=2, at=START - days(1), learned=START),
        activity(one, "webinar_attended"),
        activity(one, "page_view", content="other"),
        activity(one, "email_click", human=0.1),
        consent(other),
        profile(other, is_known=False),
        activity(other, "download", content="white_paper"),
        activity(other, "pricing_viewed", at=START - days(20), learned=START),
        click,
        correction(click, human=0.0),
        merged(other, one, version=1),
        split(other, one, version=2),
        merged(other, one, version=3),
    ]


async def result_of(desk: ScoringDesk, name: str) -> dict[str, object]:
    leads = {lead_id(f"{name}-{who}"): who for who in ("one", "other")}
    rows = await desk.rows("select * from lead where lead_id = any(:ids)", ids=list(leads))
    found: dict[str, object] = {}
    for row in rows:
        member = member_from(row.lead_id, row.state)
        tallies = {key: (tally.weight, tally.times) for key, tally in member.sums.tallies.items()}
        own = (tallies, leads[row.root_id], row.tree_size, member.profile, member.known_since_us)
        found[leads[row.lead_id]] = own
        if row.root_id == row.lead_id:
            found["shown"] = row.shown.split("]]", maxsplit=1)[0]
            found["is_qualified"] = standing_from(row.standing).is_qualified
    return found


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_order_repeat_and_cut_gives_the_same(desk: ScoringDesk, seed: int) -> None:
    await desk.feed(*events_of("plain"))
    draws, name = random.Random(seed), f"seed{seed}"  # noqa: S311 - a test's shuffle
    events = events_of(name)
    events += draws.sample(events, k=6)
    draws.shuffle(events)
    while events:
        cut = draws.randint(1, 6)
        await desk.feed(*events[:cut])
        del events[:cut]
    assert await result_of(desk, name) == await result_of(desk, "plain")
    for lead in ("plain", name):
        own = {str(lead_id(f"{lead}-{who}")) for who in ("one", "other")}
        qualified = [each for each in await desk.emitted("lead.qualified") if each["lead_id"] in own]
        assert [each["number"] for each in qualified] == [1]
        assert all(sum(line["points"] for line in each["lines"]) == each["score"] for each in qualified)
