"""When nobody acts: reminders, reassignment, overflow, away, pull-back, queues that climb, held evidence."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from services.handoff.domain.things import Actor, ActorKind
from services.handoff.usecases import commanding, firing
from shared.contracts.outcomes import ConnectorAdvanced
from shared.db.engine import transaction
from shared.ids import UserId, new_id
from tests.integration.handoff.world import DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import NOON, called, event_of, identified, lead_id, qualified, rep_id, rep_row

_FIRED = """
    select e.action from escalation e join clock c on c.id = e.clock_id where c.kind = :kind order by c.number, e.level
"""


async def _three(world: World) -> None:
    await world.reps(*crew("anna", "bert", "carl"))
    await world.agreement({"default": [member(rep_id(name)) for name in ("anna", "bert", "carl")]})


async def _walk(world: World, *, hours: int, step_minutes: int = 20) -> None:
    """Let time pass in steps, firing what is due after each."""
    for _ in range(hours * 60 // step_minutes):
        await world.advance(minutes=step_minutes)
        await world.fire()


async def _attempted(world: World, state: str, outcome: str, status: int | None) -> None:
    """The news of every offer was tried once, with this result."""
    async with transaction(world.database, "dispatch") as tx:
        await tx.execute(
            text(
                """
                with tried as (
                    update dispatch set attempts = 1, state = :state,
                           ended_at = case when :state = 'waiting' then null else baton_now() end
                     where type = 'assigned' and attempts = 0 returning id)
                insert into attempt (dispatch_id, number, started_at, outcome, status)
                select id, 1, baton_now(), :outcome, :status from tried
                """
            ),
            {"state": state, "outcome": outcome, "status": status},
        )


async def test_an_offer_taken_between_its_due_instant_and_the_firing_was_missed(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _three(world)
        await world.take(identified("kim"), qualified("kim"), identified("lee"), qualified("lee"))
        await _attempted(world, "done", "delivered", 250)
        kim, lee = await world.handoff_of(lead_id("kim")), await world.handoff_of(lead_id("lee"))
        due_at = (await world.clock(kim.id, "accept")).due_at
        await world.at(due_at)
        assert (await world.accept(kim.id, kim.owner_id)).is_ok
        await world.at(due_at + timedelta(milliseconds=1))
        assert (await world.accept(lee.id, lee.owner_id)).is_ok
        assert await world.fire() == 0
        kept, missed = await world.clock(kim.id, "accept"), await world.clock(lee.id, "accept")
        assert (kept.state, kept.cause) == ("met", None)
        assert (missed.state, missed.cause) == ("breached", "rep")
        assert (await world.handoff(lee.id)).state == "accepted"
        assert await world.gaps() == []


async def test_an_offer_taken_late_that_nobody_was_told_of_is_no_miss_of_the_rep(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _three(world)
        await world.take(identified("kim"), qualified("kim"))
        kim = await world.handoff_of(lead_id("kim"))
        await world.at((await world.clock(kim.id, "accept")).due_at + timedelta(milliseconds=1))
        assert (await world.accept(kim.id, kim.owner_id)).is_ok
        clock = await world.clock(kim.id, "accept")
        assert (clock.state, clock.cause) == ("breached", "system")


async def test_a_miss_by_a_late_act_after_an_outage_tells_that_it_was_the_systems(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _three(world)
        await world.take(identified("kim"), qualified("kim"))
        kim = await world.handoff_of(lead_id("kim"))
        await _walk(world, hours=2)  # a reminder went out, which named the rep
        start, end = NOON + timedelta(hours=3), NOON + timedelta(hours=5)
        await world.at(end)
        async with transaction(world.database, "clocks") as tx:
            await firing.postpone_outage(tx, start=start, end=end)
        await world.advance(minutes=16)
        assert (await world.accept(kim.id, kim.owner_id)).is_ok
        clock = await world.clock(kim.id, "accept")
        assert (clock.state, clock.cause, clock.is_late_by_system) == ("breached", "system", True)
        (told,) = await world.rows("select payload from outbox where headers like '%handoff.accepted%'")
        views = {view["kind"]: view for view in json.loads(told.payload)["clocks"]}
        assert (views["accept"]["cause"], views["accept"]["is_late_by_system"]) == ("system", True)
        assert views["touch"].get("cause") is None
        assert await world.gaps() == []


@pytest.mark.parametrize("tier", ["scored", "hand_raiser"])  # whose touch counts from the assignment
async def test_a_pause_after_the_due_instant_leaves_the_miss_and_a_full_promise_after_it(
    database_of: DatabaseOf, tier: str
) -> None:
    async with world_of(database_of) as world:
        await _three(world)
        await world.take(identified("kim"), qualified("kim", tier=tier))
        kim = await world.handoff_of(lead_id("kim"))
        await world.accept(kim.id, kim.owner_id)
        first = await world.clock(kim.id, "touch")
        await world.at(first.due_at + timedelta(milliseconds=1))
        owner, token = UserId(kim.owner_id), (await world.handoff(kim.id)).token
        until = world.now + timedelta(hours=1)
        paused = await world.run(
            lambda tx: commanding.pause(
                tx,
                kim.id,
                token=token,
                actor=Actor(ActorKind.REP, owner),
                by=owner,
                reason="lead_away",
                until=until,
                command_id=new_id(),
            )
        )
        assert paused.is_ok
        missed = await world.clock(kim.id, "touch")
        assert (missed.number, missed.state, missed.cause) == (first.number, "breached", "rep")
        await world.at(until)
        await world.fire()
        second = await world.clock(kim.id, "touch")
        assert (second.number > first.number, second.state, second.level) == (True, "armed", 0)
        assert second.due_at > until + timedelta(minutes=4)
        assert await world.gaps() == []


async def test_an_unanswered_offer_climbs_and_goes_to_the_next_rep(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _three(world)
        await world.take(identified("kim"), qualified("kim"))
        first = await world.handoff_of(lead_id("kim"))
        await _walk(world, hours=4)
        rungs = await world.rows("select action, level from escalation order by level")
        assert [row.action for row in rungs] == ["message_rep", "mail_rep", "flag_manager", "reassign"]
        after = await world.handoff(first.id)
        assert (after.state, after.attempt) == ("assigned", 2)
        assert after.owner_id != first.owner_id
        assert await world.gaps() == []


@pytest.mark.parametrize(
    ("attempt", "cause"),
    [
        (None, "system"),  # nobody tried to send it
        (("waiting", "refused", 451), "system"),
        (("failed", "unanswered", None), "system"),
        (("failed", "not_sent", 550), "system"),
        (("failed", "not_sent", None), "rep"),  # no mail server or address is set: the console is how the rep is told
        (("done", "delivered", 250), "rep"),
    ],
)
async def test_a_rep_who_was_never_told_is_not_charged(
    database_of: DatabaseOf, attempt: tuple[str, str, int | None] | None, cause: str
) -> None:
    async with world_of(database_of) as world:
        await _three(world)
        await world.take(identified("kim"), qualified("kim"))
        if attempt is not None:
            await _attempted(world, *attempt)
        await _walk(world, hours=4)
        breached = await world.rows("select cause from clock where kind = 'accept' and state = 'breached'")
        assert [row.cause for row in breached] == [cause]
        told = await world.rows("select cause from escalation where is_last")
        assert [row.cause for row in told] == [cause]
        assert await world.gaps() == []


async def test_used_up_attempts_wait_in_overflow_for_a_person(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _three(world)
        await world.take(identified("kim"), qualified("kim"))
        await _walk(world, hours=168, step_minutes=240)
        handoff = await world.handoff_of(lead_id("kim"))
        assert (handoff.state, handoff.queue, handoff.attempt) == ("queued", "overflow", 3)
        levels = await world.rows(_FIRED, kind="queue")
        assert [row.action for row in levels][:3] == ["mail_queue_owner", "mail_manager", "mail_executive"]
        assert await world.gaps() == []


@pytest.mark.parametrize("is_told", [True, False])
async def test_two_expiries_in_a_row_set_a_rep_away_who_was_told(database_of: DatabaseOf, *, is_told: bool) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        await world.take(identified("kim"), identified("lee"), identified("max"))
        await world.take(qualified("kim"), qualified("lee"), qualified("max"))
        if is_told:
            await _attempted(world, "done", "delivered", 250)
        await _walk(world, hours=5)
        anna = (await world.rows("select is_away, away_because, load from rep"))[0]
        assert tuple(anna) == (is_told, "expiries" if is_told else None, 0)
        states = await world.rows("select state, queue from handoff")
        assert {(row.state, row.queue) for row in states} == {("queued", "no_eligible_rep")}
        assert await world.gaps() == []


async def test_work_without_progress_goes_back_to_marketing_after_notice(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _three(world)
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        await world.touch(handoff.id, handoff.owner_id)
        await world.at(NOON + timedelta(days=29, minutes=1))
        await world.fire()
        assert (await world.handoff(handoff.id)).state == "working"
        await world.at(NOON + timedelta(days=30, minutes=1))
        await world.fire()
        after = await world.handoff(handoff.id)
        assert (after.state, after.result) == ("nurture", "pulled_back")
        fired = await world.rows(_FIRED, kind="pull_back")
        assert [row.action for row in fired] == ["notice", "pull_back"]
        assert await world.gaps() == []


async def test_a_touch_that_was_in_time_takes_the_breach_back(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _three(world)
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        await world.accept(handoff.id, handoff.owner_id)
        accepted_by = {rep_id(name): name for name in ("anna", "bert", "carl")}[handoff.owner_id]
        await _walk(world, hours=5)
        moved = await world.handoff(handoff.id)
        assert (moved.state, moved.attempt) == ("assigned", 2)
        await world.take(called("kim", accepted_by, at=NOON + timedelta(hours=2)))
        after = await world.handoff(handoff.id)
        assert (after.state, after.owner_id) == (moved.state, moved.owner_id)
        clock = (await world.rows("select state, is_late_evidence from clock where kind = 'touch'"))[0]
        assert (clock.state, clock.is_late_evidence) == ("met", True)
        assert "retracted" in await world.events(lead_id("kim"))
        assert await world.gaps() == []


async def test_a_touch_after_the_due_instant_is_a_breach_without_its_last_rung(database_of: DatabaseOf) -> None:
    """The clocks were away when it fell due (killed, or behind): reminders went out, then the rep's late touch came."""
    async with world_of(database_of) as world:
        await _three(world)
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        await _walk(world, hours=2)
        await world.advance(hours=3)
        await world.touch(handoff.id, handoff.owner_id)
        clock = await world.clock(handoff.id, "accept")
        rungs = await world.rows("select level, is_last from escalation order by level")
        assert (clock.state, clock.level, [tuple(rung) for rung in rungs]) == ("breached", 1, [(1, False)])
        await world.fire()
        assert len(await world.rows("select level from escalation")) == 1
        assert await world.gaps() == []


