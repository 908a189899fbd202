"""Merges, anonymous visits and activities from many connections at once: no deadlock lost, every sum exact."""

import asyncio
from collections.abc import Sequence
from random import Random  # noqa: TID251 - a seeded storm, not a secret
from typing import Any
from uuid import UUID

from services.ingest.domain.identity import TREE_MEMBERS_MAX
from services.ingest.store.results import LEDGER
from services.ingest.usecases.leads import merge_leads, split_lead
from shared.clock import sleep
from shared.db.engine import is_transient, reading, transaction
from shared.db.ledger import find_gaps
from shared.errors import Busy, Refused
from shared.stream.handlers import RawEvent
from tests.integration.ingest.stage import HASHED, IngestStage, batch, identify, raw_event, track

PEOPLE, WORKERS, DELIVERIES, MERGES = 30, 4, 240, 60
SEED = 20261125


async def test_a_storm_of_merges_loses_no_fact_and_no_pointer(stage: IngestStage) -> None:
    random = Random(SEED)  # noqa: S311 - a seeded storm, not a secret
    deliveries = [_delivery(stage, random, number) for number in range(DELIVERIES)]
    repeats = random.sample(deliveries, 40)
    await asyncio.gather(
        *(_work(stage, [*deliveries, *repeats][worker::WORKERS]) for worker in range(WORKERS)),
        _command(stage, Random(SEED + 1)),  # noqa: S311
    )
    sums = (await stage.rows("select sum(activities), sum(operations), sum(events - repeats) from delivery_result"))[0]
    commands = await stage.one(
        "select count(*) from delivery_result where not exists (select from inbox where event_id = delivery_id)"
    )
    assert sums[0] == DELIVERIES
    assert sums[1] - commands == DELIVERIES
    recorded = await stage.rows("select event_id from outbox where headers like '%activity.recorded%'")
    assert len({row[0] for row in recorded}) == len(recorded) == DELIVERIES
    async with reading(stage.database) as tx:
        assert await find_gaps(tx, LEDGER) == []
    trees = await stage.rows("select root_id, count(*) from lead group by 1")
    assert max(row[1] for row in trees) <= TREE_MEMBERS_MAX
    merged, split, parents = (
        await stage.rows(
            """
            select count(*) filter (where headers like '%lead.merged%'),
                   count(*) filter (where headers like '%lead.split%'),
                   (select count(*) from lead where parent_id is not null)
              from outbox
            """
        )
    )[0]
    assert merged - split == parents
    order = await stage.rows(
        """
        select key, payload::json->>'identity_version' from outbox
         where headers like '%lead.merged%' or headers like '%lead.split%' order by id
        """
    )
    versions: dict[str, list[int]] = {}
    for key, version in order:
        versions.setdefault(key, []).append(int(version))
    assert all(found == sorted(set(found)) for found in versions.values())


def _delivery(stage: IngestStage, random: Random, number: int) -> RawEvent:
    """An identify that may join two identifiers of one person, and an activity by either."""
    person = random.randrange(PEOPLE)
    ids: dict[str, Any] = {"anonymousId": f"a{person}-{random.randrange(3)}"}
    if random.random() < 0.7:
        ids["userId"] = f"u{person}"
    traits = {"email": f"p{person}-{random.randrange(2)}@acme{person % 5}.example"} if "userId" in ids else {}
    events = (
        identify(**ids, traits=traits, message_id=f"i{number}"),
        track("Form Submitted", **ids, message_id=f"t{number}"),
    )
    return raw_event(batch(*events), source_id=stage.source_id)


async def _work(stage: IngestStage, deliveries: Sequence[RawEvent]) -> None:
    """As the consumer: batches of a few deliveries, each again when the database says so; repeats by the inbox."""
    done: set[UUID] = set()
    for start in range(0, len(deliveries), 6):
        some = [one for one in deliveries[start : start + 6] if one.id not in done]
        while True:
            known = {row[0] for row in await stage.rows("select event_id from inbox")}
            fresh = list({one.id: one for one in some if one.id not in known}.values())
            try:
                await stage.handle(*fresh)
            except Exception as error:
                if not (isinstance(error, Busy) or is_transient(error)):
                    raise
                await sleep(0.01)
            else:
                break
        done |= {one.id for one in some}


async def _command(stage: IngestStage, random: Random) -> None:
    """People who merge and split whatever there is."""
    for number in range(MERGES):
        leads = [row[0] for row in await stage.rows("select id from lead order by id")]
        if len(leads) < 2:
            await sleep(0.02)
            continue
        one, other = random.sample(leads, 2)
        try:
            async with transaction(stage.database, "command") as tx:
                if number % 3:
                    await merge_leads(tx, one, into_lead_id=other, by="user:" + str(UUID(int=1)), hashed=HASHED)
                else:
                    await split_lead(tx, one, by="cli:test", hashed=HASHED)
        except Refused:
            continue
        except Exception as error:
            if not (isinstance(error, Busy) or is_transient(error)):
                raise
