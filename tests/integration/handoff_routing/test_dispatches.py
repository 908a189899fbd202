"""The outbound loop on a real database and real receivers: schedule, signatures, rates, leases, isolation."""

import asyncio
from datetime import timedelta
from email.utils import format_datetime
from uuid import UUID

from standardwebhooks import Webhook

from services.handoff.domain.dispatch import ATTEMPTS_MAX, Answer, Judged, Outcome
from services.handoff.store.endpoints import add_secret, enable_lane
from services.handoff.store.sending import claim_dispatches, settle_dispatch
from shared.db.engine import reading, transaction
from shared.ids import new_id
from tests.integration.handoff_routing.conftest import SECRET, Outbound
from tests.support.builders.handoff_routing import NOW
from tests.support.receiver import Reply, receiving

ATTEMPTS = "select number, status from attempt order by number"
STATES = "select state from dispatch order by number"


async def test_what_is_due_is_sent_signed_and_logged(outbound: Outbound) -> None:
    async with receiving(Reply(200, body=b"fine\x00")) as receiver, outbound.looping():
        event = new_id()
        await outbound.dispatch(await outbound.endpoint(receiver.url), event_id=event, body='{"a":1}')
        await outbound.until(STATES, [("done",)])
    (request,) = receiver.received
    assert Webhook(SECRET).verify(request.body, request.headers) == {"a": 1}
    assert request.headers["webhook-id"] == str(event)
    assert await outbound.rows("select outcome, answer, status from attempt") == [("delivered", "fine", 200)]


async def test_case_17_pauses_are_obeyed_with_the_same_id_and_fresh_signatures(outbound: Outbound) -> None:
    in_40_minutes = format_datetime(NOW + timedelta(seconds=450, minutes=40), usegmt=True)
    script = [
        Reply(503, (("retry-after", "120"),)),
        Reply(503, (("retry-after", "5"),)),
        Reply(429, (("retry-after", in_40_minutes),)),
        Reply(503, (("retry-after", "-7"),)),
        Reply(200),
    ]
    async with receiving(*script) as receiver, outbound.looping():
        endpoint = await outbound.endpoint(receiver.url)
        await outbound.dispatch(endpoint)
        # world seconds before each attempt at which nothing may have come yet, and at which it must
        for done, (silent, due) in enumerate([(119, 1), (269, 61), (2399, 2), (6479, 1442)], start=1):
            await outbound.until("select count(*) from attempt where status is not null", [(done,)])
            await outbound.advance(seconds=silent)
            async with transaction(outbound.database, "dispatch") as tx:
                assert await claim_dispatches(tx, budgets={}) == []
            await outbound.advance(seconds=due)
            await receiver.until(done + 1)
        await outbound.until(STATES, [("done",)])
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    for request in receiver.received:
        Webhook(SECRET).verify(request.body, request.headers)
    assert await outbound.rows(ATTEMPTS) == [(1, 503), (2, 503), (3, 429), (4, 503), (5, 200)]
    (share,) = await outbound.rows("select rate_share from lane where id = :id", id=endpoint)
    assert share == (1 / 16 * 1.25,)


async def test_two_secrets_sign_while_they_overlap(outbound: Outbound) -> None:
    new_secret = "whsec_" + "QUJD" * 11
    async with receiving() as receiver, outbound.looping():
        endpoint = await outbound.endpoint(receiver.url)
        async with transaction(outbound.database, "command") as tx:
            wrapping = outbound.destinations.wrapping
            await add_secret(tx, endpoint, new_secret, overlap=timedelta(hours=24), wrapping=wrapping)
        await outbound.dispatch(endpoint)
        await receiver.until(1)
        await outbound.advance(hours=24, seconds=1)
        await outbound.dispatch(endpoint)
        await receiver.until(2)
    during, after = receiver.received
    for secret in (SECRET, new_secret):
        Webhook(secret).verify(during.body, during.headers)
    assert len(during.headers["webhook-signature"].split()) == 2
    assert len(after.headers["webhook-signature"].split()) == 1
    Webhook(new_secret).verify(after.body, after.headers)


