"""A qualification that joins an open handoff is a routing decision too: recorded, explained, computed again."""

from typing import Any

import pytest

from shared.contracts.leads import LeadConsentChanged, LeadErased
from tests.integration.handoff.http import Caller, callers
from tests.integration.handoff.world import DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import event_of, identified, lead_id, linked, qualified, rep_id

RULE = "open_handoff_of_account"
ONE_POOL = {"rule": "pool", "pool": "default"}
NEVER = {"fact": "country", "op": "is", "value": "nowhere"}


async def _acme(world: World, rules: list[dict[str, Any]] | None = None) -> None:
    """Kim of Acme has a handoff; Lee of Acme is known."""
    await world.reps(*crew("anna"))
    changes = {} if rules is None else {"routing": {"rules": rules}}
    await world.agreement({"default": [member(rep_id("anna"))]}, changes=changes)
    for name in ("kim", "lee"):
        await world.take(identified(name), linked(name, "acme"))
    await world.take(qualified("kim"))
    await world.advance(minutes=1)


async def _decisions(world: World, revops: Caller) -> list[dict[str, Any]]:
    """The decisions kept with Kim's handoff, oldest first, each as shown; all are the same when computed again."""
    kim = await world.handoff_of(lead_id("kim"))
    listed = (await revops.get(f"/v1/handoffs/{kim.id}")).json()["routing_decisions"]
    kept = await world.rows("select count(*) as number from routing_decision")
    assert len(listed) == kept[0].number
    shown = []
    for decision_id in listed:
        shown.append((await revops.get(f"/v1/routing-decisions/{decision_id}")).json())
        replayed = (await revops.post(f"/v1/routing-decisions/{decision_id}/replay")).json()
        assert (replayed["is_same"], replayed["differences"]) == (True, [])
    return shown


@pytest.mark.parametrize(
    "rules",
    [
        None,
        pytest.param([ONE_POOL], id="the agreement does not name the rule"),
        pytest.param([ONE_POOL, {"rule": RULE}], id="it names it last"),
        pytest.param([{"rule": RULE, "when": NEVER}, ONE_POOL], id="its condition does not hold"),
    ],
)
async def test_the_record_says_that_the_open_handoff_decided(
    database_of: DatabaseOf, rules: list[dict[str, Any]] | None
) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        await _acme(world, rules)
        await world.take(qualified("lee"))
        kim = await world.handoff_of(lead_id("kim"))
        placed, joined = await _decisions(world, api.user(rep_id("ops"), "revops"))
        assert (placed["decided_by"], placed["lead_id"]) == ("pool", str(lead_id("kim")))
        assert (joined["decided_by"], joined["lead_id"]) == (RULE, str(lead_id("lee")))
        assert joined["record"]["result"]["attach_to"] == str(kim.id)
        assert joined["record"]["rules"]["rows"][-1][:2] == [RULE, "attach"]
        assert joined["explanation"][0].startswith(f"It joins handoff {kim.id}: open handoff in state assigned")
        assert kim.evidence == 2
        assert await world.gaps() == []


async def test_a_person_who_qualifies_again_joins_the_own_handoff(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        await _acme(world)
        again = qualified("kim", number=2, score_version=2)
        await world.take(again)
        await world.take(again)
        decided = [each["decided_by"] for each in await _decisions(world, api.user(rep_id("ops"), "revops"))]
        assert decided == ["pool", RULE]
        assert await world.gaps() == []


@pytest.mark.parametrize("why", ["erased", "no consent"])
async def test_who_may_not_be_contacted_joins_no_handoff(database_of: DatabaseOf, why: str) -> None:
    lee = lead_id("lee")
    withdrawn: LeadErased | LeadConsentChanged = LeadErased(lead_id=lee, lead_ids=[lee])
    if why == "no consent":
        fields = {"lead_id": lee, "consent_version": 1, "purpose": "contact", "consent": "withdrawn"}
        withdrawn = LeadConsentChanged.model_validate({**fields, "is_allowed": False})
    async with world_of(database_of) as world, callers(world) as api:
        await _acme(world)
        await world.take(event_of(withdrawn), qualified("lee"))
        _, refused = await _decisions(world, api.user(rep_id("ops"), "revops"))
        assert (refused["decided_by"], refused["reason"]) == ("suppression", why)
        assert (await world.handoff_of(lead_id("kim"))).evidence == 1
        assert await world.rows("select lead_id from evidence where lead_id = :lead", lead=lee) == []
        assert await world.gaps() == []
