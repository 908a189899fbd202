"""A reader on librdkafka, which is what kcat is made of: it knows `asyncapi.yaml`, the schema files and jsonschema.

Imports nothing of Baton. Reads with kcat when that command is named, else with librdkafka's own Python package; both
from the start of every topic to the end it had. Each record is checked: announced on its channel, headers as the
document describes them, key = subject, payload by its schema file. Prints one JSON object per run, by channel.

    python librdkafka_reader.py BOOTSTRAP ASYNCAPI_YAML SCHEMA_FOLDER [KCAT]
"""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from jsonschema import Draft202012Validator, FormatChecker

READ_SECONDS = 60
PROBLEMS_SHOWN = 20
_SETTINGS: dict[str, str | int | float | bool] = {"fetch.wait.max.ms": 50, "enable.auto.commit": "false"}
"""An empty partition answers after the wait: half a second each without it."""
_FORMATS = FormatChecker(["uuid", "date"])


class Record(NamedTuple):
    """What a client hands out."""

    key: str
    headers: dict[str, str]
    value: str


def is_date_time(value: object) -> bool:
    """With a date, a time and a zone; raises ValueError when it is no time at all."""
    return not isinstance(value, str) or ("T" in value and datetime.fromisoformat(value).tzinfo is not None)


_FORMATS.checks("date-time", raises=ValueError)(is_date_time)


def checked(schema: dict[str, Any]) -> Draft202012Validator:
    """The validator of a schema that is one itself."""
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=_FORMATS)


def payload_checks(schemas: Path) -> dict[str, Draft202012Validator]:
    """One validator per event type, of its newest schema file."""
    newest = {
        folder.name: max(folder.glob("v*.json"), key=lambda file: int(file.stem.partition(".")[2]))
        for folder in schemas.iterdir()
    }
    return {event_type: checked(json.loads(file.read_text())) for event_type, file in newest.items()}


def problem_of(
    record: Record, headers: dict[str, Draft202012Validator], payloads: dict[str, Draft202012Validator]
) -> str | None:
    """What a careful reader would complain about, or None."""
    event_type = record.headers.get("ce_type", "")
    if event_type not in headers:
        return f"type {event_type} is not announced here"
    if record.key != record.headers.get("ce_subject"):
        return f"{event_type}: the key is not the subject"
    errors = [*headers[event_type].iter_errors(record.headers)]
    errors += payloads[event_type].iter_errors(json.loads(record.value))
    return f"{event_type}: {errors[0].json_path}: {errors[0].message}" if errors else None


def record_of(message: Any) -> Record:  # noqa: ANN401
    """The record of the package's message; no header or value of ours is absent or anything but text."""
    headers = {name: value.decode() for name, value in message.headers()}
    return Record(message.key().decode(), headers, message.value().decode())


def read_with_package(bootstrap: str, topics: list[str]) -> dict[str, list[Record]]:
    """Every record of each topic up to the end of its partitions."""
    consumer = Consumer(
        {**_SETTINGS, "bootstrap.servers": bootstrap, "group.id": "unused", "enable.partition.eof": True}
    )
    found: dict[str, list[Record]] = {topic: [] for topic in topics}
    try:
        known = consumer.list_topics(timeout=READ_SECONDS).topics
        unfinished = {(topic, number) for topic in topics for number in known[topic].partitions}
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for topic, number in unfinished])
        while unfinished:
            message = consumer.poll(READ_SECONDS)
            assert message is not None, f"nothing came for {READ_SECONDS} s"
            topic, error = message.topic() or "", message.error()
            if error is None:
                found[topic].append(record_of(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                unfinished.discard((topic, message.partition() or 0))
            else:
                raise KafkaException(error)
    finally:
        consumer.close()
    return found


def read_with_kcat(kcat: str, bootstrap: str, topics: list[str]) -> dict[str, list[Record]]:
    """The same by `kcat -C -J`, one JSON object per line; headers come as a flat list of names and values."""
    settings = [word for name, value in _SETTINGS.items() for word in ("-X", f"{name}={value}")]
    found: dict[str, list[Record]] = {}
    for topic in topics:
        command = [kcat, "-C", "-q", "-b", bootstrap, *settings, "-t", topic, "-o", "beginning", "-e", "-J"]
        done = subprocess.run(command, capture_output=True, check=True, timeout=READ_SECONDS)
        found[topic] = [record_of_line(line) for line in done.stdout.splitlines()]
    return found


def record_of_line(line: bytes) -> Record:
    """The record of a line of kcat's."""
    said = json.loads(line)
    flat = said["headers"]
    return Record(said["key"], dict(zip(flat[::2], flat[1::2], strict=True)), said["payload"])


def main(bootstrap: str, asyncapi: str, schemas: str, kcat: str | None = None) -> None:
    """Read what is published, read the topics, print the findings."""
    document, payloads = yaml.safe_load(Path(asyncapi).read_text()), payload_checks(Path(schemas))
    messages, channels = document["components"]["messages"], document["channels"]
    topics = [described["address"] for described in channels.values()]
    read = read_with_kcat(kcat, bootstrap, topics) if kcat else read_with_package(bootstrap, topics)
    found = {}
    for channel, described in channels.items():
        headers = {messages[name]["name"]: checked(messages[name]["headers"]) for name in described["messages"]}
        records = read[described["address"]]
        problems = [problem for record in records if (problem := problem_of(record, headers, payloads))]
        found[channel] = {
            "records": len(records),
            "repeats": len(records) - len({record.headers.get("ce_id") for record in records}),
            "problems": problems[:PROBLEMS_SHOWN],
            "problem_count": len(problems),
        }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
