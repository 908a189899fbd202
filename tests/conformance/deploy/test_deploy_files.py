"""The files of a deployment are valid and say what the code says: checked offline, without an engine."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.keys import make_keys
from shared.config import PORTS, SERVICES, ServiceSettings

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent


def fields_of(service: str) -> set[str]:
    settings: type[ServiceSettings] = import_module(f"services.{service}.settings").Settings
    return set(settings.model_fields)


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_the_compose_file_is_valid() -> None:
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_has_no_finding() -> None:
    done = subprocess.run([BIN / "hadolint", ROOT / "deploy/Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_runs_with_its_own_key_and_usual_ports(service: str) -> None:
    described = compose()["services"][service]
    assert described["command"] == ["python", "-m", f"services.{service}.app"]
    assert described["environment"]["BATON_API_PORT"] == PORTS[service]
    assert described["environment"]["BATON_INTERNAL_PORT"] == PORTS[service] + 1
    assert f"{service}-key" in described["secrets"]
    assert described["read_only"]


@pytest.mark.parametrize("service", SERVICES)
def test_only_settings_that_exist_are_set(service: str) -> None:
    """A misspelt variable would silently mean the default."""
    own = {f"BATON_{name.upper()}" for name in fields_of(service)}
    addresses = {f"BATON_{name.upper()}{kind}" for name in SERVICES for kind in ("_URL", "_INTERNAL_URL")}
    assert set(compose()["services"][service]["environment"]) <= own | addresses


def test_the_settings_example_names_only_settings_that_exist() -> None:
    lines = [line.lstrip("# ") for line in (ROOT / ".env.example").read_text().splitlines() if "BATON_" in line]
    names = {line.partition("=")[0] for line in lines if line.startswith("BATON_") and "=" in line}
    known = {f"BATON_{name.upper()}" for name in ServiceSettings.model_fields}
    for service in SERVICES:
        own = {*(name.upper() for name in fields_of(service)), "URL", "INTERNAL_URL"}
        known |= {f"BATON_{service.upper()}_{name}" for name in own}
    assert names <= known


def test_every_secret_is_a_file_the_key_maker_writes(tmp_path: Path) -> None:
    make_keys(tmp_path)
    for name, described in compose()["secrets"].items():
        assert (tmp_path / Path(described["file"]).name).exists(), name


def test_the_image_holds_no_tool_that_moves_the_clock() -> None:
    copied = [line for line in (ROOT / "deploy/Dockerfile").read_text().splitlines() if line.startswith("COPY")]
    assert not any("demo" in line or "tests" in line or line.startswith("COPY . ") for line in copied)
