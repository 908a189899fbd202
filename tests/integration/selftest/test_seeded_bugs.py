"""Would the proofs notice? Five guarantees, each broken on purpose: its lane finds the harm, and none without."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.integration.selftest.lanes import (
    DatabaseOf,
    Lane,
    clock_left_armed,
    killed_door,
    killed_relay,
    repeating_relay,
    sleeping_worker,
)
from tests.support.seeded_bugs import BUGS

LaneRun = Callable[[Lane], Awaitable[list[str]]]

# Per bug the lane that must catch it, and the words of the harm.
LANES: dict[str, tuple[LaneRun, str]] = {
    "no_fence": (sleeping_worker, "applied 2 times"),
    "no_inbox": (repeating_relay, "applied 2 times"),
    "reply_before_ack": (killed_door, "answered with 2xx and not on the topic"),
    "relay_deletes_before_ack": (killed_relay, "applied 0 times"),
    "clock_without_token": (clock_left_armed, "after the acceptance"),
}


def test_every_bug_has_its_lane() -> None:
    assert LANES.keys() == BUGS.keys()


@pytest.mark.timeout(240)  # processes start, beside other workers of the run
@pytest.mark.parametrize("bug", LANES)
async def test_the_lane_finds_the_bug_and_nothing_without_it(
    bug: str, database_of: DatabaseOf, kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    run, harm = LANES[bug]

    def lane(planted: str) -> Lane:
        folder = tmp_path / (planted or "whole")
        folder.mkdir()
        return Lane(database_of, kafka, f"{topic_prefix}{len(planted)}.", folder, planted)

    whole, broken = await asyncio.gather(run(lane("")), run(lane(bug)))
    assert whole == []
    assert broken
    assert all(harm in one for one in broken)
