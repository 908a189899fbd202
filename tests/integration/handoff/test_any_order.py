"""Topics overtake each other and repeat: whatever the interleaving, a lead's history comes out the same."""

from collections.abc import Sequence
from typing import Any

import pytest

from shared.contracts.envelope import Event
from shared.contracts.kinds import Consent, ConsentPurpose
from shared.contracts.leads import LeadConsentChanged
from shared.contracts.scores import LeadScored
from shared.ids import derived_id
from tests.integration.handoff.world import DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import demoted, event_of, identified, lead_id, linked, qualified, rep_id


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


def _interleaved(seed: int, first: Sequence[Event[Any]], second: Sequence[Event[Any]]) -> list[Event[Any]]:
    """Each topic in its own order, drawn by a seeded stream; with every event repeated once somewhere later."""
    found: list[Event[Any]] = []
    left, right, state = list(first), list(second), seed * 2_654_435_761 + 1
    while left or right:
        state = (state * 1_103_515_245 + 12_345) % 2**31
        source = left if left and (not right or state >> 16 & 1) else right
        found.append(source.pop(0))
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
