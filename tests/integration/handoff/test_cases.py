"""Cases from the field: 9 capacity, 11 owner off, 13 time change, 15 pause, 19 a claim whose worker died."""

from datetime import UTC, datetime, timedelta

import pytest

from services.handoff.domain.lifecycle import Verdict, inputs
from services.handoff.domain.things import Actor, ActorKind
from services.handoff.store import clocks
from services.handoff.usecases import commanding, crewing, firing
from shared.db.engine import transaction
from shared.ids import UserId, derived_id, new_id
from tests.integration.handoff.http import callers
from tests.integration.handoff.world import LONG_AGO, DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import identified, lead_id, linked, qualified, rep_id, rep_row

BERLIN = {"zone": "Europe/Berlin", "hours": [[[540, 1020]]] * 5 + [[], []]}
NIGHTS = {"zone": "Europe/Amsterdam", "hours": [[[0, 600]]] * 7}


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def _calendar(world: World, name: str, zone: str, hours: list[list[list[int]]]) -> None:
    async with transaction(world.database, "periodic") as tx:
        await crewing.put_calendar(tx, name, zone=zone, hours=hours, off=[], country=None)


async def test_case_9_freed_load_serves_the_queue_before_new_leads(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        anna = rep_id("anna")
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(anna, load_max=1)]})
        await world.take(identified("one"), qualified("one"))
        first = await world.handoff_of(lead_id("one"))
        assert (await world.accept(first.id, anna)).is_ok
        await world.advance(minutes=1)
        await world.take(identified("two"), qualified("two"))
        second = await world.handoff_of(lead_id("two"))
        assert (second.state, second.queue) == ("queued", "no_eligible_rep")

        await world.advance(minutes=1)
        assert (await world.touch(first.id, anna)).is_ok
        await world.take(identified("three"), qualified("three"))
        second, third = await world.handoff_of(lead_id("two")), await world.handoff_of(lead_id("three"))
        assert (second.state, second.owner_id) == ("assigned", anna)
        assert third.state == "queued"

        found = await world.rows("select id from routing_decision where handoff_id = :id", id=third.id)
        shown = (await api.user(rep_id("ops"), "revops").get(f"/v1/routing-decisions/{found[0].id}")).json()
        assert str(second.id) in shown["record"]["served_before"]
        assert await world.gaps() == []


async def test_case_9_hand_raisers_are_served_before_older_ones(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        anna = rep_id("anna")
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(anna, load_max=1)]})
        await world.take(identified("one"), qualified("one"))
        await world.take(identified("old"), qualified("old"))
        await world.advance(minutes=5)
        await world.take(identified("raiser"), qualified("raiser", policy="hand_raiser", tier="hand_raiser"))
        first = await world.handoff_of(lead_id("one"))
        await world.accept(first.id, anna)
        await world.touch(first.id, anna)
        assert (await world.handoff_of(lead_id("raiser"))).state == "assigned"
        assert (await world.handoff_of(lead_id("old"))).state == "queued"


async def _owned_by_anna(world: World) -> None:
    await world.reps(*crew("anna", "bert"))
    await world.agreement({"default": [member(rep_id("anna")), member(rep_id("bert"))]})
    async with transaction(world.database, "periodic") as tx:
        account = derived_id("account of a test", "acme")
        await crewing.put_account_owner(tx, account, UserId(rep_id("anna")), by=None)


async def _away(world: World, name: str) -> None:
    async with transaction(world.database, "command") as tx:
        await crewing.send_away(tx, UserId(rep_id(name)), because="by_hand")
    await world.fire()


