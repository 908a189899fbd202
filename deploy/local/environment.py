"""Decides the environment that services of a local stack are started with; the same variables as in production.

What the caller's own environment says wins over what is decided here, so every setting stays open to the operator.
"""

import os
import socket
from pathlib import Path

from deploy.local.keys import variables_of_keys
from deploy.local.places import free_ports
from deploy.local.state import Service
from shared.clock import WORLD_CLOCK_VARIABLE
from shared.config import PORTS, SERVICES, Environment

__all__ = ["choose_services", "service_variables"]

_HOST = "127.0.0.1"


def choose_services(logs: Path, *, environment: str) -> dict[str, Service]:
    """A place for each service: its usual ports when both are free, else any free ones.

    The usual ones are for people; demo and tests leave them alone, since several may start at the same time.
    """
    chosen: dict[str, Service] = {}
    for service in SERVICES:
        usual = [PORTS[service], PORTS[service] + 1]
        is_for_people = not Environment(environment).has_world_clock
        api, internal = usual if is_for_people and all(map(_is_free, usual)) else free_ports(2)
        chosen[service] = Service(
            f"http://{_HOST}:{api}", f"http://{_HOST}:{internal}", log=str(logs / f"{service}.log")
        )
    return chosen


def service_variables(
    services: dict[str, Service], *, environment: str, database_url: str, kafka: str, home: Path
) -> dict[str, str]:
    """The variables common to all services: who and where everything is, and the key files."""
    decided = {
        "BATON_ENVIRONMENT": environment,
        "BATON_DATABASE_URL": database_url,
        "BATON_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "BATON_HOST": _HOST,
        "BATON_INGEST_PUBLIC_URL": services["ingest"].url,
        "BATON_INGEST_DOOR_FOLDER": str(home / "door"),
        "BATON_HANDOFF_PUBLIC_URL": services["console"].url,
        **variables_of_keys(home / "keys"),
    }
    for name, one in services.items():
        decided[f"BATON_{name.upper()}_URL"] = one.url
        decided[f"BATON_{name.upper()}_INTERNAL_URL"] = one.internal_url
        decided[f"BATON_{name.upper()}_API_PORT"] = one.url.rpartition(":")[2]
        decided[f"BATON_{name.upper()}_INTERNAL_PORT"] = one.internal_url.rpartition(":")[2]
    if Environment(environment).has_world_clock:
        decided[WORLD_CLOCK_VARIABLE] = str(home / "world_clock.json")
    return {name: os.environ.get(name) or value for name, value in decided.items()}


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port whose last user has ended is free
        try:
            one.bind((_HOST, port))
        except OSError:
            return False
    return True
