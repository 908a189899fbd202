"""From the topic to the database: each event once, in order, whatever is repeated, poison, or taken over."""

from collections.abc import Sequence

from shared.contracts.envelope import Event
from shared.contracts.leads import LeadErased
from shared.db.engine import Tx
from tests.integration.shared.stage import Stage, erased, running, until


async def test_each_event_is_applied_once_and_repeats_are_dropped(stage: Stage) -> None:
    await stage.send(range(300))
    await stage.send(range(100))
    consumer = stage.consumer()

    async def read_all() -> bool:
        return consumer.handled == 400

    async with running(consumer):
        await until(read_all)
        assert await consumer.lag() == 0
    assert await stage.applied() == 300
    assert await stage.one("select sum(next_offset) from progress where topic = 'leads'") == 400
    assert await stage.one("select count(*) from inbox") == 300


async def test_a_lead_is_read_in_the_order_of_the_log(stage: Stage) -> None:
    await stage.send(range(200), lead=1)
    consumer = stage.consumer()

    async def read_all() -> bool:
        return consumer.handled == 200

    async with running(consumer):
        await until(read_all)
    rows = await stage.rows("select event_id from applied order by ordinal")
    assert [row[0] for row in rows] == [erased(number).id for number in range(200)]


async def test_one_poison_in_ten_thousand_is_parked_and_the_others_are_handled(stage: Stage) -> None:
    poison = erased(6_789)
    stage.poison.add(poison.id)
    await stage.send(range(10_000))
    consumer = stage.consumer()

    async def read_all() -> bool:
        return consumer.handled == 10_000

    async with running(consumer):
        await until(read_all)
    assert await stage.applied() == 9_999
    parked = await stage.rows("select event_id, reason, detail, is_ours, state from parked")
    assert [(row.event_id, row.reason, row.is_ours, row.state) for row in parked] == [
        (poison.id, "failed", True, "open")
    ]
    assert parked[0].detail.startswith("PoisonError in shared/stage.py:")
    assert await stage.one("select count(*) from inbox where event_id = :id", id=poison.id) == 1
    assert consumer.stopped_because is None


async def test_an_event_met_again_after_a_restart_is_applied_once(stage: Stage) -> None:
    await stage.send(range(50))
    first, second = stage.consumer(), stage.consumer()

    async def read_first() -> bool:
        return first.handled == 50

    async with running(first):
        await until(read_first)
    await stage.send(range(40, 90))

    async def read_second() -> bool:
        return second.handled == 50

    async with running(second):
        await until(read_second)
    assert await stage.applied() == 90


async def test_a_use_case_gets_its_consecutive_events_in_one_call(stage: Stage) -> None:
    calls: list[int] = []

    async def note(tx: Tx, received: Sequence[Event[LeadErased]]) -> None:
        calls.append(len(received))
        await stage.count(tx, received)

    await stage.send(range(400), lead=1)
    consumer = stage.consumer(usecase=note)

    async def read_all() -> bool:
        return consumer.handled == 400

    async with running(consumer):
        await until(read_all)
    assert sum(calls) == 400
    assert len(calls) < 20
