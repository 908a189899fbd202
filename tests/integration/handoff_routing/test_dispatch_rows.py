"""What becomes a dispatch: events by choice and consent, versions per lead, notices as mails, erasure, retention."""

import json
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet

from services.handoff.domain.notices import Notice
from services.handoff.outbound.mail import Person, SmtpServer
from services.handoff.store.basis import read_basis
from services.handoff.store.dispatches import (
    dispatches_standing,
    end_dispatches_of_leads,
    prune_dispatches,
    put_dispatches,
    withdraw_notices,
)
from services.handoff.store.endpoints import delete_endpoint, insert_endpoint
from services.handoff.store.rows import put_rows
from services.handoff.store.secrets import Wrapping
from services.handoff.tables.dispatches import MAIL_LANE
from shared.contracts.envelope import Event
from shared.contracts.handoffs import HandoffAccepted, HandoffAssigned
from shared.contracts.leads import LeadErased
from shared.db.engine import reading, transaction
from shared.errors import Busy, NotFound
from shared.ids import EndpointId, HandoffId, LeadId, derived_id
from tests.integration.handoff.world import DatabaseOf, crew, member, world_of
from tests.integration.handoff_routing.conftest import Outbound, with_mail
from tests.integration.handoff_routing.smtp import Inbox
from tests.support.builders.handoff import identified, qualified
from tests.support.builders.handoff import rep_id as staff_id
from tests.support.builders.handoff_routing import NOW, rep_id
from tests.support.receiver import receiving

LEAD, OTHER = (LeadId(derived_id("lead", name)) for name in "ab")
HANDOFF = HandoffId(derived_id("handoff", "a"))


def assigned(seq: int = 1, *, lead: LeadId = LEAD, **changes: Any) -> Event[Any]:  # noqa: ANN401 - payload fields
    payload = HandoffAssigned(
        **{
            "handoff_id": HANDOFF, "lead_id": lead, "root_lead_id": lead, "motion": "new_business", "cycle": 1,
            "seq": seq, "token": seq, "state": "assigned", "tier": "scored", "product": "default",
            "owner_id": rep_id("r"), "agreement_id": "default", "agreement_version": 1, "actor": "system",
            "decision_id": derived_id("decision"), "pool": "default", "is_rotated": True, "is_reassigned": False,
            **changes,
        }
    )  # fmt: skip
    return Event.first(
        payload, source="/baton/handoff", occurred_at=NOW, recorded_at=NOW, id=derived_id("event", lead, seq)
    )


def notice(**changes: Any) -> Notice:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "id": derived_id("notice"), "what": "assigned", "audience": "rep", "handoff_id": HANDOFF, "lead_id": LEAD,
        "made_at": NOW, "rep_id": rep_id("r"), "due_at": NOW, "reasons": ("asked for a demo",), **changes,
    }  # fmt: skip
    return Notice(**values)


async def write(outbound: Outbound, *events: Event[Any], notices: tuple[Notice, ...] = ()) -> None:
    async with transaction(outbound.database, "command") as tx:
        await put_rows(tx, await put_dispatches(tx, notices, events, (await read_basis(tx)).subscriptions))


async def lead(outbound: Outbound, lead_id: LeadId, consents: dict[str, Any], *, is_erased: bool = False) -> None:
    await outbound.run(
        "insert into lead (id, root_id, consents, is_erased, changed_at)"
        " values (:id, :id, cast(:consents as jsonb), :is_erased, baton_now())",
        id=lead_id, consents=json.dumps(consents), is_erased=is_erased,
    )  # fmt: skip


async def test_each_event_goes_to_each_endpoint_that_wants_it_once(outbound: Outbound) -> None:
    everything = await outbound.endpoint("https://a.example")
    await outbound.endpoint("https://b.example", types=["baton.handoff.accepted.v1"])
    dach = await outbound.endpoint("https://c.example", pools=["dach"])
    for _ in range(2):
        await write(outbound, assigned(1), assigned(2, pool="dach"))
    rows = await outbound.rows("select lane_id, type, event_id from dispatch order by number")
    first, second = derived_id("event", LEAD, 1), derived_id("event", LEAD, 2)
    kind = HandoffAssigned.TYPE
    assert rows == [(everything, kind, first), (everything, kind, second), (dach, kind, second)]


