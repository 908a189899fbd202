"""The deploy files say what the code says: valid offline, every variable a setting, every needed setting given."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.config import PORTS, SERVICES, ServiceSettings

_ROOT = Path(__file__).parents[3]
_BIN = Path(sys.executable).parent
_COMPOSE: dict[str, Any] = yaml.safe_load((_ROOT / "docker-compose.yml").read_text())
_DOCKERFILE = (_ROOT / "deploy/Dockerfile").read_text()


def _settings_of(service: str) -> type[ServiceSettings]:
    found = import_module(f"services.{service}.settings").Settings
    assert issubclass(found, ServiceSettings)
    return found


def test_compose_fits_the_specification() -> None:
    command = [_BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", _ROOT / "docker-compose.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_misspelt_key_would_be_found(tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yml"
    broken.write_text((_ROOT / "docker-compose.yml").read_text().replace("healthcheck:", "healtcheck:"))
    command = [_BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", broken]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_the_dockerfile_passes_its_linter() -> None:
    done = subprocess.run([_BIN / "hadolint", _ROOT / "deploy/Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_image_is_locked_unprivileged_and_without_the_movable_clock() -> None:
    assert re.findall(r"^FROM python:\d+\.\d+\.\d+-slim-\w+", _DOCKERFILE, re.MULTILINE), "the base is pinned"
    assert "--require-hashes" in _DOCKERFILE
    assert re.search(r"^USER 10001:10001$", _DOCKERFILE, re.MULTILINE)
    assert "libgomp1" in _DOCKERFILE
    copied = re.findall(r"^COPY (?!--from)(.+)$", _DOCKERFILE, re.MULTILINE)
    assert not any("demo" in line or "tests" in line or line.startswith(".") for line in copied)


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_of_a_service_is_one_of_its_settings(service: str) -> None:
    fields = {name.upper() for name in _settings_of(service).model_fields}
    addresses = {f"{other.upper()}{end}" for other in SERVICES for end in ("_URL", "_INTERNAL_URL")}
    # Shared by all services: what only one of them reads must still be read by that one.
    others = {name.upper() for other in SERVICES for name in _settings_of(other).model_fields}
    for variable in _COMPOSE["services"][service]["environment"]:
        name = variable.removeprefix("BATON_")
        assert name in fields | addresses | others, f"{variable} is read by nobody"


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_a_service_cannot_do_without_is_given(service: str) -> None:
    given = {name.removeprefix("BATON_").lower() for name in _COMPOSE["services"][service]["environment"]}
    needed = {name for name, field in _settings_of(service).model_fields.items() if field.is_required()}
    assert needed <= given
    assert {"signing_key_file", "service_keys_file"} <= given


@pytest.mark.parametrize("service", SERVICES)
def test_ports_and_health_check_are_those_of_the_code(service: str) -> None:
    described = _COMPOSE["services"][service]
    assert described["environment"]["BATON_API_PORT"] == PORTS[service]
    assert described["environment"]["BATON_INTERNAL_PORT"] == PORTS[service] + 1
    assert described["healthcheck"]["test"][-1] == f"http://127.0.0.1:{PORTS[service] + 1}"
    assert described["environment"][f"BATON_{service.upper()}_URL"] == f"http://{service}:{PORTS[service]}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_runs_one_service_and_names_its_roles(service: str) -> None:
    module, flag, roles = _COMPOSE["services"][service]["command"]
    assert (module, flag) == (f"services.{service}.app", "--role")
    assert {"api", "consumer", "relay"} <= set(roles.split(","))


def test_only_the_door_and_the_console_are_reachable_from_outside() -> None:
    published = {name for name, one in _COMPOSE["services"].items() if one.get("ports")}
    assert published == {"ingest", "console"}
