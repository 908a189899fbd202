"""Ends the servers of a test run when the run dies, however it dies, by SIGKILL too.

The run holds the only writing end of a pipe; this child reads it. A line registers something, the end of the file means
that the run is gone. (A death signal of the kernel does not reach through `unshare`, PROOF 4, and is not portable.)
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local import stack
from deploy.local.processes import Running, end

__all__ = ["Guard"]


class Guard:
    """The run's side: what is registered here does not outlive the run."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        root = Path(__file__).resolve().parents[2]
        self._child = subprocess.Popen(
            [sys.executable, "-m", "deploy.local.guard"], stdin=reading, cwd=root, start_new_session=True
        )
        os.close(reading)

    def watch(self, process: Running, *, by: int) -> None:
        """End this process, by this signal first, when the run is gone."""
        self._tell({"pid": process.pid, "started": process.started, "by": by})

    def sweep(self, folder: Path) -> None:
        """Delete this folder when the run is gone, after the processes."""
        self._tell({"folder": str(folder)})

    def sweep_stack(self, home: Path) -> None:
        """End the stack of this home and delete it when the run is gone."""
        self._tell({"stack": str(home)})

    def release(self) -> None:
        """The run is over in good order: the guard finds whatever is still there and ends."""
        os.close(self._writing)
        self._child.wait()

    def _tell(self, what: dict[str, object]) -> None:
        os.write(self._writing, (json.dumps(what) + "\n").encode())


def _stand_guard() -> None:
    """The child's side: read until the run is gone, then end everything, the last started first."""
    orders = [json.loads(line) for line in sys.stdin]
    for order in reversed([one for one in orders if "pid" in one]):
        end(Running(order["pid"], order["started"]), by=order["by"], within_seconds=5)
    for order in orders:
        if "stack" in order:
            stack.down(Path(order["stack"]))
            shutil.rmtree(order["stack"], ignore_errors=True)
        if "folder" in order:
            shutil.rmtree(order["folder"], ignore_errors=True)


if __name__ == "__main__":
    _stand_guard()
