"""Kafka frozen, PostgreSQL stopped, ingest killed at every step of its spool: each message that got 200 counts once.

As short as it can be in `make check`; `make test-faults` keeps each of them away for a minute and prints what it saw.
"""

import os
from collections import Counter

import pytest

from shared.clock import monotonic
from shared.contracts.activities import ActivityRecorded
from shared.ids import derived_id
from shared.stream.reader import read_topic
from tests.e2e.faults.door_town import DoorTown, door_town

# How often a life reaches a step before it dies there; each kills once.
KILLS_WHILE_AWAY = {"spool:after_append": 2, "spool:before_sync": 3, "spool:after_sync": 2, "accept:before_reply": 40}
KILLS_WHILE_HEALING = {"spool:drain_after_ack": 1, "spool:before_delete": 1}
AWAY_SECONDS = 60 if os.environ.get("BATON_FAULTS") == "full" else 0


@pytest.mark.faults
@pytest.mark.timeout(480)
async def test_what_the_door_answered_with_200_counts_once_whatever_was_away() -> None:
    async with door_town(kill_at=KILLS_WHILE_AWAY | KILLS_WHILE_HEALING) as town:
        await town.until_ready()
        await town.settle()
        await town.deliver([f"well-{n}" for n in range(20)])
        town.freeze_kafka()
        await town.deliver([f"frozen-{n}" for n in range(300)])
        assert town.fired() >= KILLS_WHILE_AWAY.keys()
        await town.deliver_for(AWAY_SECONDS, "frozen for long")
        await town.stop_database()
        await town.deliver([f"both-{n}" for n in range(50)])
        await town.deliver_for(AWAY_SECONDS, "both for long")
        await town.kill_ingest()
        await town.deliver([f"began-without-{n}" for n in range(50)])
        stranger = await town.ask("nobody's key")
        assert stranger.status_code == 503, "a door that cannot know does not say unknown"
        assert 1 <= int(stranger.headers["retry-after"]) <= 30
        await town.start_database()
        print(f"answers {dict(town.answers)}, spool {town.spooled_bytes()} bytes")  # noqa: T201 - the figures of an outage
        healed = monotonic()
        town.thaw_kafka()
        await town.until_drained()
        print(f"spool empty {monotonic() - healed:.1f} s after Kafka was back")  # noqa: T201
        await town.until_ready()
        await town.until_quiet()
        await town.deliver([f"healed-{n}" for n in range(20)])
        await town.until_quiet()
        assert town.fired() == KILLS_WHILE_AWAY.keys() | KILLS_WHILE_HEALING.keys()
        # 429: the full version sends as fast as it can. 503: this machine took over a second for a sync.
        assert set(town.answers) <= {200, 429, 503}, town.answers
        assert (await town.ask("nobody's key")).status_code == 401
        assert await times_recorded(town) == dict.fromkeys(sorted(town.receipts), 1)
        assert town.spooled() == []
        verified = (await town.call("GET", "/internal/verify")).json()
        assert verified["gap"] == 0, verified


async def times_recorded(town: DoorTown) -> dict[str, int]:
    """How often each message is on the topic of activities."""
    messages = {str(derived_id(town.source_id, one)): one for one in town.receipts}
    found: Counter[str] = Counter()
    async for event in read_topic(town.broker.address, "baton.activities"):
        if isinstance(event.payload, ActivityRecorded):
            found[messages.get(str(event.payload.activity_id), "of nobody")] += 1
    return dict(sorted(found.items()))
