"""What deliveries of webhooks come to behind the door: one effect, however often and wrongly they are repeated."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from services.ingest.collector import SourceDirectory
from services.ingest.domain.source import Secret, Source
from shared import clock
from shared.ids import derived_id
from shared.stream.handlers import RawEvent
from tests.conformance.ingest.signing import SIGNINGS
from tests.integration.ingest.door import PUBLIC_URL, Door, door_before
from tests.integration.ingest.stage import IngestStage, of_type, raw_event

AT_ONCE = 50
TRIES = 20  # a broker of a busy machine may not acknowledge at once; a sender then sends again
SENDERS = ("mailgun", "sendgrid", "standardwebhooks")


def _source(stage: IngestStage, sender: str) -> Source:
    secret = Secret(derived_id("secret", sender), SIGNINGS[sender].secret)
    return Source(stage.source_id, sender, sender, sender, secrets=(secret,))


async def _deliver(door: Door, sender: str, *, tries: int = TRIES) -> int:
    request = SIGNINGS[sender].signed(now=clock.now().timestamp(), url=f"{PUBLIC_URL}/webhooks/{sender}/{sender}")
    answer = await door.client.post(request.path, content=request.body, headers=request.headers)
    return (
        answer.status_code if answer.status_code != 503 or tries == 1 else await _deliver(door, sender, tries=tries - 1)
    )


def _raw(record: Any) -> RawEvent:  # noqa: ANN401 - the driver's record
    headers: Mapping[str, bytes] = dict(record.headers)
    said = {name: headers[name].decode() for name in ("ce_id", "ce_type", "ce_subject")}
    return RawEvent(UUID(said["ce_id"]), said["ce_type"], said["ce_subject"], record.value, dict(headers))


async def test_the_same_delivery_fifty_times_at_once_is_answered_fifty_times_and_counts_once(
    kafka: str, topic_prefix: str, stage: IngestStage
) -> None:
    directory = SourceDirectory()
    async with door_before(kafka, topic_prefix, directory=directory) as door:
        for sender in SENDERS:
            directory.replace([_source(stage, sender)], [], read_at=clock.monotonic())
            statuses = await asyncio.gather(*(_deliver(door, sender) for _ in range(AT_ONCE)))
            assert set(statuses) == {200}
        records = await door.records()
    assert len(records) >= len(SENDERS) * AT_ONCE
    half = len(records) // 2
    events = [*await stage.handle(*map(_raw, records[:half])), *await stage.handle(*map(_raw, records[half:]))]
    assert sorted(one.sender for one in of_type(events, "activity.recorded")) == sorted(SENDERS)


async def test_a_token_of_mailgun_counts_once_whatever_source_it_comes_to(stage: IngestStage) -> None:
    right = SIGNINGS["mailgun"].signed()
    forged = right.body.replace(b"kim@acme.example", b"eve@acme.example").replace(b'"1"', b'"2"')

    def delivered(body: bytes, source_id: UUID) -> RawEvent:
        headers, path = {"content-type": "application/json"}, "/webhooks/mailgun/x"
        at = datetime.fromisoformat("2026-06-10T10:00:00+00:00")
        return raw_event(
            body, source_id=source_id, sender="mailgun", path=path, verified_by="signature", received_at=at,
            headers=headers,
        )  # fmt: skip

    first = await stage.handle(delivered(right.body, stage.source_id))
    second = await stage.handle(delivered(forged, derived_id("source", "second")))
    assert len(of_type(first, "activity.recorded")) == 1
    assert of_type(second, "activity.recorded") == []
    assert await stage.one("select count(*) from delivery_refusal where reason = 'token_reused'") == 1


async def test_a_token_of_mailgun_that_comes_with_another_body_is_refused_behind_the_door_too(
    stage: IngestStage,
) -> None:
    right = SIGNINGS["mailgun"].signed()
    forged = right._replace(body=right.body.replace(b"kim@acme.example", b"eve@acme.example").replace(b'"1"', b'"2"'))

    def delivered(body: bytes) -> RawEvent:
        headers, path = {"content-type": "application/json"}, "/webhooks/mailgun/x"
        at = datetime.fromisoformat("2026-06-10T10:00:00+00:00")
        return raw_event(
            body, source_id=stage.source_id, sender="mailgun", path=path, verified_by="signature", received_at=at,
            headers=headers,
        )  # fmt: skip

    together = await stage.handle(delivered(right.body), delivered(forged.body))
    later = await stage.handle(delivered(forged.body))
    again = await stage.handle(delivered(right.body))
    assert len(of_type(together, "activity.recorded")) == 1
    assert of_type([*later, *again], "activity.recorded") == []
    assert await stage.one("select count(*) from delivery_refusal where reason = 'token_reused'") == 2
