"""The one state file of a local stack: ports, data folders, process ids, addresses, versions.

Only the supervisor writes it, by rename; everybody else reads. It names a password, so only its owner may read it.
Invariant: every process that was started for the stack and may still live is named in it.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.processes import Running, is_running

__all__ = ["HOME_VARIABLE", "Server", "Service", "State", "forget", "home_folder", "read", "write"]

HOME_VARIABLE = "BATON_HOME"
_FILE = "state.json"


@dataclass(slots=True)
class Server:
    """PostgreSQL or Kafka. process is None when somebody else runs it (its address was given)."""

    address: str
    version: str
    process: Running | None = None
    data: str = ""
    log: str = ""


@dataclass(slots=True)
class Service:
    """One of the five services: where it listens and which process it is now."""

    url: str
    internal_url: str
    log: str
    process: Running | None = None
    restarts: int = 0


@dataclass(slots=True)
class State:
    """A local stack as it is running."""

    environment: str
    started_at: str
    supervisor: Running
    home: str
    postgres: Server | None = None
    kafka: Server | None = None
    services: dict[str, Service] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    is_ready: bool = False

    def processes(self) -> dict[str, Running]:
        """All processes by name, in the order in which they are ended: who depends on others goes first."""
        named = {"supervisor": self.supervisor, **{name: one.process for name, one in self.services.items()}}
        named["kafka"] = self.kafka.process if self.kafka else None
        named["postgres"] = self.postgres.process if self.postgres else None
        return {name: process for name, process in named.items() if process is not None}

    def is_supervised(self) -> bool:
        """Whether the stack's own supervisor still lives."""
        return is_running(self.supervisor)


def home_folder() -> Path:
    """BATON_HOME, else `.baton` beside the code."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named).resolve() if named else Path(__file__).resolve().parents[2] / ".baton"


def read(home: Path) -> State | None:
    """The state in this home, or None when there is no stack (or a file that a killed writer never finished)."""
    try:
        values: dict[str, Any] = json.loads((home / _FILE).read_text())
        return State(
            **{
                **values,
                "supervisor": Running(**values["supervisor"]),
                "postgres": _server(values["postgres"]),
                "kafka": _server(values["kafka"]),
                "services": {
                    name: Service(**{**one, "process": _process(one["process"])})
                    for name, one in values["services"].items()
                },
            }
        )
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, KeyError, TypeError):
        return None


def write(home: Path, state: State) -> None:
    """Replace the state file."""
    fresh = home / f"{_FILE}.fresh"
    fresh.touch(mode=0o600)
    fresh.chmod(0o600)
    fresh.write_text(json.dumps(asdict(state), indent=2) + "\n")
    fresh.replace(home / _FILE)


def forget(home: Path) -> None:
    """The stack is gone."""
    (home / _FILE).unlink(missing_ok=True)


def _process(values: dict[str, Any] | None) -> Running | None:
    return None if values is None else Running(**values)


def _server(values: dict[str, Any] | None) -> Server | None:
    return None if values is None else Server(**{**values, "process": _process(values["process"])})
