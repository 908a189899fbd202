"""`baton demo`: the beginning of its quarter goes through the public doors, adds up, and leaves nothing running."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import state
from deploy.local.places import scratch_folder

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def home() -> Iterator[Path]:
    folder = scratch_folder("baton-demo-test-")
    yield folder
    subprocess.run(
        [sys.executable, "-m", "deploy.cli", "down"],
        env={**os.environ, "BATON_HOME": str(folder)},
        cwd=_ROOT,
        check=True,
    )
    shutil.rmtree(folder)


@pytest.mark.timeout(400)
def test_the_beginning_of_the_quarter_adds_up_and_everything_is_stopped(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "demo", "--json", "--stop", "--leads", "200", "--days", "8"],
        env={**os.environ, "BATON_HOME": str(home)},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["deliveries"] > 20
    assert told["activities"] > 50
    assert told["leads"] > 5
    assert told["handoffs"]["opened"] > 0
    assert told["handoffs"]["accepted"] > 0
    assert told["clocks"]["met"] > 0
    assert (told["two_owner_leads"], told["ledger_gap"], told["parked"], told["outbox_waiting"]) == (0, 0, 0, 0)
    assert told["speed_to_lead_seconds"]["p50"] < 24 * 3600
    assert state.read(home / "demo") is None
