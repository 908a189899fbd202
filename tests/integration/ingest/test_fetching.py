"""What a sender only names is fetched from its own API alone, once, with bounded tries, and failures are seen."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from cryptography.fernet import Fernet, MultiFernet

from services.ingest.collector.keep import record_headers
from services.ingest.consumer import handlers
from services.ingest.dispatches import FetchLoop
from services.ingest.domain.fetching import TRIES_MAX
from services.ingest.store import sources
from services.ingest.store.fetches import FETCH_LEDGER, fetches_standing, forget_fetches
from services.ingest.usecases.asked import erase_asked, erase_waiting
from shared.contracts.deliveries import DELIVERY_TYPE
from shared.db.engine import reading, transaction
from shared.db.ledger import find_gaps
from shared.ids import new_id
from shared.stream import parked
from shared.stream.decode import receive
from shared.stream.handlers import ParkError, RawEvent
from shared.web.client import AddressGuard, OutboundClient
from tests.integration.ingest.stage import HASHED, IngestStage, of_type, raw_event
from tests.support.material import material
from tests.support.receiver import Receiver, Reply, receiving

WRAPPING = MultiFernet([Fernet(Fernet.generate_key())])
LOCAL = AddressGuard(is_plain_allowed=True, ports=None, is_loopback_allowed=True)
TOKEN = "a-token-of-tests"
ORDER = {
    "resource_uri": "https://www.eventbriteapi.com/v3/orders/123/",
    "id": "123",
    "created": "2026-06-10T10:00:00Z",
    "email": "kim@acme.example",
    "name": "Kim Doe",
    "event": {"name": {"text": "SLA day"}, "online_event": False},
}


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as it lies on the topic."""

    offset: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass
class Topic:
    """Takes what the loop delivers, as the topic would."""

    records: list[Stored] = field(default_factory=list)

    async def deliver(
        self, delivery_id: UUID, key: str, body: bytes, *, request: dict[str, object], received_at: datetime
    ) -> None:
        headers = list(record_headers(delivery_id, key, request, received_at))
        self.records.append(Stored(len(self.records), key.encode(), body, headers))

    def raw(self, at: int = -1) -> RawEvent:
        record = self.records[at]
        headers = dict(record.headers)
        return RawEvent(UUID(headers["ce_id"].decode()), DELIVERY_TYPE, "", record.value, headers)


async def source_with_token(stage: IngestStage, receiver: Receiver, *, sender: str = "eventbrite") -> UUID:
    """A source whose API lies at the receiver."""
    source_id, base = new_id(), receiver.url.removesuffix("/hook")
    async with transaction(stage.database, "command") as tx:
        settings = {"consent": "granted", "options": {"api_url": base}}
        await sources.add_source(
            tx, source_id=source_id, sender=sender, name=sender, address=str(source_id), settings=settings
        )
        await sources.add_key(
            tx,
            key_id=new_id(),
            source_id=source_id,
            kind="api_token",
            shown_prefix="",
            sha256=None,
            wrapped=WRAPPING.encrypt(TOKEN.encode()),
        )
    return source_id


def notice(source_id: UUID, url: str, *, action: str = "order.placed") -> RawEvent:
    """What Eventbrite delivers."""
    body = json.dumps({"api_url": url, "config": {"action": action}}).encode()
    return raw_event(
        body, source_id=source_id, sender="eventbrite", path="/webhooks/eventbrite/x", verified_by="address"
    )


def loop_of(stage: IngestStage, topic: Topic, guard: AddressGuard = LOCAL) -> FetchLoop:
    return FetchLoop(stage.database, OutboundClient(guard), deliver=topic.deliver, wrapping=WRAPPING)


async def make_due(stage: IngestStage) -> None:
    await stage.change("update fetch_due set due_at = baton_now()")


