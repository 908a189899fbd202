"""Nothing accepted is lost or doubled, whichever process dies at whichever moment.

One minute in `make check`; `make test-faults` sends 20,000 deliveries through at least 40 kills. The seed is printed
and may be given: BATON_FAULTS_SEED=7 make test-faults.
"""

import os
from pathlib import Path

import pytest

from shared.ids import new_id
from tests.e2e.faults.judge import census, findings
from tests.e2e.faults.storm import Storm, Weather
from tests.e2e.faults.town import settle
from tests.support.stack import running_stack

LIGHT = Weather(deliveries=2_500, kills=10, seconds_between_kills=3.0)
FULL = Weather(deliveries=20_000, kills=42, seconds_between_kills=3.5)
# World minutes pass while machine seconds do, so that clocks of five minutes fire in the storm.
WORLD_SPEED = 60
HEAL_SECONDS = 90


@pytest.mark.faults
@pytest.mark.timeout(480)
async def test_every_kept_delivery_has_one_effect_whatever_is_killed() -> None:
    weather = FULL if os.environ.get("BATON_FAULTS") == "full" else LIGHT
    seed = int(os.environ.get("BATON_FAULTS_SEED") or new_id().int % 100_000)
    print(f"kill storm: seed {seed}, {weather}")  # noqa: T201 - a failure must be repeatable
    async with running_stack() as stack:
        home = stack.home
        town = await settle(stack)
        await stack.hand.set(speed=WORLD_SPEED)
        storm = Storm(stack, write_key=town.write_key, reps=town.reps, people=400, seed=seed)
        try:
            receipts = await storm.rage(weather)
            await stack.hand.set(speed=0)
            await stack.quiet(within_seconds=HEAL_SECONDS)
        except BaseException:
            print(f"answers {storm.receipts.answers}, kills {storm.receipts.kills}")  # noqa: T201
            print(last_words(home))  # noqa: T201 - the stack is deleted with the test
            raise
        print(f"answers {receipts.answers}, commands {receipts.commands}, kills {receipts.kills}")  # noqa: T201
        happened = await census(stack)
        print(f"what happened: {happened}")  # noqa: T201 - the figures of a storm
        assert len(receipts.kept) == weather.deliveries
        assert len(receipts.kills) == weather.kills
        assert happened.keys() & {"Accept ok", "Reject ok", "Touch ok"}, "a storm that no rep acted in proves little"
        assert "Fire ok" in happened, "a storm without clocks proves little"
        found = await findings(stack, source_id=town.source_id, kept=receipts.kept)
        assert not found, "\n".join(found)
    assert left_over(home) == []


def last_words(home: Path) -> str:
    """The end of every log of the stack."""
    logs = sorted(home.rglob("*.log"))
    return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)


def left_over(home: Path) -> list[str]:
    """Processes that still name the stack's home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (process / "environ").read_bytes().decode(errors="replace")
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
        if str(home) in command or f"={home}" in environment:
            found.append(f"{process.name}: {command[:120]}")
    return found
