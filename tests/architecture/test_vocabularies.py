"""The closed vocabularies hold nothing that nobody uses: metrics, announced steps, settings."""

import re
from functools import cache
from importlib import import_module
from typing import get_args

import pytest

from shared.config import SERVICES, ServiceSettings
from shared.telemetry import METRICS, Step
from tests.architecture.layout import code_files

_OF_A_COMMIT = re.compile(r"[:_](?:before|after)_commit$")  # announced by transaction() under the name it was given


@cache
def source(without: str) -> str:
    """The product's code, without the module that holds the vocabulary."""
    return "\n".join(file.read_text() for file in code_files() if file.name != without)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_measured(metric: str) -> None:
    assert f'"{metric}"' in source("metrics.py")


@pytest.mark.parametrize("step", get_args(Step))
def test_every_step_is_announced(step: str) -> None:
    assert f'"{step}"' in source("steps.py") or f'"{_OF_A_COMMIT.sub("", step)}"' in source("steps.py")


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_is_read(service: str) -> None:
    settings: type[ServiceSettings] = import_module(f"services.{service}.settings").Settings
    read = set(re.findall(r"(?:(?<=settings\.)|(?<=self\.))\w+", source("none")))
    assert set(settings.model_fields) - read == set()


def test_every_time_that_is_asked_with_is_read_by_the_one_rule() -> None:
    assert "AwareDatetime" not in source("times.py"), "it takes a number too: use shared.web.times.Moment"
