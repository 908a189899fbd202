"""The `baton` command against a stack of the tests, as an operator types it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.stack import BatonStack

__all__ = ["baton", "document_of"]

_ROOT = Path(__file__).parents[2]
_SECONDS = 120


async def baton(stack: BatonStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, whatever its exit code."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "deploy.cli", *arguments],
        env={**own, "BATON_HOME": str(stack.home)},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )


async def document_of(stack: BatonStack, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Run it with --json and return what it prints; the exit code must be this."""
    done = await baton(stack, *arguments, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)