async def test_what_was_named_is_fetched_once_with_the_token_and_becomes_an_activity(stage: IngestStage) -> None:
    topic = Topic()
    async with receiving(Reply(body=json.dumps(ORDER).encode())) as receiver:
        source_id = await source_with_token(stage, receiver)
        url = f"{receiver.url.removesuffix('/hook')}/v3/orders/123/"
        await stage.handle(notice(source_id, url))
        await stage.handle(notice(source_id, url))
        async with reading(stage.database) as tx:
            assert (await fetches_standing(tx)).due == 1
        loop = loop_of(stage, topic)
        assert [await loop.once(), await loop.once()] == [1, 0]
    (asked,) = receiver.received
    assert (asked.path, asked.headers["authorization"]) == ("/v3/orders/123/?expand=event,attendees", f"Bearer {TOKEN}")
    assert asked.headers["host"] == urlsplit(receiver.url).netloc
    (recorded,) = of_type(await stage.handle(topic.raw()), "activity.recorded")
    assert (recorded.kind, recorded.asset) == ("field_event_registered", "SLA day")
    assert await stage.rows("select state, tries, problem from fetch_due") == [("done", 1, "")]
    assert of_type(await stage.handle(topic.raw()), "activity.recorded") == []


async def test_what_waits_is_asked_at_the_host_its_source_names_now(stage: IngestStage) -> None:
    """Noted under another host and asked under a new token, it would carry that token there."""
    topic = Topic()
    async with receiving() as former, receiving(Reply(body=json.dumps(ORDER).encode())) as receiver:
        source_id = await source_with_token(stage, former)
        await stage.handle(notice(source_id, f"{former.url.removesuffix('/hook')}/v3/orders/123/"))
        settings = json.dumps({"options": {"api_url": receiver.url.removesuffix("/hook")}})
        await stage.change(
            "update source set settings = cast(:said as jsonb) where id = :id", said=settings, id=source_id
        )
        assert await loop_of(stage, topic).once() == 1
        assert former.received == []
    assert [asked.path for asked in receiver.received] == ["/v3/orders/123/?expand=event,attendees"]


async def test_no_address_of_a_body_is_ever_asked(stage: IngestStage) -> None:
    file, topic = material("vectors/eventbrite.json"), Topic()
    stated = [] if file is None else [one["body"] for one in json.loads(file.read_text())["cases"]]
    traps = [body["api_url"] for body in stated if not body["api_url"].startswith("https://www.eventbriteapi.com/")]
    async with receiving() as receiver:
        host = urlsplit(receiver.url).netloc
        source_id = await source_with_token(stage, receiver)
        traps += [
            f"http://user@{host}/v3/orders/1/",
            f"http://127.0.0.1@{host}/v3/orders/1/",
            f"http://{host}.evil.example/v3/orders/1/",
            f"http://{host}/v3/orders/1/../../admin/",
            f"http://{host}/v3/orders/1/?x=1",
            f"https://{host}/v3/orders/1/",
        ]
        await stage.handle(*(notice(source_id, url) for url in traps))
        assert await loop_of(stage, topic).once() == 0
    assert (receiver.received, topic.records) == ([], [])
    refused = await stage.rows("select reason, count(*) from delivery_refusal group by 1")
    assert refused == [("foreign_address", len(traps))]


async def test_an_api_on_a_network_we_do_not_go_to_is_never_connected_and_is_parked_at_once(stage: IngestStage) -> None:
    topic, strict = Topic(), AddressGuard(is_plain_allowed=True, ports=None)
    async with receiving() as receiver:
        source_id = await source_with_token(stage, receiver)
        await stage.handle(notice(source_id, f"{receiver.url.removesuffix('/hook')}/v3/orders/1/"))
        assert await loop_of(stage, topic, strict).once() == 1
    assert receiver.received == []
    with pytest.raises(ParkError, match="network we do not go to") as error:
        await stage.handle(topic.raw())
    assert (error.value.slug, error.value.source, error.value.is_ours) == ("fetch_failed", str(source_id), False)
    assert await stage.one("select state from fetch_due") == "failed"


@pytest.mark.parametrize(
    ("status", "tries"), [(500, TRIES_MAX), (401, TRIES_MAX), (429, TRIES_MAX), (410, 1), (302, TRIES_MAX)]
)
async def test_tries_are_bounded_and_a_refusal_for_good_ends_them(stage: IngestStage, status: int, tries: int) -> None:
    topic = Topic()
    async with receiving(Reply(status)) as receiver:
        source_id = await source_with_token(stage, receiver)
        await stage.handle(notice(source_id, f"{receiver.url.removesuffix('/hook')}/v3/orders/1/"))
        loop = loop_of(stage, topic)
        for _ in range(TRIES_MAX + 2):
            await make_due(stage)
            await loop.once()
    assert len(receiver.received) == tries
    assert await stage.rows("select state, tries from fetch_due") == [("failed", tries)]
    with pytest.raises(ParkError, match=str(status)):
        await stage.handle(topic.raw())
    assert len(topic.records) == 1


