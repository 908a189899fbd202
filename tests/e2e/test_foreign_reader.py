"""A reader that knows only `asyncapi.yaml` and the schema files reads every topic and validates every record."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.life import begin_life
from tests.support.stack import BatonStack

_ROOT = Path(__file__).parents[2]
CONTRACTS = _ROOT / "shared" / "contracts"
LIVELY = {"activities", "leads", "scores", "handoffs", "outcomes", "agreements"}


@pytest.mark.timeout(400)  # the first test pays for the start of the whole stack
async def test_a_stranger_reads_and_validates_all_that_a_life_leaves(baton_stack: BatonStack) -> None:
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
    command = [
        sys.executable, str(_ROOT / "tests" / "support" / "foreign_reader.py"), kafka.address,
        str(CONTRACTS / "asyncapi.yaml"), str(CONTRACTS / "schemas"),
    ]  # fmt: skip
    done = await asyncio.to_thread(
        subprocess.run, command, cwd="/", env={"PATH": ""}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {topic: one["problems"] for topic, one in found.items() if one["problem_count"]} == {}
    assert {topic for topic, one in found.items() if one["records"] > 0} >= LIVELY
    assert found.keys() == {*LIVELY, "models"}
