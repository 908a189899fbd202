"""What a laptop pays for a stack that does nothing: memory and CPU of each process, and how long `baton up` takes.

The stack is taken up once to warm everything (jars, class archive, data folders), down, and up again for the clock.
"""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from deploy.local import stack
from deploy.local.guard import Guard
from deploy.local.places import scratch_folder
from deploy.local.state import State
from shared.clock import monotonic, sleep
from tests.bench.cpu import cpu_seconds, family, resident_bytes
from tests.bench.figures import Figure, of_rounds

SETTLE_SECONDS = 20.0
IDLE_SECONDS = 20.0
MIB = 1024 * 1024
READY_AIM_SECONDS = 15
ALL_AIM_MIB = 1536


def run(rounds: int) -> list[Figure]:
    """Rounds of up, idle and down in one home, after one that warms."""
    home = scratch_folder("baton-bench-")
    guard = Guard()
    guard.sweep_stack(home)
    try:
        stack.up(home)
        stack.down(home)
        measured = [_round(home) for _ in range(rounds)]
    finally:
        stack.down(home)
        shutil.rmtree(home, ignore_errors=True)
        guard.release()
    names = list(measured[0][1])
    figures = [
        of_rounds("memory", f"PSS, {name}", "MiB", [memory[name] for _, memory, _ in measured], is_better="lower")
        for name in names
    ]
    totals = [sum(memory.values()) for _, memory, _ in measured]
    figures.append(of_rounds("memory", "PSS in all, idle", "MiB", totals, is_better="lower", aim=ALL_AIM_MIB))
    figures += [
        of_rounds("memory", f"idle CPU, {name}", "% of core", [cpu[name] for _, _, cpu in measured], is_better="lower")
        for name in names
    ]
    ready = [seconds for seconds, _, _ in measured]
    figures.append(of_rounds("memory", "`baton up` ready, warm", "s", ready, is_better="lower", aim=READY_AIM_SECONDS))
    return figures


def _round(home: Path) -> tuple[float, Mapping[str, float], Mapping[str, float]]:
    began = monotonic()
    state = stack.up(home)
    ready = monotonic() - began
    _rest(SETTLE_SECONDS)
    pids = _pids(state)
    before = {name: cpu_seconds(each) for name, each in pids.items()}
    _rest(IDLE_SECONDS)
    cpu = {name: (cpu_seconds(each) - before[name]) / IDLE_SECONDS * 100 for name, each in pids.items()}
    memory = {name: sum(map(resident_bytes, each)) / MIB for name, each in pids.items()}
    stack.down(home)
    return ready, memory, cpu


def _rest(seconds: float) -> None:
    asyncio.run(sleep(seconds))


def _pids(state: State) -> dict[str, list[int]]:
    """Each process by name, PostgreSQL with its backends; the supervisor alone, since all others are its children."""
    return {
        name: [process.pid] if name == "supervisor" else family(process.pid)
        for name, process in state.processes().items()
    }