async def test_a_failed_fetch_is_asked_again_when_it_is_replayed(stage: IngestStage) -> None:
    topic, table = Topic(), handlers(HASHED)
    async with receiving(Reply(410), Reply(body=json.dumps(ORDER).encode())) as receiver:
        source_id = await source_with_token(stage, receiver)
        await stage.handle(notice(source_id, f"{receiver.url.removesuffix('/hook')}/v3/orders/123/"))
        loop = loop_of(stage, topic)
        await loop.once()
        received = receive(table, topic.records[-1], place="deliveries/0")
        async with transaction(stage.database, "park") as tx:
            one = parked.Parked("ingest", "deliveries", 0, received, "fetch_failed", "410", False, str(source_id))
            assert await parked.keep(tx, one)
        parked_id = await stage.one("select id from parked")
        await parked.replay(stage.database, [table], parked_id, by="kim")
        assert await loop.once() == 1
    assert [one.path for one in receiver.received] == ["/v3/orders/123/?expand=event,attendees"] * 2
    assert len(of_type(await stage.handle(topic.raw()), "activity.recorded")) == 1
    assert await stage.one("select state from parked") == "replayed"


async def test_a_replay_asks_the_api_that_the_source_has_by_then(stage: IngestStage) -> None:
    topic, table = Topic(), handlers(HASHED)
    async with receiving(Reply(410)) as wrong, receiving(Reply(body=json.dumps(ORDER).encode())) as right:
        source_id = await source_with_token(stage, wrong)
        await stage.handle(notice(source_id, f"{wrong.url.removesuffix('/hook')}/v3/orders/123/"))
        loop = loop_of(stage, topic)
        await loop.once()
        received = receive(table, topic.records[-1], place="deliveries/0")
        async with transaction(stage.database, "park") as tx:
            one = parked.Parked("ingest", "deliveries", 0, received, "fetch_failed", "410", False, str(source_id))
            assert await parked.keep(tx, one)
        settings = json.dumps({"consent": "granted", "options": {"api_url": right.url.removesuffix("/hook")}})
        await stage.change(
            "update source set settings = cast(:settings as jsonb) where id = :id", settings=settings, id=source_id
        )
        await parked.replay(stage.database, [table], await stage.one("select id from parked"), by="kim")
        assert await loop.once() == 1
    assert [one.path for one in right.received] == ["/v3/orders/123/?expand=event,attendees"]
    assert len(wrong.received) == 1


async def test_a_source_without_a_token_says_so_and_asks_nobody(stage: IngestStage) -> None:
    topic = Topic()
    async with receiving() as receiver:
        source_id = await source_with_token(stage, receiver)
        await stage.change("update source_key set valid_until = baton_now() - interval '1 second'")
        await stage.handle(notice(source_id, f"{receiver.url.removesuffix('/hook')}/v3/orders/1/"))
        await loop_of(stage, topic).once()
    assert receiver.received == []
    assert "API token" in await stage.one("select problem from fetch_due")
    assert await stage.one("select due_at > baton_now() from fetch_due")


async def test_a_privacy_deletion_in_the_crm_erases_the_person(stage: IngestStage) -> None:
    async with receiving() as receiver:
        source_id = await source_with_token(stage, receiver, sender="hubspot")

    def event(number: int, kind: str, **more: object) -> bytes:
        said = {"eventId": number, "objectId": 77, "portalId": 1, "subscriptionId": 2, "occurredAt": 1_781_085_600_000}
        return json.dumps([{**said, "subscriptionType": kind, **more}]).encode()

    async def send(body: bytes) -> None:
        path = "/webhooks/hubspot/x"
        await stage.handle(raw_event(body, source_id=source_id, sender="hubspot", path=path, verified_by="signature"))

    await send(event(1, "contact.propertyChange", propertyName="email", propertyValue="kim@acme.example"))
    assert await stage.one("select count(*) from profile") == 1
    await send(event(2, "contact.privacyDeletion"))
    await send(event(2, "contact.privacyDeletion", attemptNumber=3))
    assert await stage.one("select count(*) from erasure_due") == 1
    async with transaction(stage.database, "periodic") as tx:
        await erase_asked(tx, hashed=HASHED)
        assert [event.type for event in tx.pending] == ["baton.lead.erased.v1"]
    assert await stage.rows("select count(*) from profile union all select count(*) from erasure_due") == [(0,), (0,)]
    assert await stage.one("select asked.by from erasure asked") == f"source:{source_id}"
    await send(event(3, "contact.propertyChange", propertyName="jobtitle", propertyValue="VP"))
    assert await stage.one("select sum(suppressed) from delivery_result") == 1


