"""What ingest does by itself: telling accounts, retiring visitors, judging mails again, forgetting ids; its schema."""

import json
from datetime import timedelta

from services.ingest.store import memory
from services.ingest.usecases.accounts import tell_account
from services.ingest.usecases.retention import retire_visitors
from shared.db.engine import transaction
from shared.stream.producer import Producer
from tests.integration.ingest.door import directory_of, listening
from tests.integration.ingest.stage import AT, IngestStage, identify, of_type, page, raw_event


def mails(*events: dict[str, object]) -> bytes:
    common = {"email": "kim@acme.example", "sg_message_id": "m1.x"}
    return json.dumps([{**common, **event} for event in events]).encode()


def mail(kind: str, event_id: str, *, second: int = 0, **more: object) -> dict[str, object]:
    return {"event": kind, "sg_event_id": event_id, "timestamp": int(AT.timestamp()) + second, **more}


async def test_a_later_delivery_or_link_scan_corrects_what_was_taken_for_a_person(stage: IngestStage) -> None:
    async def send(*events: dict[str, object]) -> list[object]:
        left = await stage.handle(
            raw_event(
                mails(*events),
                source_id=stage.source_id,
                sender="sendgrid",
                path="/webhooks/sendgrid/x",
                verified_by="signature",
            )
        )
        recorded = [(one.kind, one.human) for one in of_type(left, "activity.recorded")]
        corrected = [(one.human_before, one.human, one.human_reason) for one in of_type(left, "activity.corrected")]
        return [*recorded, *corrected]

    assert await send(mail("open", "o1", second=1)) == [("email_open", 1.0)]
    assert await send(mail("delivered", "d1")) == [("email_delivered", 1.0), (1.0, 0.1, "open_at_delivery")]
    assert await send(mail("click", "c1", second=60, url="https://a.test/1")) == [("email_click", 1.0)]
    scan = [mail("click", f"c{n}", second=62, url=f"https://a.test/{n}") for n in (2, 3)]
    assert await send(*scan) == [("email_click", 0.0), ("email_click", 0.0), (1.0, 0.0, "link_scan")]
    assert await send(mail("open", "o2", second=9000, sg_machine_open=True)) == [("email_open", 0.0)]
    assert await stage.one("select count(*) from mail_activity") == 6
    keys = await stage.rows("select distinct message_key from mail_activity")
    assert len(keys) == 1
    assert "m1" not in keys[0][0]


async def test_all_people_of_an_account_hear_what_is_newly_known_of_it(stage: IngestStage) -> None:
    first = await stage.send(*(identify(userId=f"u{n}", traits={"email": f"u{n}@acme.example"}) for n in range(3)))
    assert [one.industry for one in of_type(first, "lead.linked")] == [None] * 3
    await stage.send(
        {
            "type": "group",
            "userId": "u0",
            "groupId": "g1",
            "messageId": "g",
            "traits": {"industry": "steel", "employees": 300},
        }
    )
    async with transaction(stage.database, "periodic") as tx:
        await tell_account(tx)
        told = of_type(tx.pending, "lead.linked")
    assert {(one.industry, one.staff_band) for one in told} == {("steel", "201-1000")}
    assert len({one.lead_id for one in told}) == 3
    async with transaction(stage.database, "periodic") as tx:
        await tell_account(tx)
        assert tx.pending == []


async def test_visitors_who_stay_away_are_let_go_and_others_stay(stage: IngestStage) -> None:
    old, new = AT - timedelta(days=400), AT + timedelta(days=300)
    for ids, at in (
        ({"anonymousId": "old"}, old),
        ({"anonymousId": "new"}, new),
        ({"anonymousId": "k", "userId": "known"}, old),
    ):
        await stage.send(page("https://www.example.test/", at=at, **ids), received_at=at)
    async with transaction(stage.database, "periodic") as tx:
        await retire_visitors(tx, days=180)
    assert await stage.rows("select count(*) filter (where erased_at is null), count(*) from lead") == [(2, 3)]
    assert await stage.one("select count(*) from identity_key") == 3
    back = await stage.send(page("https://www.example.test/", anonymousId="old"))
    assert len(of_type(back, "lead.identified")) == 1


async def test_forgetting_leaves_what_is_still_remembered(stage: IngestStage) -> None:
    await stage.send(page("https://www.example.test/", anonymousId="a"))
    async with transaction(stage.database, "periodic") as tx:
        await memory.forget(tx)
    assert await stage.one("select count(*) from activity_seen_server") == 1


async def test_without_kafka_nothing_is_promised() -> None:
    never_started = Producer("127.0.0.1:1", client_id="door")
    async with listening(never_started, directory_of()) as door:
        answer = await door.post("/v1/batch", b'{"batch":[{"type":"page","userId":"u"}]}')
        nothing = await door.post("/v1/batch", b'{"batch":[]}')
    assert (answer.status_code, nothing.status_code) == (503, 200)
    assert 1 <= int(answer.headers["retry-after"]) <= 30