async def test_case_11_an_owner_who_is_away_is_passed_over(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _owned_by_anna(world)
        await _away(world, "anna")
        await world.take(
            identified("kim"), linked("kim", "acme"), qualified("kim", policy="hand_raiser", tier="hand_raiser")
        )
        handoff = await world.handoff_of(lead_id("kim"))
        assert (handoff.state, handoff.owner_id, handoff.tier) == ("assigned", rep_id("bert"), "hand_raiser")
        clock = await world.clock(handoff.id, "accept")
        assert (clock.due_at - handoff.assigned_at).total_seconds() == 300
        record = (await world.rows("select cast(record as text) as record from routing_decision"))[0].record
        assert str(rep_id("anna")) in record
        assert "away" in record


async def test_case_11_what_was_offered_is_rerouted_at_once(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _owned_by_anna(world)
        await world.take(identified("kim"), linked("kim", "acme"), qualified("kim"))
        before = await world.handoff_of(lead_id("kim"))
        assert before.owner_id == rep_id("anna")
        await world.advance(minutes=10)
        await _away(world, "anna")
        after = await world.handoff(before.id)
        assert (after.state, after.owner_id, after.attempt) == ("assigned", rep_id("bert"), 2)
        assert list(after.tried) == [rep_id("anna")]
        old = await world.rows("select state from clock where handoff_id = :id order by number", id=after.id)
        assert [each.state for each in old] == ["met", "void", "met", "armed"]
        assert await world.gaps() == []


async def test_case_11_what_was_accepted_stays_and_others_attach(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _owned_by_anna(world)
        await world.take(identified("kim"), linked("kim", "acme"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        await world.accept(handoff.id, rep_id("anna"))
        await _away(world, "anna")
        await world.take(identified("lee"), linked("lee", "acme"), qualified("lee"))
        after = await world.handoff(handoff.id)
        assert (after.state, after.owner_id, after.evidence) == ("accepted", rep_id("anna"), 2)
        assert await world.rows("select id from handoff where lead_id = :id", id=lead_id("lee")) == []
        told = await world.rows("select body from dispatch where handoff_id = :id", id=handoff.id)
        assert sum("rep_off" in row.body for row in told) == 1
        assert await world.gaps() == []


async def test_case_13_an_hour_that_happens_twice_counts_twice(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _calendar(world, "nights", NIGHTS["zone"], NIGHTS["hours"])  # type: ignore[arg-type]  # literals
        await world.reps(rep_row("anna", calendar="nights"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        await world.at(_at("2026-10-25T00:00"))
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        clock = await world.clock(handoff.id, "accept")
        assert clock.due_at == _at("2026-10-25T04:00")
        rungs = [_at(f"2026-10-25T{wall}") for wall in ("01:00", "03:00", "03:40:48", "04:00")]
        for rung in rungs:
            assert (await world.clock(handoff.id, "accept")).fire_at == rung
            await world.at(rung - timedelta(seconds=1))
            assert await world.fire() == 0
            await world.at(rung)
            assert await world.fire() == 1
        escalated = await world.rows("select level, fired_at from escalation order by level")
        assert [(row.level, row.fired_at) for row in escalated] == list(enumerate(rungs, start=1))
        told = await world.rows(
            "select type, next_at from dispatch where handoff_id = :id and type = any(:rungs) order by next_at",
            id=handoff.id,
            rungs=["message_rep", "mail_rep", "flag_manager"],
        )
        assert [(row.type, row.next_at) for row in told] == [
            ("message_rep", rungs[0]),
            ("mail_rep", rungs[1]),
            ("flag_manager", rungs[2]),
        ]
        assert await world.gaps() == []


@pytest.mark.parametrize(
    ("paused_at", "resumed_at", "due_at"),
    [
        ("2026-06-11T14:00", "2026-06-15T08:00", "2026-06-15T11:00"),
        ("2026-06-11T18:00", "2026-06-12T05:00", "2026-06-12T09:00"),
    ],
)
async def test_case_15_a_pause_holds_the_open_time_that_is_left(
    database_of: DatabaseOf, paused_at: str, resumed_at: str, due_at: str
) -> None:
    async with world_of(database_of) as world:
        anna = rep_id("anna")
        await _calendar(world, "berlin", BERLIN["zone"], BERLIN["hours"])  # type: ignore[arg-type]  # literals
        await world.reps(rep_row("anna", calendar="berlin"))
        await world.agreement({"default": [member(anna)]})
        await world.at(_at("2026-06-11T13:00"))
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        await world.accept(handoff.id, anna)
        armed = await world.clock(handoff.id, "touch")

        await world.at(_at(paused_at))
        assert (await _pause(world, handoff.id, until="2026-06-16T08:00")).is_ok
        late = inputs.Fire(token=armed.token, number=armed.number, level=0)
        stale = await world.act(handoff.id, late)
        assert stale.decision.verdict is Verdict.STALE
        assert (await world.clock(handoff.id, "touch")).state == "void"

        await world.at(_at(resumed_at))
        token = (await world.handoff(handoff.id)).token
        resumed = inputs.Resume(token=token, by=UserId(anna), actor=Actor(ActorKind.REP, UserId(anna)))
        assert (await world.act(handoff.id, resumed)).is_ok
        clock = await world.clock(handoff.id, "touch")
        assert (clock.state, clock.due_at) == ("armed", _at(due_at))
        again = await _pause(world, handoff.id, until="2026-06-16T08:00")
        assert (again.decision.verdict, again.decision.why) == (Verdict.INVALID, "pauses_used_up")
        assert await world.gaps() == []


async def _pause(world: World, handoff_id: object, *, until: str) -> commanding.Commanded:
    anna = UserId(rep_id("anna"))
    token = (await world.handoff(handoff_id)).token  # type: ignore[arg-type]  # an id of a row
    return await world.run(
        lambda tx: commanding.pause(
            tx,
            handoff_id,  # type: ignore[arg-type]  # an id of a row
            token=token,
            actor=Actor(ActorKind.REP, anna),
            by=anna,
            reason="lead_away",
            until=_at(until),
            command_id=new_id(),
        )
    )


async def test_case_19_a_claim_whose_worker_died_fires_once(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew("anna", "bert"))
        await world.agreement({"default": [member(rep_id("anna")), member(rep_id("bert"))]})
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        await world.advance(hours=1)  # a quarter of four hours: the first rung
        with pytest.raises(RuntimeError, match="killed"):
            await _fire_and_die(world)
        async with transaction(world.database, "clocks") as holder:
            assert len(await clocks.claim_due(holder, low_water=LONG_AGO, limit=10)) == 1
            async with transaction(world.database, "clocks") as other:
                assert await firing.fire_due(other, low_water=LONG_AGO, limit=10) == 0
        assert await world.fire() == 1
        assert await world.fire() == 0
        fired = await world.rows("select level from escalation where handoff_id = :id", id=handoff.id)
        assert [each.level for each in fired] == [1]
        assert await world.gaps() == []


async def _fire_and_die(world: World) -> None:
    async with transaction(world.database, "clocks") as tx:
        assert await firing.fire_due(tx, low_water=LONG_AGO, limit=10) == 1
        raise RuntimeError("killed")
