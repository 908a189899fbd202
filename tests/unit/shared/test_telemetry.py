"""What a process says holds ids, never what people typed; names are closed sets."""

import json
from typing import get_args

import pytest
import structlog

from shared.telemetry import METRICS, Step, announce, count, exposition, gauge, install_hook, log, observe, places_of

CANARY = "ada.lovelace@canary.example"


def fails(value: str) -> None:
    raise ValueError(f"{value} is no good")


def caught() -> Exception:
    try:
        fails(CANARY)
    except ValueError as error:
        return error
    raise AssertionError


def test_an_exception_is_written_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    log.error("event_failed", exc_info=caught())
    written = capsys.readouterr().err
    assert CANARY not in written
    line = json.loads(written)
    assert line["event"] == "event_failed"
    assert line["exception"].startswith("ValueError at shared/test_telemetry.py:")


def test_groups_and_causes_are_followed_without_their_messages() -> None:
    group = ExceptionGroup(CANARY, [caught(), KeyError(CANARY)])
    text = places_of(group)
    assert CANARY not in text
    assert "ValueError" in text
    assert "KeyError" in text


def test_every_metric_is_exposed_under_its_name() -> None:
    count("baton_ignored_versions_total", 2)
    gauge("baton_outbox_lag_seconds", 1.5)
    observe("baton_batch_seconds", 0.2)
    text = exposition().decode()
    for name in METRICS:
        assert f"# TYPE {name.removesuffix('_total')}" in text
        assert name.startswith("baton_")


def test_labels_outside_the_closed_set_are_refused() -> None:
    with pytest.raises(ValueError, match="label"):
        count("baton_parked_total", lead_id="5")


async def test_announced_steps_reach_the_hook_of_a_test_and_nobody_else() -> None:
    reached: list[Step] = []

    async def note(step: Step) -> None:
        reached.append(step)

    await announce("relay:after_ack")
    install_hook(note)
    try:
        await announce("relay:after_move")
    finally:
        install_hook(None)
    assert reached == ["relay:after_move"]
    assert all(":" in step for step in get_args(Step))
    assert structlog.is_configured()