@pytest.mark.parametrize("entry_channel", ["web", "field_event"])  # by the rep's open hours, and by the wall clock
async def test_evidence_takes_a_breach_back_whether_a_late_touch_or_the_clock_came_first(
    database_of: DatabaseOf, entry_channel: str
) -> None:
    async with world_of(database_of) as world:
        await _three(world)
        for name in ("kim", "lee"):
            await world.take(identified(name), qualified(name, entry_channel=entry_channel))
        touched, fired = await world.handoff_of(lead_id("kim")), await world.handoff_of(lead_id("lee"))
        names = {rep_id(name): name for name in ("anna", "bert", "carl")}
        for handoff in (touched, fired):
            await world.accept(handoff.id, handoff.owner_id)
        await world.advance(hours=25)
        await world.touch(touched.id, touched.owner_id)
        await world.fire()
        breached = await world.rows("select state from clock where kind = 'touch' order by number")
        assert {row.state for row in breached} == {"breached"}
        for name, handoff in (("kim", touched), ("lee", fired)):
            await world.take(called(name, names[handoff.owner_id], at=NOON + timedelta(hours=2)))
            clock = await world.clock(handoff.id, "touch")
            assert (clock.state, clock.is_late_evidence) == ("met", True)
            assert "retracted" in await world.events(lead_id(name))
        assert (await world.handoff(touched.id)).state == "working"
        assert await world.gaps() == []