async def test_a_source_with_much_to_fetch_leaves_room_for_the_others(stage: IngestStage) -> None:
    async with receiving(Reply(body=json.dumps(ORDER).encode())) as receiver:
        base = receiver.url.removesuffix("/hook")
        busy, other = [await source_with_token(stage, receiver) for _ in range(2)]
        await stage.handle(*(notice(busy, f"{base}/v3/orders/{n}/") for n in range(10)))
        await stage.handle(notice(other, f"{base}/v3/orders/123/"))
        await stage.change("update fetch_due set due_at = due_at - interval '1 hour' where source_id = :id", id=busy)
        loop = loop_of(stage, Topic())
        assert await loop.once() == 3
        done = await stage.rows("select source_id, count(*) from fetch_due where state = 'done' group by 1")
        assert {tuple(row) for row in done} == {(busy, 2), (other, 1)}
        assert [await loop.once() for _ in range(5)] == [2, 2, 2, 2, 0]


async def test_all_whom_a_sender_wants_erased_are_erased_in_one_round_as_far_as_its_time_goes(
    stage: IngestStage,
) -> None:
    for number in range(5):
        await stage.change(
            "insert into erasure_due (id, keys, asked_by) values (:id, cast(:keys as jsonb), 'source:x')",
            id=new_id(),
            keys=json.dumps([["user", f"user-{number}"]]),
        )
    assert await erase_waiting(stage.database, hashed=HASHED, seconds=0.0) == 1
    assert await erase_waiting(stage.database, hashed=HASHED, seconds=600.0) == 4
    assert await erase_waiting(stage.database, hashed=HASHED, seconds=600.0) == 0
    assert await stage.one("select count(*) from erasure") == 5


async def test_a_merge_in_the_crm_joins_the_persons(stage: IngestStage) -> None:
    async with receiving() as receiver:
        source_id = await source_with_token(stage, receiver, sender="hubspot")
    said = {"portalId": 1, "subscriptionId": 2, "occurredAt": 1_781_085_600_000}
    made = [{**said, "eventId": n, "objectId": 70 + n, "subscriptionType": "contact.creation"} for n in (1, 2, 3)]
    merge = {**said, "eventId": 9, "objectId": 71, "subscriptionType": "contact.merge", "mergedObjectIds": [72, 73]}
    _, found = [
        await stage.handle(
            raw_event(
                json.dumps(events).encode(),
                source_id=source_id,
                sender="hubspot",
                path="/webhooks/hubspot/x",
                verified_by="signature",
            )
        )
        for events in (made, [merge])
    ]
    assert [one.reason for one in of_type(found, "lead.merged")] == ["crm_id", "crm_id"]
    assert await stage.one("select count(distinct root_id) from lead") == 1


async def test_what_waits_too_long_is_a_gap_and_what_was_settled_long_ago_is_forgotten(stage: IngestStage) -> None:
    async with receiving() as receiver:
        source_id = await source_with_token(stage, receiver)
        base = receiver.url.removesuffix("/hook")
        await stage.handle(notice(source_id, f"{base}/v3/orders/1/"), notice(source_id, f"{base}/v3/orders/2/"))
    async with reading(stage.database) as tx:
        assert await find_gaps(tx, FETCH_LEDGER) == []
    await stage.change("update fetch_due set created_at = created_at - interval '4 days'")
    await stage.change(
        "update fetch_due set state = 'done', settled_at = baton_now() - interval '36 days' where url like '%/2/%'"
    )
    async with transaction(stage.database, "periodic") as tx:
        await forget_fetches(tx)
        assert [gap.rows for gap in await find_gaps(tx, FETCH_LEDGER)] == [1]
    assert await stage.one("select count(*) from fetch_due") == 1
