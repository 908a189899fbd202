"""The foreign reader reads every partition of every topic, and complains about a record that breaks the document."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from shared.contracts.catalog import TOPICS
from shared.contracts.envelope import headers_of
from tests.integration.shared.stage import Stage, erased

_ROOT = Path(__file__).parents[3]


async def read_by_a_stranger(stage: Stage) -> dict[str, Any]:
    contracts = _ROOT / "shared" / "contracts"
    command = [
        sys.executable, str(_ROOT / "tests" / "support" / "foreign_reader.py"), stage.settings.kafka_bootstrap_servers,
        str(contracts / "asyncapi.yaml"), str(contracts / "schemas"), stage.settings.topic_prefix,
    ]  # fmt: skip
    done = await asyncio.to_thread(subprocess.run, command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_a_stranger_reads_all_partitions_and_finds_the_one_broken_record(stage: Stage) -> None:
    await stage.send(range(50))
    await stage.send(range(5))
    event = erased(99)
    await stage.producer.send("leads", event.key, b'{"lead_id": "nobody"}', headers_of(event), deadline_seconds=20)
    found = await read_by_a_stranger(stage)
    assert found.keys() == TOPICS.keys() - {"deliveries"}  # bytes of senders, read by ingest alone
    leads = found.pop("leads")
    assert (leads["records"], leads["repeats"], leads["problem_count"]) == (56, 5, 1)
    assert leads["problems"][0].startswith(f"{event.type}: ")
    assert {(one["records"], one["problem_count"]) for one in found.values()} == {(0, 0)}
