"""Starts, recognises and ends exactly our own processes.

A process is known by its id *and* its start time, since an id is given out again; another one is never signalled.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from shared.clock import monotonic

__all__ = ["Running", "end", "is_running", "launch", "spawn", "started_at", "tail_of", "wait_until"]

TAIL_LINES = 12
_LOOK_SECONDS = 0.02
_STAT_STATE, _STAT_START = 0, 19  # fields 3 and 22 of /proc/<pid>/stat, counted behind the command's name


@dataclass(frozen=True, slots=True)
class Running:
    """One process of ours: its id and the start time (as the system words it) that tells it from a later one."""

    pid: int
    started: str


def started_at(pid: int) -> str | None:
    """The start time of a living process; None when there is none or it is a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[_STAT_STATE] == "Z" else fields[_STAT_START]
    asked = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return asked.stdout.strip() or None


def is_running(process: Running) -> bool:
    """Whether exactly this process still lives."""
    return started_at(process.pid) == process.started


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    user: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own (Ctrl-C in a terminal does not reach it), its output appended to log."""
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=env,
            cwd=cwd,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )


def launch(
    command: Sequence[str],
    *,
    log: Path,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    user: int | None = None,
) -> Running:
    """Start a command that may outlive this process; from here on it is known by id and start time alone."""
    process = spawn(command, log=log, env=env, cwd=cwd, user=user)
    process.returncode = 0  # the handle is given up: it must neither wait for the process nor warn that it still runs
    return Running(process.pid, started_at(process.pid) or "ended")


def end(process: Running, *, by: int, within_seconds: float) -> bool:
    """Signal exactly this process and wait until it is gone, or kill it. Whether the first signal was enough."""
    if _is_gone(process):
        return True
    os.kill(process.pid, by)
    if wait_until(lambda: _is_gone(process), within_seconds=within_seconds):
        return True
    if is_running(process):
        os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: _is_gone(process), within_seconds=5)
    return False


def wait_until(holds: Callable[[], bool], *, within_seconds: float) -> bool:
    """Look again and again until the condition holds; False when it did not in time."""
    deadline = monotonic() + within_seconds
    pause = Event()
    while not holds():
        if monotonic() > deadline:
            return False
        pause.wait(_LOOK_SECONDS)
    return True


def _is_gone(process: Running) -> bool:
    with contextlib.suppress(ChildProcessError):  # not our child: the state file named it
        os.waitpid(process.pid, os.WNOHANG)  # a child of ours would stay a zombie and look alive to others
    return not is_running(process)


def tail_of(log: Path) -> str:
    """The end of a log, for the message of what wrote it and ended."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:]) if log.exists() else "(no log)"
