"""CPU-seconds and memory of processes, read from the kernel: what an event costs does not depend on the neighbours."""

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["cpu_seconds", "family", "resident_bytes"]

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def family(pid: int) -> list[int]:
    """The process and all its descendants that live now."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for thread in Path(f"/proc/{one}/task").glob("*/children"):
            waiting += [int(child) for child in thread.read_text().split()]
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time the processes have used so far, ended children they waited for included."""
    return sum(_ticks(pid) for pid in pids) / _TICKS


def resident_bytes(pid: int) -> int:
    """Proportional set size where the kernel tells it (shared pages are counted once), else resident size."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (PermissionError, FileNotFoundError):
        pass
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def _ticks(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return 0
    fields = text.rpartition(")")[2].split()
    return sum(int(fields[index]) for index in (11, 12, 13, 14))  # utime, stime and those of waited-for children