async def test_an_endpoint_deleted_while_an_event_waits_for_its_lead_is_sent_nothing(outbound: Outbound) -> None:
    stays, goes = await outbound.endpoint("https://a.example"), await outbound.endpoint("https://b.example")
    async with transaction(outbound.database, "command") as tx:
        subscriptions = (await read_basis(tx)).subscriptions
        async with transaction(outbound.database, "command") as other:
            await delete_endpoint(other, EndpointId(goes))
        await put_rows(tx, await put_dispatches(tx, (), [assigned(1)], subscriptions))
    assert await outbound.rows("select lane_id from dispatch") == [(stays,)]


async def test_lead_version_grows_by_one_with_each_event_of_a_lead(outbound: Outbound) -> None:
    await outbound.endpoint("https://a.example")
    await write(outbound, assigned(1), assigned(1, lead=OTHER), assigned(2))
    await write(outbound, assigned(3))
    bodies = [json.loads(row.body)["data"] for row in await outbound.rows("select body from dispatch order by number")]
    versions = [(UUID(data["lead_id"]), data["lead_version"]) for data in bodies]
    assert versions == [(LEAD, 1), (OTHER, 1), (LEAD, 2), (LEAD, 3)]


async def test_an_event_without_a_pool_goes_by_the_pool_of_its_handoff(outbound: Outbound) -> None:
    await outbound.endpoint("https://a.example", pools=["default"])
    payload = HandoffAccepted.model_validate(assigned().payload.model_dump())
    event = Event.first(payload, source="/baton/handoff", occurred_at=NOW, recorded_at=NOW)
    await write(outbound, event)
    assert await outbound.rows("select id from dispatch") == []


async def test_consent_and_erasure_decide_what_leaves(outbound: Outbound) -> None:
    own = await outbound.endpoint("https://a.example")
    sharing = await outbound.endpoint("https://b.example", is_sharing=True)
    await lead(outbound, LEAD, {"profiling": [1, True], "sharing": [1, False]})
    await lead(outbound, OTHER, {"profiling": [2, False]})
    await write(outbound, assigned(1), assigned(1, lead=OTHER))
    assert await outbound.rows("select lane_id, lead_id from dispatch") == [(own, LEAD)]
    erased = Event.first(
        LeadErased(lead_id=OTHER, lead_ids=[OTHER]), source="/baton/ingest", occurred_at=NOW, recorded_at=NOW
    )
    await write(outbound, erased)
    told = await outbound.rows("select lane_id from dispatch where lead_id = :id", id=OTHER)
    assert {row.lane_id for row in told} == {own, sharing}


async def test_for_a_disabled_endpoint_news_is_kept_as_failed(outbound: Outbound) -> None:
    await outbound.endpoint("https://a.example")
    await outbound.run("update lane set is_enabled = false where channel = 'webhook'")
    await write(outbound, assigned())
    assert await outbound.rows("select state from dispatch") == [("failed",)]


async def test_an_erasure_ends_what_waits_and_empties_the_answers(outbound: Outbound) -> None:
    async with receiving() as receiver, outbound.looping():
        await outbound.endpoint(receiver.url)
        await write(outbound, assigned(1))
        await outbound.until("select state from dispatch", [("done",)])
    await write(outbound, assigned(2), notices=(notice(),))
    async with transaction(outbound.database, "command") as tx:
        await end_dispatches_of_leads(tx, [LEAD])
    states = "select state, count(*) from dispatch group by 1 order by 1"
    assert await outbound.rows(states) == [("done", 1), ("withdrawn", 2)]
    assert await outbound.rows("select answer from attempt") == [("",)]


