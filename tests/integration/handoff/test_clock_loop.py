"""The loop: fires what is due, says what comes next, notices outages, follows absences, counts changes again."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.handoff.clocks import ClockLoop, clocks_standing
from services.handoff.store import outages
from services.handoff.usecases.firing import fire_due, postpone_outage
from shared.db.engine import reading, transaction
from tests.integration.handoff.http import callers
from tests.integration.handoff.world import DatabaseOf, World, crew, member, world_of
from tests.support.builders.handoff import NOON, identified, lead_id, qualified, rep_id

_BACKLOG, _AT_ONCE = 40, 10


async def _kim_is_offered(world: World) -> Any:  # noqa: ANN401 - a row
    await world.reps(*crew("anna", "bert"))
    await world.agreement({"default": [member(rep_id("anna")), member(rep_id("bert"))]})
    await world.take(identified("kim"), qualified("kim"))
    return await world.handoff_of(lead_id("kim"))


async def test_a_turn_fires_what_is_due_and_says_what_comes_next(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await _kim_is_offered(world)
        loop = ClockLoop(world.database, at_once=100)
        assert await loop.turn() == NOON + timedelta(hours=1)
        await world.advance(hours=1)
        async with reading(world.database) as tx:
            assert (await clocks_standing(tx)).due == 1
        assert await loop.turn() == NOON + timedelta(hours=3)
        async with reading(world.database) as tx:
            standing = await clocks_standing(tx)
        assert (standing.due, standing.next_due_at) == (0, NOON + timedelta(hours=3))


async def test_a_turn_fires_a_backlog_batch_over_batch_and_each_rung_once(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        names = ("anna", "bert", "carl")
        await world.reps(*crew(*names))
        await world.agreement({"default": [member(rep_id(name), load_max=100) for name in names]})
        kims = [f"kim{number}" for number in range(_BACKLOG)]
        await world.take(*(identified(kim) for kim in kims), *(qualified(kim) for kim in kims))
        loop = ClockLoop(world.database, at_once=_AT_ONCE)
        await loop.turn()
        await world.advance(
            hours=4
        )  # the last rungs, by one: each sends its handoff to another rep, over the same pool
        while (await loop.turn() or world.now) <= world.now:
            pass
        (fired,) = await world.rows("select count(*) as n, count(distinct clock_id) as clocks from escalation")
        (left,) = await world.rows("select count(*) as n from assignment where ended_how = 'expired'")
        assert (fired.clocks, left.n) == (_BACKLOG, _BACKLOG)
        assert fired.n == _BACKLOG * len(("message_rep", "mail_rep", "flag_manager", "reassign"))
        assert await world.gaps() == []


async def test_a_gap_without_any_loop_is_an_outage_and_gives_time(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        handoff = await _kim_is_offered(world)
        first = ClockLoop(world.database, at_once=100)
        await first.turn()
        async with transaction(world.database, "periodic") as tx:
            await tx.execute("update clock_tick set beaten_at = beaten_at - interval '2 hours'")
        await world.advance(hours=6)
        await ClockLoop(world.database, at_once=100).turn()
        outages = await world.rows("select started_at, ended_at from outage")
        assert [(row.started_at, row.ended_at) for row in outages] == [(NOON, NOON + timedelta(hours=6))]
        clock = await world.clock(handoff.id, "accept")
        assert clock.is_late_by_system
        assert clock.due_at > NOON + timedelta(hours=6)
        fired = await world.rows("select is_late_by_system from escalation")
        assert {row.is_late_by_system for row in fired} == {True}


@pytest.mark.parametrize("is_noticed", [False, True])  # the loop is away yet, or back and has moved nothing yet
@pytest.mark.parametrize("act", ["accept", "touch"])
async def test_who_acts_in_an_outage_is_no_worse_off_than_who_does_nothing(
    database_of: DatabaseOf, act: str, *, is_noticed: bool
) -> None:
    async with world_of(database_of) as world:
        handoff = await _kim_is_offered(world)
        await ClockLoop(world.database, at_once=100).turn()
        async with transaction(world.database, "periodic") as tx:
            await tx.execute("update clock_tick set beaten_at = beaten_at - interval '2 hours'")
        await world.advance(hours=5)
        if is_noticed:
            async with transaction(world.database, "clocks") as tx:
                await outages.beat(tx, "clocks", by="another")
                await outages.note_outage(tx, "clocks", start=NOON, end=world.now)
            await world.advance(minutes=1)
        await (world.accept if act == "accept" else world.touch)(handoff.id, handoff.owner_id)
        clock = await world.clock(handoff.id, "accept")
        assert (clock.state, clock.is_late_by_system, clock.cause) == ("met", True, None)
        told = ["opened", "assigned", "rescheduled", "accepted", *(["touched"] if act == "touch" else [])]
        assert await world.events(lead_id("kim")) == told
        await ClockLoop(world.database, at_once=100).turn()
        assert await world.rows("select 1 from escalation where is_last") == []
        assert await world.gaps() == []


async def test_a_short_gap_of_the_clocks_forgives_nothing(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        handoff = await _kim_is_offered(world)
        await ClockLoop(world.database, at_once=100).turn()
        await world.advance(hours=5)
        await world.accept(handoff.id, handoff.owner_id)
        clock = await world.clock(handoff.id, "accept")
        assert (clock.state, clock.is_late_by_system) == ("breached", False)


async def _fire_some(world: World, limit: int) -> None:
    async with transaction(world.database, "clocks") as tx:
        await fire_due(tx, low_water=NOON, limit=limit)


async def test_after_an_outage_at_most_three_handoffs_leave_a_rep_within_a_minute(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        await world.reps(*crew("anna", "bert"))
        await world.agreement({"default": [member(rep_id("anna"), load_max=8)]})
        for number in range(8):
            await world.take(identified(f"kim{number}"), qualified(f"kim{number}"))
        async with transaction(world.database, "clocks") as tx:
            assert await postpone_outage(tx, start=NOON, end=NOON + timedelta(hours=5)) == 8
        await world.at(NOON + timedelta(hours=5, minutes=15))
        await asyncio.gather(*(_fire_some(world, 4) for _ in range(2)))  # two loops share one count
        left = []
        for _ in range(3):
            await world.fire()
            row = (await world.rows("select count(*) as n from assignment where ended_how = 'expired'"))[0]
            left.append(row.n)
            (following,) = await world.rows(
                "select min(fire_at) as at from clock where state = 'armed' and kind = 'accept'"
            )
            await world.at(following.at or world.now)
        assert left == [3, 6, 8]
        ended = await world.rows("select ended_at from assignment where ended_how = 'expired' order by ended_at")
        assert ended[3].ended_at - ended[0].ended_at == ended[6].ended_at - ended[3].ended_at == timedelta(minutes=1)
        told = await world.rows(
            "select handoff_id from handoff_event where kind = 'Reschedule' and input ->> 'why' = 'turns'"
        )
        assert len({row.handoff_id for row in told}) == len(told) == 5
        (anna,) = await world.rows("select is_away, expiries from rep where id = :id", id=rep_id("anna"))
        assert tuple(anna) == (False, 0)
        assert await world.gaps() == []


async def test_an_absence_takes_the_rep_off_and_brings_it_back(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        handoff = await _kim_is_offered(world)
        rep = api.user(handoff.owner_id, "rep")
        ics = (
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n"
            "DTSTART:20260610T130000Z\r\nDTEND:20260612T080000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        planned = await rep.post(f"/v1/reps/{handoff.owner_id}/absences", {"ics": ics})
        assert planned.status_code == 201, planned.text
        other = await rep.post(f"/v1/reps/{rep_id('zoe')}/absences", {"ics": ics})
        assert other.status_code == 403
        nonsense = await rep.post(f"/v1/reps/{handoff.owner_id}/absences", {"ics": "hello"})
        assert nonsense.json()["errors"][0]["pointer"] == "/ics"
        begins = {"until_at": "2026-06-12T08:00:00Z"}
        for guessed in ("2026-06-10T13:00:00", "1781096400", 1781096400):
            unzoned = await rep.post(f"/v1/reps/{handoff.owner_id}/absences", begins | {"from_at": guessed})
            (error,) = unzoned.json()["errors"]
            assert (unzoned.status_code, error["pointer"], error["code"]) == (422, "/from_at", "zone")
        clock = await world.clock(handoff.id, "accept")
        assert clock.due_at == datetime.fromisoformat("2026-06-12T11:00:00+00:00")

        loop = ClockLoop(world.database, at_once=100)
        assert await loop.turn() == NOON + timedelta(hours=1)
        await world.advance(hours=1)
        await loop.turn()
        after = await world.handoff(handoff.id)
        assert after.owner_id not in {None, handoff.owner_id}
        assert await world.gaps() == []
        await world.at(datetime.fromisoformat("2026-06-12T08:00:00+00:00"))
        await loop.turn()
        shown = await rep.get(f"/v1/reps/{handoff.owner_id}")
        assert shown.json()["absences"] == []


async def test_a_changed_calendar_counts_its_clocks_again(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        handoff = await _kim_is_offered(world)
        manager = api.user(rep_id("boss"), "manager")
        hours = [[[480, 840]]] * 5 + [[], []]
        body = {"name": "default", "zone": "UTC", "hours": hours, "holidays": ["2026-06-11"]}
        changed = await manager.post("/v1/calendars", body)
        assert changed.status_code == 201, changed.text
        clock = await world.clock(handoff.id, "accept")
        assert clock.due_at == datetime.fromisoformat("2026-06-12T10:00:00+00:00")
        audit = await world.rows("select input from handoff_event where kind = 'Reschedule'")
        assert audit[0].input["why"] == "calendar"
        assert "2026-06-10T16:00:00+00:00" in str(audit[0].input["before"])
        assert (await manager.post("/v1/calendars", {**body, "zone": "Nowhere/Here"})).status_code == 422
        assert (await manager.post("/v1/calendars", {**body, "hours": [[]] * 7})).status_code == 422
        assert await world.gaps() == []
