"""47 poison inputs through the real door and the real consumer: no 5xx, nobody stuck, nothing lost, nothing stored."""

import asyncio
import json
import re
from uuid import UUID

from shared.contracts.envelope import Event, Payload
from shared.stream.handlers import ParkError, RawEvent
from tests.integration.ingest.door import SEGMENT_ID, SERVER_KEY, Door, door_before
from tests.integration.ingest.poison import POISON, Poison
from tests.integration.ingest.stage import IngestStage, of_type
from tests.support.material import material

HELD_OPEN = 400
PATIENCE_SECONDS = 40.0
# What no column and no event may hold: non-numbers, NUL, a lone surrogate, a foreign header line.
STORED_POISON = re.compile(r"NaN|Infinity|\\u0000|\x00|[\ud800-\udfff]|\\ud8|Bcc: ")


def test_every_input_of_the_list_is_tried_here() -> None:
    listed = material("vectors/poison_inputs.json")
    if listed is None:
        print("../shared/vectors/poison_inputs.json is absent; the inputs here are tried all the same")  # noqa: T201
        return
    names = {one["name"] for one in json.loads(listed.read_text())["inputs"]}
    assert names == {one.name for one in POISON}


async def test_no_input_makes_a_5xx_or_sticks_or_is_stored(stage: IngestStage, kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix) as door:
        for poison in POISON:
            await _send(door, poison)
        health = await door.post("/v1/batch", b'{"batch":[]}')
        records = await door.records()
    assert health.status_code == 200
    assert len(records) > 15
    events: list[Event[Payload]] = []
    ours: list[str] = []
    for record in records:
        headers = dict(record.headers)
        raw = RawEvent(_id(headers), headers["ce_type"].decode(), record.key.decode(), record.value, headers)
        try:
            events += await stage.handle(raw)
        except ParkError as parked:
            ours.append(parked.reason * parked.is_ours)
    assert not any(ours)
    recorded = of_type(events, "activity.recorded")
    assert any(one.name == "Good Neighbour" for one in recorded)
    names = [one.name for one in recorded]
    assert "ab" in names
    assert "\ufffd" in names
    texts = [event.payload.model_dump_json() for event in events]
    texts += [str(row) for row in await stage.rows("select fields::text from profile")]
    texts += [str(row) for row in await stage.rows("select answers::text, url from activity_text")]
    assert [text for text in texts if STORED_POISON.search(text)] == []
    times = {one.occurred_at.year for one in recorded}
    assert times <= {one.recorded_at.year for one in recorded}
    assert await stage.one("select count(*) from delivery_result where source_id = :id", id=SEGMENT_ID) > 15


async def test_what_is_held_open_is_cut_off_and_nobody_waits_for_it(kafka: str, topic_prefix: str) -> None:
    held = [one.raw for one in POISON if one.closes and one.raw is not None]
    assert len(held) == 2
    async with door_before(kafka, topic_prefix, headers_seconds=2, body_seconds=2) as door:
        opened = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(HELD_OPEN)]
        for index, (_, writer) in enumerate(opened):
            writer.write(held[index % len(held)])
            await writer.drain()
        health = await door.post("/v1/batch", b'{"batch":[]}')
        assert health.status_code == 200
        async with asyncio.timeout(PATIENCE_SECONDS):
            answers = [await reader.read() for reader, _ in opened]
        for _, writer in opened:
            writer.close()
        records = await door.records()
    assert set(answers) <= {b""}  # no answer is owed, least of all a 5xx
    assert records == []


async def _send(door: Door, poison: Poison) -> None:
    if poison.closes:
        return  # held open on purpose: the test below
    if poison.raw is not None:
        status = int((await door.raw(poison.raw)).split(b" ", 2)[1])
    else:
        headers = {"content_type": "application/json", **{k.replace("-", "_"): v for k, v in poison.headers.items()}}
        status = (await door.post(poison.path, poison.body, key=SERVER_KEY, **headers)).status_code
    assert status in poison.statuses, f"{poison.name}: {status}"


def _id(headers: dict[str, bytes]) -> UUID:
    return UUID(headers["ce_id"].decode())