async def test_mails_about_a_handoff_are_withdrawn_and_webhooks_stay(outbound: Outbound) -> None:
    await outbound.endpoint("https://a.example")
    await write(outbound, assigned(), notices=(notice(),))
    async with transaction(outbound.database, "command") as tx:
        await withdraw_notices(tx, [HANDOFF])
    rows = await outbound.rows("select lane_id::text = :mail, state from dispatch order by 1", mail=MAIL_LANE)
    assert rows == [(False, "waiting"), (True, "withdrawn")]


async def test_what_ended_long_ago_is_deleted_with_its_attempts(outbound: Outbound) -> None:
    async with receiving() as receiver, outbound.looping():
        await outbound.endpoint(receiver.url)
        await write(outbound, assigned())
        await outbound.until("select state from dispatch", [("done",)])
    for days, kept in ((29, 1), (2, 0)):
        await outbound.advance(days=days)
        async with transaction(outbound.database, "periodic") as tx:
            await prune_dispatches(tx)
        assert await outbound.rows("select count(*) from attempt") == [(kept,)]


async def test_standing_counts_what_is_due_and_when_the_next_is(outbound: Outbound) -> None:
    endpoint = await outbound.endpoint("https://a.example")
    await write(outbound, assigned(1))
    await outbound.dispatch(endpoint)
    await outbound.run("update dispatch set next_at = baton_now() + interval '1 hour' where lead_id is null")
    async with reading(outbound.database) as tx:
        standing = await dispatches_standing(tx)
        assert (standing.due, standing.next_due_at) == (1, tx.now.replace(hour=10))


# ---------------------------------------------------------------------------------------------------------------- mails
async def hire(outbound: Outbound) -> None:
    await outbound.run(
        "insert into team (id, name, manager_id, calendar, changed_at) values (:team, 'North', :boss, 'north', now())",
        team=derived_id("team"), boss=rep_id("boss"),
    )  # fmt: skip
    await outbound.run(
        "insert into calendar (name, zone, hours, changed_at) select 'north', 'Europe/Berlin', hours, now()"
        " from calendar where name = 'default'"
    )
    for name in ("r", "boss"):
        await outbound.run(
            "insert into rep (id, team_id, email, changed_at) values (:id, :team, :email, now())",
            id=rep_id(name), team=derived_id("team"), email=f"{name}@baton.example",
        )  # fmt: skip


async def test_mails_reach_their_readers_with_names_asked_at_the_attempt(
    outbound: Outbound, smtp: tuple[SmtpServer, Inbox]
) -> None:
    server, inbox = smtp
    with_mail(outbound, server)
    await hire(outbound)
    outbound.names.known[LEAD] = Person(name="Kim Berg", company="Acme")
    told = (
        notice(),
        notice(id=derived_id(2), what="flag_manager", audience="manager"),
        notice(id=derived_id(3), what="pull_back", audience="marketing", rep_id=None),
        notice(id=derived_id(4), what="queued", audience="queue_owner", queue_owner=str(rep_id("boss")), rep_id=None),
        notice(id=derived_id(5), what="queued", audience="queue_owner", queue_owner="revops", rep_id=None),
    )
    async with outbound.looping():
        await write(outbound, notices=told)
        await outbound.until("select count(*) from dispatch where state <> 'waiting' and state <> 'unknown'", [(5,)])
    letters = b"\n".join(inbox.received).decode()
    for address in ("r@baton.example", "boss@baton.example", "marketing@baton.example"):
        assert f"to: {address}" in letters.lower()
    assert "Kim Berg" in letters
    assert "Wed 10 Jun, 11:00 (Europe/Berlin)" in letters
    assert f"https://baton.example/leads/{LEAD}" in letters.replace("=\r\n", "")
    assert outbound.names.asked == 4
    (nobody,) = await outbound.rows("select outcome, error from attempt where outcome <> 'delivered'")
    assert nobody == ("not_sent", "no mail address is set for revops")


