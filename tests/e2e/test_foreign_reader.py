"""Readers that know only `asyncapi.yaml` and the schema files read every topic and validate every record.

Three of them: aiokafka with jsonschema-rs; Node with kafkajs, Ajv and the parser of AsyncAPI, which must accept the
document; and librdkafka with jsonschema. The last stands for kcat, which is built on librdkafka but comes from a
distribution's packages, not from an index of ours: where `kcat` is on PATH it reads all topics too, beside it.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.life import begin_life
from tests.support.node import HOME, NODE, install
from tests.support.stack import BatonStack

_ROOT = Path(__file__).parents[2]
CONTRACTS = _ROOT / "shared" / "contracts"
LIVELY = {"activities", "leads", "scores", "handoffs", "outcomes", "agreements"}
AIOKAFKA = (sys.executable, str(_ROOT / "tests" / "support" / "foreign_reader.py"))
LIBRDKAFKA = (sys.executable, str(_ROOT / "tests" / "support" / "librdkafka_reader.py"))
KAFKAJS = (str(NODE), str(_ROOT / "tests" / "libraries" / "node" / "read.cjs"))
READER_SECONDS = 200

pytestmark = pytest.mark.timeout(400)  # the first test pays for the start of the whole stack


@pytest_asyncio.fixture(scope="module")
async def bootstrap(baton_stack: BatonStack) -> str:
    """Kafka's address after a life has left records on every topic that a life touches."""
    life = await begin_life(baton_stack)
    await life.comes("olga", "Demo Requested")
    listed = await baton_stack.calls.call("handoff", "GET", "/v1/handoffs", params={"limit": 100})
    lead_id = listed["handoffs"][0]["lead_id"]
    deal = {"lead_id": lead_id, "result": "won", "object_version": 1, "amount_minor": 1_000_00, "currency": "EUR"}
    deal["occurred_at"] = baton_stack.hand.now().isoformat()
    await baton_stack.calls.call("feedback", "PUT", f"/v1/opportunities/crm/{life.domain}", body=deal)
    await baton_stack.quiet()
    kafka = baton_stack.state.kafka
    assert kafka is not None
    return kafka.address


async def test_a_stranger_reads_and_validates_all_that_a_life_leaves(bootstrap: str) -> None:
    proves_all_is_valid(await told(AIOKAFKA, bootstrap))


async def test_node_with_kafkajs_and_ajv_accepts_the_document_and_every_record(bootstrap: str) -> None:
    assert await asyncio.to_thread(install), "npm could not install the libraries; see above"
    proves_all_is_valid(await told(KAFKAJS, bootstrap))


async def test_librdkafka_and_kcat_where_it_is_installed_read_and_validate_every_record(bootstrap: str) -> None:
    proves_all_is_valid(await told(LIBRDKAFKA, bootstrap))
    if kcat := shutil.which("kcat"):
        proves_all_is_valid(await told(LIBRDKAFKA, bootstrap, kcat))


async def test_each_reader_tells_of_the_records_that_a_schema_file_refuses(bootstrap: str, tmp_path: Path) -> None:
    assert await asyncio.to_thread(install), "npm could not install the libraries; see above"
    schemas = tmp_path / "schemas"
    shutil.copytree(CONTRACTS / "schemas", schemas)
    file = schemas / "baton.lead.identified.v1" / "v1.0.json"
    schema = json.loads(file.read_text())
    schema["properties"]["lead_id"]["format"] = "date-time"
    file.write_text(json.dumps(schema))
    for found in await asyncio.gather(
        *[told(one, bootstrap, schemas=schemas) for one in (AIOKAFKA, KAFKAJS, LIBRDKAFKA)]
    ):
        assert {topic for topic, one in found.items() if one["problem_count"]} == {"leads"}
        assert all("baton.lead.identified.v1" in problem for problem in found["leads"]["problems"])


async def test_the_parser_of_asyncapi_refuses_a_document_with_an_error(tmp_path: Path) -> None:
    assert await asyncio.to_thread(install), "npm could not install the libraries; see above"
    document = (CONTRACTS / "asyncapi.yaml").read_text()
    broken = tmp_path / "asyncapi.yaml"
    broken.write_text(document.replace("action: receive", "action: guess", 1))
    assert broken.read_text() != document
    done = await run([*KAFKAJS, "127.0.0.1:1", str(broken), str(CONTRACTS / "schemas")])
    assert done.returncode == 3, done.stderr
    assert "action" in done.stderr


def proves_all_is_valid(found: dict[str, dict[str, Any]]) -> None:
    """No record has a problem, and every topic of a life had records."""
    assert {topic: one["problems"] for topic, one in found.items() if one["problem_count"]} == {}
    assert {topic for topic, one in found.items() if one["records"] > 0} >= LIVELY
    assert found.keys() == {*LIVELY, "models"}


async def told(
    reader: Sequence[str], bootstrap: str, *more: str, schemas: Path = CONTRACTS / "schemas"
) -> dict[str, dict[str, Any]]:
    """What a reader prints that is given the broker, the document and the schema files, and nothing else."""
    done = await run([*reader, bootstrap, str(CONTRACTS / "asyncapi.yaml"), str(schemas), *more])
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


async def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run outside the checkout, so that nothing of Baton can be imported."""
    environment = {"PATH": "", "BATON_NODE_LIBRARIES": str(HOME)}
    return await asyncio.to_thread(
        subprocess.run, command, cwd="/", env=environment, capture_output=True, text=True, check=False,
        timeout=READER_SECONDS,
    )  # fmt: skip
