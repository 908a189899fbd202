"""Ids are derived, the world clock is affine, and settings say what is missing."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import ValidationError

from shared import clock
from shared.clock import WorldClock
from shared.config import Environment, ServiceSettings
from shared.errors import AppError, Busy, Stale
from shared.ids import derived_id, new_id, secret_token

START = datetime(2026, 6, 1, tzinfo=UTC)


class Settings(ServiceSettings):
    """A made-up service."""

    service: ClassVar[str] = "scoring"


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """The process environment, put back afterwards."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("BATON_")]:
        del os.environ[name]
    yield os.environ  # type: ignore[misc]  # os._Environ behaves as a dict
    os.environ.clear()
    os.environ.update(before)


def test_the_same_parts_give_the_same_id_and_others_another() -> None:
    assert derived_id("a", 1) == derived_id("a", "1")
    assert derived_id("a", "bc") != derived_id("ab", "c")
    assert derived_id("a").version == 5


def test_new_ids_are_ordered_and_secrets_are_not_short() -> None:
    ids = [new_id() for _ in range(100)]
    assert ids == sorted(ids)
    assert ids[0].version == 7
    assert len(secret_token()) >= 43


def test_world_time_runs_at_its_speed_from_its_base() -> None:
    world = WorldClock(base=START, start=START + timedelta(days=9), speed=2)
    assert world.at(START + timedelta(days=9, seconds=30)) == START + timedelta(seconds=60)
    assert WorldClock.parse(world.to_json()) == world


def test_a_replaced_clock_file_is_seen_at_once(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    file.write_text(WorldClock(base=START, start=clock.machine_now(), speed=0).to_json())
    environment[clock.WORLD_CLOCK_VARIABLE] = str(file)
    assert clock.now() == START
    later = tmp_path / "next.json"
    later.write_text(WorldClock(base=START + timedelta(days=1), start=clock.machine_now(), speed=0).to_json())
    later.replace(file)
    assert clock.now() == START + timedelta(days=1)


def test_without_a_clock_file_world_time_is_the_hosts(environment: dict[str, str]) -> None:
    assert clock.WORLD_CLOCK_VARIABLE not in environment
    assert abs(clock.now() - clock.machine_now()) < timedelta(seconds=5)


def test_a_services_own_setting_wins_over_the_common_one(environment: dict[str, str]) -> None:
    environment.update(
        BATON_DATABASE_URL="postgresql://u:p@db:5432",
        BATON_KAFKA_BOOTSTRAP_SERVERS="k:9092",
        BATON_POOL_SIZE="3",
        BATON_SCORING_POOL_SIZE="5",
    )
    settings = Settings()
    assert settings.pool_size == 5
    assert settings.environment is Environment.PRODUCTION
    assert settings.service_database_url == "postgresql://u:p@db:5432/baton_scoring"
    assert (settings.listen_api, settings.listen_internal) == (8200, 8201)
    assert settings.address_of("handoff", internal=True) == "http://127.0.0.1:8301"


def test_a_database_set_for_one_service_is_used_as_it_is(environment: dict[str, str]) -> None:
    environment.update(
        BATON_SCORING_DATABASE_URL="postgresql://u:p@db:5432/elsewhere", BATON_KAFKA_BOOTSTRAP_SERVERS="k:9092"
    )
    assert Settings().service_database_url == "postgresql://u:p@db:5432/elsewhere"


def test_a_missing_setting_is_named(environment: dict[str, str]) -> None:
    environment["BATON_DATABASE_URL"] = "postgresql://u:p@db:5432"
    with pytest.raises(ValidationError, match="kafka_bootstrap_servers"):
        Settings()


def test_errors_say_whether_the_same_thing_may_succeed_later() -> None:
    assert Busy("later").retryable
    assert not Stale("no").retryable
    assert (Stale("no", current={"state": "accepted"}).current, AppError("x").problem) == (
        {"state": "accepted"},
        "error",
    )