async def test_a_touch_of_the_team_stops_the_clock(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        team = rep_id("team")
        await world.reps(rep_row("anna", team_id=team), rep_row("bert", team_id=team), rep_row("zoe"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        await world.take(identified("kim"), qualified("kim"))
        await world.advance(minutes=5)
        await world.take(called("kim", "zoe", at=world.now))
        assert (await world.handoff_of(lead_id("kim"))).state == "assigned"
        await world.take(called("kim", "bert", at=world.now))
        handoff = await world.handoff_of(lead_id("kim"))
        assert (handoff.state, handoff.owner_id) == ("working", rep_id("anna"))
        assert await world.gaps() == []


async def test_no_first_touch_is_said_only_when_one_would_have_been_seen(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _three(world)
        await world.take(event_of(ConnectorAdvanced(connector_id="crm", watermark_at=NOON)))
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        await world.accept(handoff.id, handoff.owner_id)
        await world.at(NOON + timedelta(hours=4, minutes=1))
        await world.fire()
        assert (await world.handoff(handoff.id)).state == "accepted"
        assert (await world.clock(handoff.id, "touch")).is_held
        await world.at(NOON + timedelta(hours=6, minutes=1))
        await world.fire()
        assert (await world.handoff(handoff.id)).state == "assigned"
        last = await world.rows("select is_verified from escalation where is_last")
        assert [row.is_verified for row in last] == [False]


async def test_clocks_due_in_an_outage_give_people_their_minutes(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _three(world)
        await world.take(identified("kim"), qualified("kim"))
        handoff = await world.handoff_of(lead_id("kim"))
        start, end = NOON + timedelta(hours=3), NOON + timedelta(hours=5)
        await world.at(end)
        async with transaction(world.database, "clocks") as tx:
            assert await firing.postpone_outage(tx, start=start, end=end) == 1
        clock = await world.clock(handoff.id, "accept")
        assert (clock.is_late_by_system, clock.due_at) == (True, end + timedelta(minutes=15))
        assert (await world.handoff(handoff.id)).state == "assigned"
        assert "rescheduled" in await world.events(lead_id("kim"))
        assert await world.gaps() == []


async def test_a_call_that_overtook_the_qualification_counts_the_same(database_of: DatabaseOf) -> None:
    histories = []
    for is_call_first in (False, True):
        async with world_of(database_of) as world:
            team = rep_id("team")
            await world.reps(rep_row("anna", team_id=team), rep_row("bert", team_id=team))
            await world.agreement({"default": [member(rep_id("anna"))]})
            crossed, called_at = NOON - timedelta(hours=5), NOON - timedelta(hours=3)
            early = called("kim", "bert", at=crossed - timedelta(hours=1))
            batches = [qualified("kim", at=crossed), called("kim", "bert", at=called_at)]
            await world.take(identified("kim"), early)
            for event in reversed(batches) if is_call_first else batches:
                await world.take(event)
            handoff = await world.handoff_of(lead_id("kim"))
            assert (handoff.state, handoff.qualified_at, handoff.touched_at) == ("working", crossed, called_at)
            kept = await world.rows("select occurred_at from sales_activity")
            assert [row.occurred_at for row in kept] == [early.payload.occurred_at]
            opened = (await world.rows("select headers from outbox order by id limit 1"))[0].headers
            assert crossed.strftime("%Y-%m-%dT%H:%M:%S") in opened
            histories.append(await world.events(lead_id("kim")))
            assert await world.gaps() == []
    assert histories[0] == histories[1] == ["opened", "assigned", "accepted", "touched"]


async def test_a_clock_of_a_lead_imported_in_arrears_counts_from_when_somebody_could_act(
    database_of: DatabaseOf,
) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        crossed = NOON - timedelta(days=40)
        await world.take(identified("kim"), qualified("kim", at=crossed))
        handoff = await world.handoff_of(lead_id("kim"))
        assert (handoff.state, handoff.qualified_at, handoff.opened_at) == ("assigned", crossed, NOON)
        clocks = await world.rows("select armed_at, due_at, fire_at, state from clock where state = 'armed'")
        assert [(each.armed_at, each.due_at > NOON, each.fire_at > NOON) for each in clocks] == [(NOON, True, True)]
        assert await world.fire() == 0
        assert await world.rows("select 1 from escalation") == []
