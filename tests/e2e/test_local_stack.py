"""`baton up`, `status`, `down`.

One stack per home, exact processes, restarts, and nothing half-done when something is missing.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import state
from deploy.local.healthcheck import is_ready
from deploy.local.places import scratch_folder
from deploy.local.processes import is_running, wait_until

_ROOT = Path(__file__).parents[2]


def _baton(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env={**os.environ, "BATON_HOME": str(home), **variables},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def _document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture
def home() -> Iterator[Path]:
    folder = scratch_folder("baton-up-test-")
    yield folder
    _baton(folder, "down")
    shutil.rmtree(folder)


def test_a_stack_comes_up_is_found_restarts_what_is_killed_and_goes_down_without_a_trace(home: Path) -> None:
    first = _document(_baton(home, "up", "--json"))
    assert first["was_running"] is False
    assert set(first["services"]) == {"ingest", "scoring", "handoff", "feedback", "console"}
    assert all(process["is_running"] for process in first["processes"].values())

    second = _document(_baton(home, "up", "--json"))
    assert second["was_running"] is True
    assert second["processes"] == first["processes"]

    # Whatever is killed comes back by itself: a service, the broker and the database.
    for victim in ("scoring", "kafka", "postgres"):
        os.kill(first["processes"][victim]["pid"], signal.SIGKILL)
    assert wait_until(lambda: _is_whole_again(home, first), within_seconds=60)
    assert _document(_baton(home, "verify", "--json"))["ledger_gap"] == 0

    before = state.read(home)
    assert before is not None
    _document(_baton(home, "down", "--json"))
    assert not any(is_running(process) for process in before.processes().values())
    assert state.read(home) is None
    assert _baton(home, "status").returncode == 4


def test_down_ends_exactly_what_a_killed_supervisor_left_behind(home: Path) -> None:
    up = _document(_baton(home, "up", "--json"))
    left = state.read(home)
    assert left is not None
    os.kill(up["processes"]["supervisor"]["pid"], signal.SIGKILL)
    ended = _document(_baton(home, "down", "--json"))["ended"][str(home)]
    assert {"ingest", "scoring", "handoff", "feedback", "console", "kafka", "postgres"} <= set(ended)
    assert not any(is_running(process) for process in left.processes().values())


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("BATON_POSTGRES_BIN_DIR", "/nowhere", "BATON_DATABASE_URL"),
        ("BATON_CACHE_DIR", "/dev/null/no-folder", "BATON_KAFKA_BOOTSTRAP_SERVERS"),
    ],
)
def test_what_is_missing_is_said_with_exit_code_4_and_nothing_is_left(
    home: Path, variable: str, value: str, said: str
) -> None:
    done = _baton(home, "up", **{variable: value})
    assert done.returncode == 4
    assert said in done.stderr
    assert state.read(home) is None


def _is_whole_again(home: Path, first: dict[str, Any]) -> bool:
    now = state.read(home)
    if now is None:
        return False
    fresh = now.processes()
    is_new = all(fresh[name].pid != first["processes"][name]["pid"] for name in ("scoring", "kafka", "postgres"))
    return is_new and all(is_ready(service.internal_url) for service in now.services.values())
