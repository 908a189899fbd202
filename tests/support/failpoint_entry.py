"""Starts a service with failpoints: installs the hook, then calls the service's own `main`.

`python -m tests.support.failpoint_entry services.scoring.app [arguments]`. BATON_TEST_FAILPOINTS is JSON: a list of
{step, act, nth or share, seconds, once_file}: act is kill (SIGKILL itself), freeze (SIGSTOP itself, until the test
sends SIGCONT), raise, stall; nth counts from 1, share is a probability drawn from BATON_TEST_SEED. Every step reached
is written to the file BATON_TEST_STEPS_FILE.<pid>. Only tests can do this: a service's own entry installs no hook.
"""

import json
import os
import random  # noqa: TID251 - seeded: one seed is one storm
import runpy
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from shared.clock import sleep
from shared.telemetry import Step, install_hook

__all__ = ["Failpoint", "FailpointReached", "Storm", "main"]


class FailpointReached(Exception):
    """What a failpoint of act `raise` raises: an error nobody expects."""


@dataclass(frozen=True, slots=True)
class Failpoint:
    """One armed point. once_file: fires only while the file does not exist, and makes it (survives the restart)."""

    step: str
    act: str
    nth: int = 0
    share: float = 0.0
    seconds: float = 2.0
    once_file: str = ""


class Storm:
    """The hook: counts the steps, and acts at armed ones."""

    def __init__(self, points: list[Failpoint], *, seed: int, steps_file: str = "") -> None:
        self.points = points
        self.reached: Counter[str] = Counter()
        self._random = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self._steps_file = Path(f"{steps_file}.{os.getpid()}") if steps_file else None

    async def __call__(self, step: Step) -> None:
        """Called at every announced step."""
        self.reached[step] += 1
        if self._steps_file is not None and self.reached[step] == 1:
            with self._steps_file.open("a") as file:
                file.write(step + "\n")
        for point in self.points:
            if point.step == step and self._fires(point):
                await self._act(point)

    def _fires(self, point: Failpoint) -> bool:
        is_hit = self.reached[point.step] == point.nth or (point.share > 0 and self._random.random() < point.share)
        if not is_hit or not point.once_file:
            return is_hit
        try:
            Path(point.once_file).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    @staticmethod
    async def _act(point: Failpoint) -> None:
        if point.act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if point.act == "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        if point.act == "raise":
            raise FailpointReached(point.step)
        await sleep(point.seconds)


def main() -> None:
    """Install the storm named by the environment and become the service."""
    points = [Failpoint(**one) for one in json.loads(os.environ.get("BATON_TEST_FAILPOINTS", "[]"))]
    seed = int(os.environ.get("BATON_TEST_SEED", "0"))
    install_hook(Storm(points, seed=seed, steps_file=os.environ.get("BATON_TEST_STEPS_FILE", "")))
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
