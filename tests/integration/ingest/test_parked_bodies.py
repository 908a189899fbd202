"""Bodies that are set aside stay 30 days at most, and none outlives the erasure of somebody it names."""

from uuid import UUID

import pytest

from services.ingest.consumer import handlers
from services.ingest.domain.keys import Key, KeyKind
from services.ingest.store.parked_bodies import forget_bodies
from services.ingest.store.results import LEDGER
from services.ingest.usecases.erasing import erase
from shared.db.engine import reading, transaction
from shared.db.ledger import find_gaps
from shared.errors import Refused
from shared.ids import new_id
from shared.stream import parked
from tests.integration.ingest.stage import HASHED, IngestStage, batch, identify, raw_event

_PARK = """
    insert into parked (id, consumer, topic, partition, "offset", event_id, event_type, key, source, headers, payload,
                        reason, detail, is_ours, state, parked_at, settled_because)
    values (:id, 'ingest', 'deliveries', 0, 1, :id, '', 'kim', '', cast(:headers as text), cast(:body as bytea),
            'not_json', 'no JSON', false, :state, now() - make_interval(days => :days), 'a test')
"""
_LEFT = "select detail from parked where id = :id and (payload, headers, key) = ('', '{}', '')"


async def _park(
    stage: IngestStage, body: bytes = b"[1", *, days: int = 0, state: str = "open", headers: str = '{"a": "b"}'
) -> UUID:
    parked_id = new_id()
    await stage.change(_PARK, id=parked_id, headers=headers, body=body, state=state, days=days)
    return parked_id


async def test_bodies_go_after_thirty_days_and_settled_rows_when_the_inbox_no_longer_asks_for_them(
    stage: IngestStage,
) -> None:
    young, old = await _park(stage, days=29), await _park(stage, days=31)
    settled = await _park(stage, days=31, state="discarded")
    asked_for = await _park(stage, days=31, state="discarded")
    await stage.change("insert into inbox (consumer, event_id) values ('ingest', :id)", id=asked_for)
    await _park(stage, days=29, state="discarded")
    await stage.send(*(identify(userId="", messageId=f"kim@acme.example{n}") for n in range(2)))
    await stage.change(
        "update delivery_refusal set event_id = 'kim@acme.example', refused_at = refused_at - interval '1 year'"
    )
    for _ in range(2):
        async with transaction(stage.database, "periodic") as tx:
            await forget_bodies(tx)
    for gone in (old, asked_for):
        assert "The body is gone" in await stage.one(_LEFT, id=gone)
    assert await stage.rows("select id from parked where id = :id", id=settled) == []
    assert await stage.rows(_LEFT, id=young) == []
    assert await stage.one("select count(*) from parked where state = 'discarded' and payload <> ''") == 1
    assert await stage.one("select count(*) from delivery_refusal") > 0
    assert await stage.one("select count(event_id) from delivery_refusal") == 0
    async with reading(stage.database) as tx:
        assert await find_gaps(tx, LEDGER) == []
    with pytest.raises(Refused, match="body is gone"):
        await parked.replay(stage.database, [handlers(HASHED)], old, by="test")
    await parked.discard(stage.database, old, by="test", reason="its body is gone")


async def test_an_erasure_empties_the_bodies_that_name_the_person_and_no_other(stage: IngestStage) -> None:
    who = {"email": "kim+a@acme.example", "phone": "+493012345678"}
    await stage.send(identify(userId="user-kim-1", anonymousId="anon-kim-1", traits=who))
    naming = [
        b'{"email": "Kim+A@Acme.Example", ',
        b"who=kim%2Ba%40acme.example&x=1",
        b"\xff\xfe\x00kim+a@acme.example\x00",
        b'"{\\"to\\":\\"\\nkim+a@acme.example\\"}',
        b"tel:+493012345678",
        b"tel=%2B493012345678",
        b"<id>user-kim-1</id>",
        "é".encode() + b"user-kim-1",
    ]
    others = [b"{joakim+a@acme.example", b"4930123456789", b"user-kim-12", b"kim@acme.example", b"\\", b""]
    ids = [await _park(stage, body) for body in naming]
    ids += [await _park(stage, b"kim+a@acme.example", state="replayed")]
    ids += [await _park(stage, b"[1", headers='{"batonrequest": "{\\"query\\": \\"who=kim%2Ba%40acme.example\\"}"}')]
    kept = [await _park(stage, body) for body in others]
    keys = (Key(KeyKind.USER, "user-kim-1"), Key(KeyKind.ANONYMOUS, "a"))  # the others are known from the profile
    async with transaction(stage.database, "command") as tx:
        await erase(tx, lead_id=None, keys=keys, by="test", hashed=HASHED)
    assert [one for one in ids if await stage.rows(_LEFT, id=one) == []] == []
    assert [one for one in kept if await stage.rows(_LEFT, id=one) != []] == []


async def test_an_erasure_by_id_finds_the_bodies_by_what_the_profile_said(stage: IngestStage) -> None:
    await stage.handle(
        raw_event(batch(identify(userId="u", traits={"email": "kim@acme.example"})), source_id=stage.source_id)
    )
    named, other = await _park(stage, b"{kim@acme.example"), await _park(stage, b"{lee@acme.example")
    async with transaction(stage.database, "command") as tx:
        lead_id = await stage.lead_of("email", "kim@acme.example")
        await erase(tx, lead_id=lead_id, keys=(), by="test", hashed=HASHED)
    assert len(await stage.rows(_LEFT, id=named)) == 1
    assert await stage.rows(_LEFT, id=other) == []
