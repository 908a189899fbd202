"""Calls of a command to the running stack, or to the services that the environment names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.cli.exits import Failed, NeedsMissing, RefusedByRule
from deploy.cli.homes import homes
from deploy.local import stack

if TYPE_CHECKING:
    from deploy.local.operator import OperatorCalls

__all__ = ["calling", "stack_variables"]


def stack_variables() -> dict[str, str]:
    """The environment of the running stack; what is set for this command itself wins."""
    own = {name: value for name, value in os.environ.items() if name.startswith("BATON_")}
    for home in homes():
        found = stack.find(home)
        if found is not None:
            key = {"BATON_CLI_SIGNING_KEY_FILE": str(home / "keys" / "cli.pem")}
            return {**found.variables, **key, **own}
    return own


@contextmanager
def calling() -> "Iterator[OperatorCalls]":
    """Calls to the running stack, closed at the end; their errors become those of the command."""
    # A third of a second of imports that only commands that call pay for.
    from deploy.local.operator import CallError, NoAnswer, OperatorCalls  # noqa: PLC0415

    variables = stack_variables()
    key = variables.get("BATON_CLI_SIGNING_KEY_FILE")
    if not key or not Path(key).exists():
        raise NeedsMissing(
            "No stack is running here and no key is set.\n"
            "  baton up                               starts a stack on this machine\n"
            "  BATON_CLI_SIGNING_KEY_FILE with BATON_<SERVICE>_URL and _INTERNAL_URL   point at one elsewhere"
        )
    calls = OperatorCalls(variables)
    try:
        yield calls
    except NoAnswer as error:
        raise NeedsMissing(str(error)) from error
    except CallError as error:
        raise (RefusedByRule if error.is_refusal else Failed)(str(error)) from error
    finally:
        calls.close()
