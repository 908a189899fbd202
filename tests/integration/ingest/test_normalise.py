"""Deliveries become leads, consent and activities; every event of a delivery ends in one count."""

from datetime import timedelta

import pytest

from services.ingest.domain.identity import TREE_MEMBERS_MAX
from services.ingest.store.results import LEDGER
from shared.db.engine import reading, transaction
from shared.db.ledger import find_gaps
from shared.stream.handlers import ParkError
from tests.integration.ingest.stage import AT, IngestStage, batch, identify, of_type, page, raw_event, track


async def test_a_batch_becomes_a_lead_with_its_activities(stage: IngestStage) -> None:
    events = await stage.send(
        identify(
            userId="u1",
            anonymousId="a1",
            traits={"email": "Kim@Acme.example", "title": "VP Sales", "company": {"name": "Acme", "is_target": True}},
        ),
        page("https://www.example.test/pricing?utm_source=ads&utm_campaign=june", userId="u1"),
        track("Demo Requested", userId="u1", properties={"plan": "gold", "card": "4111"}),
    )
    identified = of_type(events, "lead.identified")
    assert [(one.is_known, one.title_level, one.traffic_source) for one in identified] == [(True, "vp", "ads")]
    linked = of_type(events, "lead.linked")
    assert [(one.domain, one.by, one.is_target) for one in linked] == [("acme.example", "domain", True)]
    recorded = of_type(events, "activity.recorded")
    assert [(one.kind, one.content) for one in recorded] == [("pricing_viewed", "pricing"), ("demo_requested", None)]
    assert [(one.name, one.value) for one in recorded[1].properties] == [("plan", "gold")]
    profiling = [one for one in of_type(events, "lead.consent_changed") if one.purpose == "profiling"]
    assert [(one.consent, one.is_allowed) for one in profiling] == [("granted", True)]
    assert all("acme.example" not in event.payload.model_dump_json() for event in events if "linked" not in event.type)


async def test_the_same_events_again_add_nothing(stage: IngestStage) -> None:
    event = track("Form Submitted", userId="u1", message_id="m1")
    await stage.send(event, event)
    again = await stage.send(event)
    assert of_type(again, "activity.recorded") == []
    assert await stage.one("select sum(repeats) from delivery_result") == 2
    assert await stage.one("select sum(activities) from delivery_result") == 1


async def test_the_same_id_with_another_body_is_counted_and_the_first_wins(stage: IngestStage) -> None:
    await stage.send(track("Form Submitted", userId="u1", message_id="m1"))
    await stage.send(track("Trial Started", userId="u1", message_id="m1"))
    assert await stage.rows("select sum(activities), sum(repeats), sum(ids_reused) from delivery_result") == [(1, 1, 1)]


async def test_the_same_id_from_two_sources_is_two_activities(stage: IngestStage) -> None:
    event = track("Form Submitted", userId="u1", message_id="m1")
    await stage.send(event)
    other = await stage.send(event, source_id=stage.silent_source_id)
    assert len(of_type(other, "activity.recorded")) == 1


async def test_a_merge_beyond_the_bound_of_a_tree_is_refused_and_shown(stage: IngestStage) -> None:
    shared = {"email": "office@acme.example"}
    for number in range(1, TREE_MEMBERS_MAX):
        await stage.send(identify(userId=f"u{number}"))
    await stage.send(identify(userId="first", traits=shared))
    for number in range(1, TREE_MEMBERS_MAX):
        await stage.send(identify(userId=f"u{number}", traits=shared))
    assert await stage.one("select count(*) from delivery_refusal") == 0
    await stage.send(identify(userId="late"))
    late = await stage.send(identify(userId="late", traits=shared))
    assert of_type(late, "lead.merged") == []
    assert await stage.rows("select index, reason, source_id from delivery_refusal") == [
        (0, "tree_too_large", stage.source_id)
    ]


async def test_the_ledger_of_a_mixed_batch_has_no_gap(stage: IngestStage) -> None:
    await stage.handle(
        raw_event(batch(page("/", anonymousId="a1"), {"type": "nonsense"}), source_id=stage.source_id),
        raw_event(
            b'[{"event":"processed","email":"kim@acme.example","timestamp":1,"sg_event_id":"x"},'
            b'{"event":"open","email":"kim@acme.example","timestamp":1780000000,"sg_event_id":"y","sg_message_id":"m.1"}]',
            source_id=stage.source_id,
            sender="sendgrid",
            path="/webhooks/sendgrid/x",
            verified_by="signature",
        ),
    )
    async with reading(stage.database) as tx:
        assert await find_gaps(tx, LEDGER) == []
    assert await stage.rows(
        "select events, activities, statuses, refused from delivery_result order by events, statuses"
    ) == [(2, 1, 0, 1), (2, 1, 1, 0)]


@pytest.mark.parametrize(
    ("body", "parked_as", "slug"),
    [(b"not json", None, "not_json"), (b'{"batch":[]}', "origin_not_listed", "origin_not_listed")],
)
async def test_what_senders_are_to_blame_for_is_parked_and_never_stops_the_consumer(
    stage: IngestStage, body: bytes, parked_as: str | None, slug: str
) -> None:
    good = raw_event(batch(page("/", anonymousId="a1")), source_id=stage.source_id)
    with pytest.raises(ParkError) as parked:
        await stage.handle(good, raw_event(body, source_id=stage.source_id, parked_as=parked_as))
    assert (parked.value.slug, parked.value.is_ours, parked.value.source) == (slug, False, str(stage.source_id))
    assert len(await stage.handle(good)) > 0


async def test_what_came_from_a_new_page_is_taken_once_its_origin_is_listed(stage: IngestStage) -> None:
    beacon = raw_event(
        batch(page("/", anonymousId="a1")),
        source_id=stage.source_id,
        parked_as="origin_not_listed",
        headers={"origin": "https://new.example"},
    )
    with pytest.raises(ParkError):
        await stage.handle(beacon)
    async with transaction(stage.database, "command") as tx:
        await tx.execute(
            """update source set settings = settings || '{"origins": ["https://new.example"]}' where id = :id""",
            {"id": stage.source_id},
        )
    assert len(of_type(await stage.handle(beacon), "activity.recorded")) == 1


async def test_small_differences_of_sent_at_move_nothing_and_two_hours_move_both(stage: IngestStage) -> None:
    ad = page("https://www.example.test/landing?utm_source=ads", at=AT, anonymousId="a1")
    pricing = page("https://www.example.test/pricing", at=AT + timedelta(seconds=20), anonymousId="a1")
    await stage.handle(
        raw_event(
            batch(pricing, sent_at=AT + timedelta(seconds=20)),
            source_id=stage.source_id,
            received_at=AT + timedelta(seconds=20),
        )
    )
    events = await stage.handle(
        raw_event(batch(ad, sent_at=AT), source_id=stage.source_id, received_at=AT + timedelta(seconds=30))
    )
    assert [one.occurred_at for one in of_type(events, "activity.recorded")] == [AT]
    assert await stage.rows("select first_page, traffic_source from lead") == [("/landing", "ads")]
