"""Accounts that qualify, agreements that cannot be read, disputes that give credit, hand-raisers below the floor."""

from typing import Any

import pytest

from shared.contracts.agreement import sha256_of
from shared.contracts.agreements import AgreementPublished
from shared.contracts.outcomes import DisputeRuled, OutcomeRecorded
from shared.contracts.scores import AccountQualified
from shared.ids import derived_id, new_id
from shared.stream.handlers import ParkError
from tests.integration.handoff.world import DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import (
    NOON,
    agreement_event,
    event_of,
    identified,
    lead_id,
    linked,
    qualified,
    rep_id,
)


async def _one_rep(world: World, **changes: Any) -> None:  # noqa: ANN401 - sections of the agreement
    await world.reps(*crew("anna"))
    await world.agreement({"default": [member(rep_id("anna"))]}, **changes)


def _account(number: int) -> AccountQualified:
    return AccountQualified(
        account_id=derived_id("account of a test", "acme"),
        lead_id=lead_id("kim"),
        score_version=number,
        score=70,
        fit=40,
        engagement=30,
        people=3,
        engaged_people=2,
        is_qualified=True,
        reasons=[],
        agreement_id="default",
        agreement_version=1,
        decision_id=new_id(),
        number=number,
        product="default",
    )


async def test_a_qualified_account_hands_its_most_engaged_person_off_once(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _one_rep(world)
        await world.take(identified("kim"), linked("kim", "acme"), identified("lee"), linked("lee", "acme"))
        await world.take(event_of(_account(1)), event_of(_account(1)), qualified("lee"))
        found = await world.rows("select lead_id, tier, state, evidence from handoff")
        assert [tuple(row) for row in found] == [(lead_id("kim"), "scored", "assigned", 2)]
        assert await world.gaps() == []


async def test_with_scope_person_two_colleagues_have_two_handoffs(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _one_rep(world, changes={"routing": {"handoff_scope": "person"}})
        await world.take(identified("kim"), linked("kim", "acme"), identified("lee"), linked("lee", "acme"))
        await world.take(qualified("kim"), qualified("lee"))
        assert len(await world.rows("select id from handoff")) == 2
        assert await world.gaps() == []


async def test_a_hand_raiser_below_the_floor_waits_for_a_person(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _one_rep(world)
        await world.take(identified("kim"), qualified("kim", policy="hand_raiser", is_below_floor=True))
        handoff = await world.handoff_of(lead_id("kim"))
        assert (handoff.state, handoff.queue, handoff.tier) == ("queued", "manual_review", "list")
        assert await world.gaps() == []


async def test_an_agreement_we_could_not_decide_by_is_parked(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        published = agreement_event(members={}).payload
        forged = published.model_copy(update={"sha256": "0" * 64})
        unknown = agreement_event(members={}, changes={"routing": {"rules": [{"rule": "no_such_rule"}]}}).payload
        unreadable = published.model_copy(update={"document": "{}", "sha256": sha256_of("{}")})
        for payload, slug in (
            (forged, "agreement_hash"),
            (unknown, "agreement_routing"),
            (unreadable, "agreement"),
        ):
            assert isinstance(payload, AgreementPublished)
            with pytest.raises(ParkError) as refused:
                await world.take(event_of(payload))
            assert refused.value.slug == slug
        assert await world.rows("select version from agreement") == []


async def test_an_older_agreement_never_comes_back(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _one_rep(world, version=3)
        await world.take(agreement_event(members={}, version=2))
        active = await world.rows("select version, generation from active")
        assert [tuple(row) for row in active] == [(3, 3)]
        assert len(await world.rows("select version from agreement")) == 2


async def test_an_upheld_dispute_gives_the_lead_back_in_the_ledger(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _one_rep(world)
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        ruled = DisputeRuled(
            dispute_id=new_id(),
            handoff_id=handoff.id,
            lead_id=lead_id("kim"),
            rep_id=rep_id("anna"),
            ground="bad_data",
            ruling="upheld",
            is_credited=True,
            by_user_ids=[],
        )
        await world.take(event_of(ruled))
        ledger = await world.rows("select received, credited from member")
        assert [tuple(row) for row in ledger] == [(1, 1)]


async def test_an_outcome_without_a_deal_moves_the_handoff_and_our_own_do_not(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _one_rep(world)
        await world.take(identified("kim"), qualified("kim"), identified("lee"))
        handoff = await world.handoff_of(lead_id("kim"))

        def outcome(what: str, source: str, *, lead: str = "kim") -> OutcomeRecorded:
            return OutcomeRecorded(
                outcome_id=new_id(),
                lead_id=lead_id(lead),
                handoff_id=handoff.id,
                what=what,
                occurred_at=NOON,
                recorded_at=NOON,
                source=source,
            )

        await world.take(event_of(outcome("won", "handoff")))
        assert (await world.handoff(handoff.id)).state == "assigned"
        await world.take(event_of(outcome("won", "csv", lead="lee")))  # of somebody else, with this handoff's id
        assert (await world.handoff(handoff.id)).state == "assigned"
        await world.take(event_of(outcome("won", "csv")))
        assert (await world.handoff(handoff.id)).state == "won"
        assert await world.gaps() == []
