"""A reader that is not ours: it knows `asyncapi.yaml` and the schema files, a plain client and a validator.

Imports nothing of Baton. Reads every topic to the end that was there when it came, validates every record, drops
repeats by `ce_id` as the document says, and prints one JSON object: records, repeats and problems per topic.

    python foreign_reader.py BOOTSTRAP ASYNCAPI_YAML SCHEMA_FOLDER [TOPIC_PREFIX]
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml
from aiokafka import AIOKafkaConsumer

READ_SECONDS = 60


def validators(schemas: Path) -> dict[str, Any]:
    """One validator per event type, of its newest schema file."""
    found = {}
    for folder in schemas.iterdir():
        newest = max(folder.glob("v*.json"), key=lambda file: int(file.stem.partition(".")[2]))
        found[folder.name] = jsonschema_rs.Draft202012Validator(json.loads(newest.read_text()), validate_formats=True)
    return found


def problem_of(document: dict[str, Any], known: dict[str, Any], channel: str, message: Any) -> str | None:  # noqa: ANN401
    """What a careful reader would complain about, or None."""
    headers = {name: value.decode() for name, value in message.headers}
    offered = {
        document["components"]["messages"][name]["name"]: document["components"]["messages"][name]
        for name in document["channels"][channel]["messages"]
    }
    described = offered.get(headers.get("ce_type", ""))
    if described is None:
        return f"type {headers.get('ce_type')} is not announced on {channel}"
    missing = [name for name in described["headers"]["required"] if name not in headers]
    if missing:
        return f"headers missing: {missing}"
    if message.key.decode() != headers["ce_subject"]:
        return "the key is not the subject"
    errors = [error.message for error in known[headers["ce_type"]].iter_errors(json.loads(message.value))]
    return f"{headers['ce_type']}: {errors[0]}" if errors else None


async def read_channel(bootstrap: str, topic: str, check: Any) -> dict[str, Any]:  # noqa: ANN401
    """Read one topic from its start to the end it has now."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )  # without a group it is given every partition of the topic
    await consumer.start()
    records, ids, repeats, problems = 0, set(), 0, []
    try:
        partitions = sorted(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        begins = await consumer.beginning_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, begins[partition])
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                for message in batch:
                    records += 1
                    event_id = dict(message.headers).get("ce_id", b"")
                    repeats += event_id in ids
                    ids.add(event_id)
                    if problem := check(message):
                        problems.append(problem)
    finally:
        await consumer.stop()
    return {"records": records, "repeats": repeats, "problems": problems[:20], "problem_count": len(problems)}


async def read_all(
    bootstrap: str, document: dict[str, Any], known: dict[str, Any], prefix: str | None
) -> dict[str, Any]:
    """Read all channels of the document one after the other."""
    result = {}
    for channel, described in document["channels"].items():
        topic = described["address"] if prefix is None else prefix + channel
        async with asyncio.timeout(READ_SECONDS):
            result[channel] = await read_channel(
                bootstrap, topic, lambda message, channel=channel: problem_of(document, known, channel, message)
            )
    return result


def main(bootstrap: str, asyncapi: str, schemas: str, prefix: str | None = None) -> None:
    """Read what is published, read the topics, print the findings."""
    document, known = yaml.safe_load(Path(asyncapi).read_text()), validators(Path(schemas))
    result = asyncio.run(read_all(bootstrap, document, known, prefix))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