async def test_gone_disables_the_endpoint_at_once_and_nothing_more_is_sent(outbound: Outbound) -> None:
    async with receiving(Reply(410), Reply(200)) as receiver, outbound.looping():
        endpoint = await outbound.endpoint(receiver.url, notify_email="ops@x.example")
        await outbound.dispatch(endpoint)
        await outbound.until(
            "select is_enabled, disabled_because from lane where channel = 'webhook'", [(False, "gone")]
        )
        # Its owner is told at once, by a dispatch of its own: only when that has ended is nothing at all due any more.
        mails = "select type, recipient, state from dispatch where recipient is not null"
        await outbound.until(mails, [("endpoint_disabled", "ops@x.example", "failed")])  # no mail server is set here
        second = await outbound.dispatch(endpoint)
        await outbound.advance(hours=1)
        async with transaction(outbound.database, "dispatch") as tx:
            assert await claim_dispatches(tx, budgets={}) == []
        async with transaction(outbound.database, "command") as tx:
            await enable_lane(tx, endpoint)
        await outbound.advance(seconds=1)
        await receiver.until(2)
    assert receiver.received[1].headers["webhook-id"] != receiver.received[0].headers["webhook-id"]
    assert await outbound.rows("select state from dispatch where id = :id", id=second) == [("done",)]


async def test_nothing_but_failures_for_120_hours_warns_then_disables(outbound: Outbound) -> None:
    lane = "select is_enabled, warned_at is not null from lane where channel = 'webhook'"
    async with receiving(Reply(500)) as receiver, outbound.looping():
        endpoint = await outbound.endpoint(receiver.url, notify_email="ops@x.example")
        await outbound.dispatch(endpoint)
        await outbound.until("select count(*) from attempt where status = 500", [(1,)])
        await outbound.advance(hours=24, minutes=1)
        await outbound.until(lane, [(True, True)])
        await outbound.advance(hours=96)
        await outbound.until(lane, [(False, True)])
    mails = await outbound.rows("select type from dispatch where recipient is not null order by number")
    assert mails == [("endpoint_failing",), ("endpoint_disabled",)]


async def test_when_an_endpoint_answers_again_what_waits_goes_out_oldest_first(outbound: Outbound) -> None:
    async with receiving(*[Reply(500)] * 3, Reply(200)) as receiver, outbound.looping():
        endpoint = await outbound.endpoint(receiver.url)
        ids = [await outbound.dispatch(endpoint, event_id=UUID(int=number)) for number in (1, 2, 3)]
        await outbound.until("select count(*) from attempt where status = 500", [(3,)])
        await outbound.run("update dispatch set next_at = next_at + interval '9 hours' where id <> :id", id=ids[2])
        await outbound.advance(seconds=6)
        await outbound.until(STATES, [("done",)] * 3)
    assert [int(UUID(one.headers["webhook-id"])) for one in receiver.received[3:]] == [3, 1, 2]


async def test_a_dead_endpoint_holds_up_nobody_and_holds_at_most_eight(outbound: Outbound) -> None:
    gate = asyncio.Event()
    async with receiving(Reply(200, gate=gate.wait)) as dead, receiving() as lively, outbound.looping():
        stuck, fine = await outbound.endpoint(dead.url), await outbound.endpoint(lively.url)
        for _ in range(20):
            await outbound.dispatch(stuck)
        await dead.until(8)
        for _ in range(20):
            await outbound.dispatch(fine)
        assert outbound.pace
        outbound.pace.wake()
        await lively.until(20)
        assert len(dead.received) == 8
        gate.set()
        await outbound.until("select count(*) from dispatch where state = 'done'", [(40,)])
    assert len(dead.received) == 20


