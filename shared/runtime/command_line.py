"""The command line of a service's process: `python -m services.<name>.app [run|migrate] [--role a,b]`."""

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Callable

import uvloop
from pydantic import ValidationError

from shared.db.migrate import migrate
from shared.errors import Fatal
from shared.runtime.process import EXIT_FATAL, Runtime
from shared.telemetry import log, places_of

__all__ = ["EXIT_FATAL", "main"]

EXIT_WRONG_USE = 2
# A batch makes tens of thousands of objects and drops them again: looking for rings among each 700 costs a half of
# reading it, among each 10,000 a tenth. Many more would hold the loop for over 5 ms.
YOUNG_OBJECTS = 50_000


def main(build: Callable[[], Runtime]) -> None:
    """Run a service's process until SIGTERM or SIGINT; never returns. build makes the runtime of app.py."""
    arguments = _parser().parse_args()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(build, arguments.command, arguments.role))
    except ValidationError as error:
        fields = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        sys.stderr.write(f"The settings are incomplete or wrong: {fields}. See .env.example. Nothing was started.\n")
        sys.exit(EXIT_WRONG_USE)
    sys.exit(0)


async def _run(build: Callable[[], Runtime], command: str, roles: str) -> None:
    runtime = build()
    if command == "migrate":
        revision = await migrate(runtime.settings.service_database_url, runtime.settings.service)
        log.info("migrated", revision=revision)
        return
    _spare_the_collector()
    try:
        await runtime.run(frozenset(filter(None, roles.split(","))))
    except (Fatal, BaseExceptionGroup) as error:
        reasons = [str(leaf) for leaf in _leaves(error) if isinstance(leaf, Fatal)]
        log.critical("process_cannot_go_on", reason="; ".join(reasons) or places_of(error))
        # Crash only: nothing that is still open may keep a process that cannot go on. Recovery is the start-up path.
        sys.stderr.flush()
        os._exit(EXIT_FATAL)


def _spare_the_collector() -> None:
    """Never walk again what lives as long as the process: its modules, tables and models."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in _leaves(one)]
    return [error]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="One process of a Baton service.")
    parser.add_argument("command", nargs="?", default="run", choices=["run", "migrate"])
    parser.add_argument("--role", default="", help="comma-separated roles to run (default: all)")
    return parser
