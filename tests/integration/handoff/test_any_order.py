"""Topics overtake each other and repeat: whatever the interleaving, a lead's history comes out the same."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.envelope import Event
from shared.contracts.kinds import Consent, ConsentPurpose
from shared.contracts.leads import LeadConsentChanged
from shared.contracts.scores import LeadScored
from shared.ids import derived_id
from tests.integration.handoff.world import DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import (
    NOON,
    called,
    deal,
    demoted,
    event_of,
    identified,
    lead_id,
    linked,
    merged,
    qualified,
    rep_id,
    rep_row,
)


def _granted(version: int) -> Event[Any]:
    return event_of(
        LeadConsentChanged(
            lead_id=lead_id("kim"),
            consent_version=version,
            purpose=ConsentPurpose.CONTACT,
            consent=Consent.GRANTED,
            is_allowed=True,
        )
    )


def _topics() -> tuple[list[Event[Any]], list[Event[Any]]]:
    account = derived_id("account of a test", "acme")
    leads = [
        identified("kim"),
        _granted(1),
        linked("kim", "acme"),
        identified("kim", profile_version=2, country="DE"),
        _granted(2),
        linked("kim", "acme", link_version=2, industry="it"),
    ]
    scored = event_of(
        LeadScored.model_validate(qualified("kim", score_version=1, account_id=account).payload.model_dump())
    )
    scores = [
        scored,
        qualified("kim", number=1, score_version=2, account_id=account),
        demoted("kim", number=1, score_version=3, account_id=account),
        qualified("kim", number=2, score_version=4, account_id=account),
        qualified("kim", number=3, score_version=5, account_id=account),
    ]
    return leads, scores


def _interleaved(seed: int, *topics: Sequence[Event[Any]]) -> list[Event[Any]]:
    """Each topic in its own order, drawn by a seeded stream; some events are repeated somewhere later."""
    found: list[Event[Any]] = []
    left, state = [list(topic) for topic in topics], seed * 2_654_435_761 + 1
    while any(left):
        state = (state * 1_103_515_245 + 12_345) % 2**31
        sources = [topic for topic in left if topic]
        found.append(sources[(state >> 16) % len(sources)].pop(0))
        if state >> 20 & 1:
            found.append(found[(state >> 8) % len(found)])
    return found


async def _history(world: World) -> tuple[Any, ...]:
    rows = await world.rows("select id, cycle, state, result, account_id, evidence from handoff order by cycle")
    lead = (await world.rows("select facts, account_id from lead where id = :id", id=lead_id("kim")))[0]
    events = [each for each in await world.events(lead_id("kim")) if each != "assigned"]
    return ([tuple(row) for row in rows], lead.facts, lead.account_id, events)


@pytest.mark.parametrize("seed", range(6))
async def test_any_interleaving_gives_the_same_history(database_of: DatabaseOf, seed: int) -> None:
    leads, scores = _topics()
    histories = []
    for events in ([*leads, *scores], _interleaved(seed, leads, scores)):
        async with world_of(database_of) as world:
            await world.reps(*crew("anna"))
            await world.agreement({"default": [member(rep_id("anna"))]})
            for event in events:
                await world.take(event)
            histories.append(await _history(world))
            assert await world.gaps() == []
    assert histories[0] == histories[1]


def _four_topics() -> tuple[list[Event[Any]], ...]:
    """Kim is handed off; Lee is the same person; Sales calls both and makes two deals, of which one is lost."""
    names = ("kim", "lee")
    leads = [*(identified(name) for name in names), merged("lee", "kim")]
    scores = [qualified("kim"), qualified("kim", number=2)]
    calls = [called(name, "bert", at=NOON + timedelta(minutes=number)) for number, name in enumerate(names, start=1)]
    deals = [
        deal("kim", "open", version=1, deal="first"),
        deal("lee", "open", version=1, deal="second"),
        deal("kim", "lost", version=2, deal="first", reason_code="price"),
    ]
    return leads, scores, calls, deals


@pytest.mark.parametrize("seed", range(8))
async def test_calls_and_deals_count_the_same_whatever_overtakes_what(database_of: DatabaseOf, seed: int) -> None:
    topics = _four_topics()
    found = []
    for events in ([each for topic in topics for each in topic], _interleaved(seed, *topics)):
        async with world_of(database_of) as world:
            team = rep_id("team")
            await world.reps(rep_row("anna", team_id=team), rep_row("bert", team_id=team))
            await world.agreement({"default": [member(rep_id("anna"))]})
            await world.advance(minutes=10)
            for event in events:
                await world.take(event)
            handoff = await world.handoff_of(lead_id("kim"))
            touches = await world.rows("select occurred_at from touch order by occurred_at")
            found.append(
                (
                    handoff.state,
                    handoff.owner_id,
                    handoff.touched_at,
                    handoff.deals,
                    [row.occurred_at for row in touches],
                )
            )
            assert await world.rows("select id from sales_activity") == []
            assert await world.rows("select id from kept_result") == []
            assert await world.gaps() == []
    assert found[0] == found[1]
    assert found[0][:3] == ("opportunity", rep_id("anna"), NOON + timedelta(minutes=1))