async def test_without_names_a_mail_waits_for_its_next_attempt(
    outbound: Outbound, smtp: tuple[SmtpServer, Inbox]
) -> None:
    server, inbox = smtp
    with_mail(outbound, server)
    await hire(outbound)
    outbound.names.is_away = True
    async with outbound.looping():
        await write(outbound, notices=(notice(),))
        await outbound.until("select outcome, error from attempt", [("names_missing", "busy")])
        assert inbox.received == []
        outbound.names.is_away = False
        await outbound.advance(seconds=6)
        await outbound.until("select state from dispatch", [("done",)])
    assert len(inbox.received) == 1
    assert await outbound.rows("select rate_share, failing_since from lane where channel = 'mail'") == [(1, None)]


async def test_without_a_mail_server_the_log_says_so(outbound: Outbound) -> None:
    async with outbound.looping():
        await write(outbound, notices=(notice(),))
        await outbound.until("select state from dispatch", [("failed",)])
    (row,) = await outbound.rows("select error from attempt")
    assert "BATON_HANDOFF_SMTP_HOST" in row.error


async def test_a_malformed_address_ends_the_mail(outbound: Outbound, smtp: tuple[SmtpServer, Inbox]) -> None:
    with_mail(outbound, smtp[0])
    await hire(outbound)
    await outbound.run("update rep set email = 'nobody'")
    async with outbound.looping():
        await write(outbound, notices=(notice(),))
        await outbound.until("select state from dispatch", [("failed",)])


async def test_a_suppression_is_asked_of_ingest_until_it_answers(outbound: Outbound) -> None:
    outbound.ingest.errors = [Busy("not now")]
    async with outbound.looping():
        await write(outbound, notices=(notice(what="suppress", audience="ingest", rep_id=None),))
        await outbound.until("select outcome, error from attempt", [("unanswered", "busy")])
        await outbound.advance(seconds=6)
        await outbound.until("select state from dispatch", [("done",)])
    path, body = outbound.ingest.called[-1]
    assert (path, body["lead_id"], len(outbound.ingest.called)) == ("POST /internal/withdrawals", str(LEAD), 2)


async def test_what_ingest_refuses_for_good_is_not_asked_again(outbound: Outbound) -> None:
    outbound.ingest.errors = [NotFound("no such lead")]
    async with outbound.looping():
        await write(outbound, notices=(notice(what="suppress", audience="ingest", rep_id=None),))
        await outbound.until("select state from dispatch", [("failed",)])
    assert await outbound.rows("select status, error from attempt") == [(404, "not_found")]


async def test_what_others_say_of_a_lead_is_told_too(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world:
        async with transaction(world.database, "command") as tx:
            columns = {
                "url": "https://a.example", "description": "", "types": [], "pools": [], "products": [],
                "is_sharing": False, "notify_email": None, "rate_per_second": 50,
            }  # fmt: skip
            await insert_endpoint(tx, columns, headers={}, by=None, wrapping=Wrapping([Fernet.generate_key()]))
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(staff_id("anna"))]})
        await world.take(identified("kim"), qualified("kim"))
        rows = await world.rows(
            "select d.type from dispatch d join lane l on l.id = d.lane_id where l.channel = 'webhook' order by number"
        )
    kinds = [".".join(row.type.split(".")[1:3]) for row in rows]
    assert kinds == ["lead.identified", "lead.qualified", "handoff.opened", "handoff.assigned"]


async def test_a_dispatch_that_we_cannot_make_stops_no_other(
    outbound: Outbound, smtp: tuple[SmtpServer, Inbox]
) -> None:
    with_mail(outbound, smtp[0])
    await hire(outbound)
    await write(outbound, notices=(notice(), notice(id=derived_id("second"))))
    await outbound.run("update dispatch set body = 'no card' where id = :id", id=derived_id("notice"))
    async with outbound.looping():
        await outbound.until("select state, attempts from dispatch order by number", [("waiting", 1), ("done", 1)])
    assert await outbound.rows("select error from attempt where outcome = 'broken'") == [("JSONDecodeError",)]
