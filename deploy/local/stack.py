"""Starts, finds and ends a local stack from outside; what `baton up`, `baton down`, the demo and the tests call.

A second `up` finds the first. `down` ends exactly the processes that the state file names.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.local import state
from deploy.local.kafka import STOP_SIGNAL as KAFKA_STOP
from deploy.local.missing import Missing
from deploy.local.postgres import STOP_SIGNAL as POSTGRES_STOP
from deploy.local.processes import end, is_running, wait_until
from deploy.local.state import State

__all__ = ["DidNotStart", "down", "erase", "find", "up"]

_ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 120
_STOP_SECONDS = 60


class DidNotStart(Exception):
    """The stack did not come up and was taken down again; the text says why and where to look."""


def find(home: Path) -> State | None:
    """The stack in this home if its supervisor lives."""
    known = state.read(home)
    return known if known is not None and known.is_supervised() else None


def up(
    home: Path,
    *,
    environment: str = "local",
    prepare: str = "deploy.local.prepare",
    tell: Callable[[str], None] = lambda _: None,
    variables: dict[str, str] | None = None,
) -> State:
    """The running stack of this home, started when there is none. Raises Missing or DidNotStart.

    tell receives a line per step; variables are added to the environment of everything that is started.
    """
    found = find(home)
    if found is None:
        if state.read(home) is not None:
            tell("a supervisor was killed here: ending what it left")
            down(home)
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _start_supervisor(home, environment=environment, prepare=prepare, tell=tell, variables=variables or {})
    if not wait_until(lambda: _is_ready(home) or find(home) is None, within_seconds=_READY_SECONDS):
        raise DidNotStart(f"The stack in {home} is not ready within {_READY_SECONDS} s; see {home / 'logs'}.")
    ready = find(home)
    if ready is None:
        raise DidNotStart(f"The stack in {home} ended while it was starting; see {home / 'supervisor.log'}.")
    return ready


def down(home: Path) -> list[str]:
    """End the stack of this home, whatever is left of it; the names of the processes that were ended."""
    known = state.read(home)
    if known is None:
        return []
    ended = [name for name, process in known.processes().items() if is_running(process)]
    if known.is_supervised():
        os.kill(known.supervisor.pid, signal.SIGTERM)
        wait_until(lambda: not known.is_supervised(), within_seconds=_STOP_SECONDS)
    last_words = {"kafka": KAFKA_STOP, "postgres": POSTGRES_STOP}
    latest = state.read(home) or known  # what the supervisor started again meanwhile counts too
    for name, process in {**known.processes(), **latest.processes()}.items():
        end(process, by=last_words.get(name, signal.SIGTERM), within_seconds=20)
    state.forget(home)
    return ended


def erase(home: Path) -> None:
    """Delete the data of a stack that is down: databases, topics, logs, keys."""
    if home.exists():
        shutil.rmtree(home)


def _start_supervisor(
    home: Path, *, environment: str, prepare: str, tell: Callable[[str], None], variables: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "deploy.local.supervisor", str(home), environment, "--prepare", prepare]
    with (home / "supervisor.log").open("ab") as log:
        supervisor = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=_ROOT,
            env={**os.environ, **variables},
            start_new_session=True,
            text=True,
        )
    assert supervisor.stdout is not None
    with supervisor.stdout as lines:
        for line in lines:
            report = json.loads(line)
            if "missing" in report:
                supervisor.wait()
                raise Missing(report["missing"])
            if "failed" in report:
                supervisor.wait()
                raise DidNotStart(report["failed"])
            if "ready" in report:
                supervisor.returncode = 0  # it outlives us: the handle is given up
                return
            tell(report["step"])
    supervisor.wait()
    raise DidNotStart(f"The supervisor ended with code {supervisor.returncode}; see {home / 'supervisor.log'}.")


def _is_ready(home: Path) -> bool:
    known = find(home)
    return known is not None and known.is_ready
