"""The real server libraries, unmodified: 200 people each, ingest killed in the middle, storms of 503 and 429.

What a library was told 200 for is stored, and nothing is stored twice; every person is one lead, linked by the e-mail
that the library identified.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from shared.contracts.activities import ActivityRecorded
from shared.contracts.leads import LeadLinked
from shared.ids import new_id
from tests.libraries.gate import HEAVY
from tests.libraries.stand import Stand, open_stand
from tests.support.databases import Databases
from tests.support.node import HOME, NODE, install

PEOPLE = 200
KINDS = ("pricing_viewed", "demo_requested")
LIBRARIES = {
    "segment_python": "segment",
    "rudder_python": "rudder",
    "posthog_python": "posthog",
    "snowplow_python": "snowplow",
    "segment_node": "segment",
    "rudder_node": "rudder",
    "posthog_node": "posthog",
    "snowplow_node": "snowplow",
    "jitsu_node": "jitsu",
}
NEVER_AGAIN = frozenset({"snowplow_python", "jitsu_node"})
"""They never send again: what such a one was refused is lost, by its own choice."""
SECONDS = 400
_SCRIPT = Path(__file__).parent / "node" / "send.cjs"

pytestmark = [pytest.mark.xdist_group("libraries"), pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Storm:
    """What came of it: the stand, all activities on the topic, and the account's domain of each lead."""

    stand: Stand
    activities: list[ActivityRecorded]
    domains: dict[UUID, str | None]

    def of(self, library: str) -> list[ActivityRecorded]:
        source = self.stand.made[library].source_id
        return [one for one in self.activities if str(one.source_id) == source]


@pytest_asyncio.fixture(scope="module")
async def storm(postgres_url: str, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Storm]:
    """All libraries have sent their people, one after the other, in one storm; ingest died once on the way."""
    assert await asyncio.to_thread(install), "npm could not install the libraries; see above"
    databases = Databases(postgres_url)
    folder = tmp_path_factory.mktemp("stand")
    async with open_stand(await databases.of("ingest"), kafka, f"t{new_id().hex}.", folder) as opened:
        for library, sender in LIBRARIES.items():
            await opened.make_source(library, sender, rate_per_second=10_000)
        opened.gate.storm = HEAVY
        async with asyncio.TaskGroup() as group:
            for library in LIBRARIES:
                group.create_task(_send(opened, library))
            await opened.gate.until_told(40)
            await opened.kill()
        await opened.until_quiet()
        linked = [one.payload for one in await opened.events("leads") if isinstance(one.payload, LeadLinked)]
        yield Storm(opened, await opened.activities(), {one.lead_id: one.domain for one in linked})
    await databases.drop_all()


async def _send(stand: Stand, library: str) -> None:
    name, _, language = library.partition("_")
    made = stand.made[library]
    key = f"baton:{made.key}" if name == "jitsu" else made.key
    start = [str(NODE), str(_SCRIPT)] if language == "node" else [sys.executable, "-m", "tests.libraries.send_python"]
    process = await asyncio.create_subprocess_exec(
        *start, name, stand.gate.url, key, str(PEOPLE),
        env={**os.environ, "BATON_NODE_LIBRARIES": str(HOME)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(SECONDS):
        told, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()[-2000:]
    errors = json.loads(told.splitlines()[-1])["errors"]
    print(f"{library}: {len(errors)} errors {errors[:3]}")  # noqa: T201 - shown when it fails


@pytest.mark.parametrize("library", LIBRARIES)
async def test_what_was_told_200_is_stored_once(storm: Storm, library: str) -> None:
    stored = Counter(str(one.activity_id) for one in storm.of(library))
    told = storm.stand.told(library)
    assert [one for one in told if stored[one] != 1] == []
    assert max(stored.values()) == 1
    if library not in NEVER_AGAIN:
        assert len(told) >= PEOPLE * len(KINDS), "a library that sends again gets all of it through"


@pytest.mark.parametrize("library", LIBRARIES)
async def test_each_person_is_one_lead_with_the_activities_said(storm: Storm, library: str) -> None:
    told = storm.stand.told(library)
    found = [one for one in storm.of(library) if str(one.activity_id) in told]
    leads = {(told[str(one.activity_id)], one.member_id) for one in found}
    assert len(leads) == len({user for user, _ in leads}) == len({lead for _, lead in leads}) > 0
    kinds = {one.kind for one in found}
    assert set(KINDS) <= kinds <= {*KINDS, "form_submit"}
    assert {one.sender for one in found} == {LIBRARIES[library]}
    assert {one.traffic_source for one in found if one.kind == "pricing_viewed"} == {"newsletter"}
    domains = Counter(storm.domains[lead] for _, lead in leads if lead in storm.domains)
    assert set(domains) == {f"{library.replace('_', '-')}.example"}
    if library not in NEVER_AGAIN:
        assert len(leads) == domains.total() == PEOPLE