async def test_case_19_a_killed_attempt_is_repeated_once_its_lease_ends_and_its_late_result_changes_nothing(
    outbound: Outbound,
) -> None:
    async with receiving() as receiver:
        event = new_id()
        endpoint = await outbound.endpoint(receiver.url)
        await outbound.dispatch(endpoint, event_id=event)
        async with transaction(outbound.database, "dispatch") as tx:  # the process that dies in the middle of its call
            (killed,) = await claim_dispatches(tx, budgets={})
        assert await outbound.rows("select state from dispatch") == [("unknown",)]
        async with transaction(outbound.database, "dispatch") as tx:
            assert await claim_dispatches(tx, budgets={}) == []
        await outbound.run("update dispatch set leased_until = now() - interval '1 second'")
        async with outbound.looping():
            await outbound.until(STATES, [("done",)])
        async with transaction(outbound.database, "dispatch") as tx:
            late = Answer(Outcome.REFUSED, status=500)
            assert not await settle_dispatch(tx, killed, late, Judged(None), milliseconds=1)
    assert [request.headers["webhook-id"] for request in receiver.received] == [str(event)]
    log = "select number, outcome, is_repeat from attempt order by number"
    assert await outbound.rows(log) == [(1, "unknown", False), (2, "delivered", True)]


async def test_a_result_that_comes_after_a_withdrawal_changes_nothing(outbound: Outbound) -> None:
    gate = asyncio.Event()
    async with receiving(Reply(500, gate=gate.wait)) as receiver, outbound.looping():
        await outbound.dispatch(await outbound.endpoint(receiver.url))
        await receiver.until(1)
        await outbound.run("update dispatch set state = 'withdrawn', ended_at = baton_now()")
        gate.set()
    assert await outbound.rows("select state, attempts from dispatch") == [("withdrawn", 1)]
    assert await outbound.rows("select failing_since from lane where channel = 'webhook'") == [(None,)]


async def test_the_tenth_failure_ends_it_for_good(outbound: Outbound) -> None:
    async with receiving(Reply(500)) as receiver, outbound.looping():
        await outbound.dispatch(await outbound.endpoint(receiver.url))
        for done in range(1, 10):
            await outbound.until("select count(*) from attempt where status = 500", [(done,)])
            await outbound.run("update lane set failing_since = null")
            await outbound.advance(hours=27)
        await outbound.until(STATES, [("failed",)])
    assert len(receiver.received) == 10


async def test_a_dispatch_whose_every_worker_died_ends_unsent(outbound: Outbound) -> None:
    async with receiving(Reply(200)) as receiver:
        dispatch = await outbound.dispatch(await outbound.endpoint(receiver.url))
        for _ in range(ATTEMPTS_MAX):
            async with transaction(outbound.database, "dispatch") as tx:
                assert len(await claim_dispatches(tx, budgets={})) == 1
            await outbound.run("update dispatch set leased_until = now() - interval '1 second'")
        async with outbound.looping():
            await outbound.until(STATES, [("failed",)])
        assert receiver.received == []
    found = "select outcome, error from attempt where dispatch_id = :id order by number"
    logged = await outbound.rows(found, id=dispatch)
    assert [row.outcome for row in logged] == ["unknown"] * ATTEMPTS_MAX + ["not_sent"]
    assert "gave up" in logged[-1].error


async def test_a_deleted_endpoint_or_one_that_is_away_is_an_answer(outbound: Outbound) -> None:
    async with outbound.looping():
        await outbound.dispatch(await outbound.endpoint("http://127.0.0.1:1/hook"))
        await outbound.until("select outcome, error from attempt", [("unanswered", "No answer: ConnectError.")])
        (row,) = await outbound.rows("select state, next_at from dispatch")
    assert row.state == "waiting"
    async with reading(outbound.database) as tx:
        assert row.next_at > tx.now
