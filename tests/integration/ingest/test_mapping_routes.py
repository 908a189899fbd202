"""A mapping is tried on what a generic source delivered last, read back from the log, before it is set."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from services.ingest.collector.keep import record_headers
from services.ingest.domain.source import SourceSettings
from services.ingest.usecases.mapping import TRIED_MAX, dry_run, kept_in_the_log
from shared.ids import new_id
from shared.stream.producer import Producer
from shared.stream.tail import NewestRecord
from shared.stream.topics import create_topics
from tests.integration.ingest.counter import opened
from tests.integration.ingest.stage import AT, IngestStage

BODY = {"type": "signup", "who": {"mail": "kim@acme.example", "firm": "Acme"}, "at": 1_781_085_600, "plan": "gold"}
MAPPING = {
    "kind": {"path": "type", "table": {"signup": "trial_started"}},
    "time": "at",
    "email": "who.mail",
    "company": "who.firm",
    "properties.plan": "plan",
}


def request_of(source_id: UUID, path: str = "/webhooks/generic/x") -> dict[str, object]:
    return {
        "source_id": str(source_id),
        "sender": "generic",
        "method": "POST",
        "path": path,
        "headers": {"content-type": "application/json"},
        "verified_by": "shared_secret",
        "received_at": AT.isoformat(),
    }


def record(body: object, source_id: UUID) -> NewestRecord:
    headers = record_headers(new_id(), "k", request_of(source_id), AT)
    return NewestRecord(int(AT.timestamp() * 1000), tuple(headers), json.dumps(body).encode())


def test_a_dry_run_tells_what_would_be_and_no_value_of_a_person() -> None:
    source_id = new_id()
    tried = dry_run(SourceSettings(), MAPPING, [record(BODY, source_id), record([BODY, {}], source_id)])
    one, two = tried
    (event,) = one.events
    assert {name: event[name] for name in ("kind", "identifiers", "fields", "properties")} == {
        "kind": "trial_started",
        "identifiers": ["email"],
        "fields": ["company", "company.name", "email"],
        "properties": ["plan"],
    }
    assert [refusal["reason"] for refusal in two.refusals] == ["nothing_mapped"]
    assert "kim@acme.example" not in str(tried)
    assert "Acme" not in str(tried)


def test_a_dry_run_says_why_a_body_would_be_parked() -> None:
    broken = NewestRecord(0, tuple(record_headers(new_id(), "k", request_of(new_id()), AT)), b"{")
    nothing = NewestRecord(0, (), b"")
    tried = dry_run(SourceSettings(), MAPPING, [broken, nothing])
    assert ["not JSON" in tried[0].error, "no delivery" in tried[1].error] == [True, True]


async def test_the_last_deliveries_of_a_source_are_read_back_newest_first_and_bounded(
    kafka: str, topic_prefix: str
) -> None:
    await create_topics(kafka, partitions=2, replication=1, topic_prefix=topic_prefix)
    own, other = new_id(), new_id()
    producer = Producer(kafka, client_id="tests", topic_prefix=topic_prefix)
    await producer.start()
    try:
        for number in range(TRIED_MAX + 5):
            for source_id in (own, other):
                body = json.dumps({**BODY, "id": f"{source_id}-{number}"}).encode()
                key = str(new_id())
                await producer.send("deliveries", key, body, record_headers(new_id(), key, request_of(source_id), AT))
    finally:
        await producer.stop()
    kept: Sequence[NewestRecord] = await kept_in_the_log(
        own, bootstrap_servers=kafka, topic=f"{topic_prefix}deliveries"
    )
    ids = [json.loads(one.value)["id"] for one in kept]
    assert len(ids) == TRIED_MAX
    assert all(one.startswith(str(own)) for one in ids)
    assert f"{own}-{TRIED_MAX + 4}" in ids
    assert [one.written_ms for one in kept] == sorted((one.written_ms for one in kept), reverse=True)


async def test_the_route_tries_a_mapping_and_refuses_a_bad_one_with_field_and_reason(stage: IngestStage) -> None:
    async def kept(source_id: UUID, *, body: object = BODY) -> Sequence[NewestRecord]:
        return [record(body, source_id)]

    async with opened(stage, kept=partial(kept, body=BODY)) as counter:
        asked: dict[str, Any] = {"sender": "generic", "name": "n8n"}
        source_id = (await counter.call("POST", "/v1/sources", json=asked)).json()["id"]
        path = f"/v1/sources/{source_id}/mapping/dry-run"
        tried = await counter.call("POST", path, json={"mapping": MAPPING})
        assert tried.status_code == 200, tried.text
        (delivery,) = tried.json()["deliveries"]
        assert [(one["kind"], one["name"], one["has_id"]) for one in delivery["events"]] == [
            ("trial_started", "trial_started", False)
        ]
        assert "kim@acme.example" not in tried.text
        for row, reason in (
            ({"email": "a..b"}, "cannot read"),
            ({"mail": "a"}, "no field"),
            ({"kind": {"value": "x"}}, "kind"),
        ):
            refused = await counter.call("POST", path, json={"mapping": row})
            error = refused.json()["errors"][0]
            assert (refused.status_code, error["pointer"]) == (422, f"/mapping/{next(iter(row))}")
            assert reason in error["message"]
            set_so = await counter.call(
                "PATCH",
                f"/v1/sources/{source_id}",
                json={"settings": {"mapping": row}},
                headers={"if-match": '"1"'},
            )
            error = set_so.json()["errors"][0]
            assert (set_so.status_code, error["pointer"]) == (422, "/settings/mapping"), set_so.text
            assert next(iter(row)) in error["message"]
        other = (await counter.call("POST", "/v1/sources", json={"sender": "segment", "name": "site"})).json()["id"]
        wrong = await counter.call("POST", f"/v1/sources/{other}/mapping/dry-run", json={"mapping": MAPPING})
        missing = await counter.call("POST", f"/v1/sources/{new_id()}/mapping/dry-run", json={"mapping": MAPPING})
        reader = await counter.call("POST", path, json={"mapping": MAPPING}, role="rep")
        assert (wrong.status_code, missing.status_code, reader.status_code) == (422, 404, 403)


async def test_a_log_that_does_not_answer_is_told_as_busy(stage: IngestStage) -> None:
    async with opened(stage) as counter:
        made = await counter.call("POST", "/v1/sources", json={"sender": "generic", "name": "n8n"})
        answer = await counter.call("POST", f"/v1/sources/{made.json()['id']}/mapping/dry-run", json={})
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
