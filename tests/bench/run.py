"""Runs the benches and prints their table (`make bench`, `make bench ARGS='door clocks'`); no verdict is an exit code.

Each `stage_<name>.py` has `def run(rounds: int) -> list[Figure]` and starts what it measures: real Kafka, real
PostgreSQL, our real processes. BATON_BENCH_ROUNDS says how often each is measured (3).
"""

import importlib
import os
import sys
from pathlib import Path

from tests.bench.figures import Figure, Result, say, table

ROUNDS = int(os.environ.get("BATON_BENCH_ROUNDS", "3"))
STAGES = sorted(file.stem.removeprefix("stage_") for file in Path(__file__).parent.glob("stage_*.py"))


def main(names: list[str]) -> int:
    """Run the named stages, or all; 2 for a name that is none."""
    unknown = set(names) - set(STAGES)
    if unknown:
        say(f"no such stage: {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
        return 2
    figures: list[Figure] = []
    for name in names or STAGES:
        say(f"stage {name} ...")
        figures += importlib.import_module(f"tests.bench.stage_{name}").run(ROUNDS)
    Result.of(figures).write(Path("bench-result.json"))
    sys.stdout.write(table(figures) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
