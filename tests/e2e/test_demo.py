"""`baton demo`: the beginning of its quarter goes through the public doors, adds up, is explained, and can be ended."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import state
from deploy.local.operator import OperatorCalls, variables_of
from deploy.local.places import scratch_folder
from deploy.local.processes import is_running

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def home() -> Iterator[Path]:
    folder = scratch_folder("baton-demo-test-")
    yield folder
    _baton(folder, "down")
    shutil.rmtree(folder)


def _baton(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *command],
        env={**os.environ, "BATON_HOME": str(home)},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def _document(home: Path, *command: str) -> dict[str, Any]:
    done = _baton(home, *command, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(400)
def test_the_beginning_of_the_quarter_adds_up_is_explained_and_ends(home: Path) -> None:
    told = _document(home, "demo", "--leads", "200", "--days", "8")
    assert told["deliveries"] > 20
    assert told["activities"] > 50
    assert told["machine_activities"] > 0
    assert told["leads"] > 5
    assert told["handoffs"]["opened"] > 0
    assert told["handoffs"]["accepted"] > 0
    assert told["clocks"]["met"] > 0
    assert (told["two_owner_leads"], told["ledger_gap"], told["parked"], told["outbox_waiting"]) == (0, 0, 0, 0)
    assert told["speed_to_lead_seconds"]["p50"] < 24 * 3600

    assert _document(home, "verify") == {"ledger_gap": 0, "gaps": []}
    assert _document(home, "parked", "list") == {"parked": []}
    replayed = _document(home, "replay-decision")
    assert replayed["replayed"] >= told["handoffs"]["accepted"]
    assert replayed["differing"] == []

    running = state.read(home / "demo")
    assert running is not None
    calls = OperatorCalls(variables_of(running))
    handoffs = calls.call("handoff", "GET", "/v1/handoffs", params={"limit": 50})["handoffs"]
    calls.close()
    given = next(one["id"] for one in handoffs if one["attempt"])
    assert _document(home, "explain", given)["handoff_id"] == given

    processes = running.processes().values()
    assert all(map(is_running, processes))
    assert _document(home, "down")["ended"]
    assert not any(map(is_running, processes))
