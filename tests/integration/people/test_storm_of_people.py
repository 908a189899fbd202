"""Merges, splits and repeats over ingest, scoring and handoff at once: 12 workers, hot accounts, every sum exact."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from random import Random  # noqa: TID251 - a seeded storm, not a secret
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.things import Actor, ActorKind
from services.ingest.usecases.leads import merge_leads, split_lead
from services.scoring.store import leads
from shared.clock import sleep
from shared.db.engine import reading, transaction
from shared.errors import AppError, Refused
from shared.ids import LeadId, UserId
from shared.stream.handlers import RawEvent
from tests.integration.ingest.stage import HASHED, batch, identify, page, raw_event, track
from tests.integration.people.chain import LANES, Chain, chain_of, is_to_be_tried_again

PEOPLE, ACCOUNTS, DELIVERIES, COMMANDS, REPEATS = 24, 2, 120, 30, 30
DOORS, COMMANDERS, SCORERS, ROUTERS, REPS = 4, 2, 3, 2, 1  # twelve workers
_POINTS = {"pricing_viewed": (20, 40), "webinar_attended": (15, 30), "demo_requested": (30, 60)}  # each, cap


@pytest.mark.parametrize("seed", [20261125, 7])
async def test_a_storm_over_three_services_leaves_every_sum_exact(
    database_of: Callable[[str], Awaitable[str]], seed: int
) -> None:
    async with chain_of(database_of) as chain:
        await _storm(chain, seed)
        await chain.settle()
        recorded = await _recorded(chain)
        assert sum(map(len, recorded.values())) == DELIVERIES
        roots = await _same_trees(chain)
        await _exact_scores(chain, recorded, roots)
        await _ordered_versions(chain)
        await _one_owner_each(chain)
        assert await chain.gaps() == []


async def _storm(chain: Chain, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a seeded storm
    deliveries = [_delivery(chain, random, number) for number in range(DELIVERIES)]
    deliveries += random.sample(deliveries, REPEATS)
    stirring = [_work(chain, deliveries[door::DOORS]) for door in range(DOORS)]
    stirring += [_command(chain, Random(seed + number)) for number in range(COMMANDERS)]  # noqa: S311
    is_over = asyncio.Event()
    following = [_follow(chain, "scoring", lanes, Random(seed), is_over) for lanes in _shared(SCORERS)]  # noqa: S311
    following += [_follow(chain, "handoff", lanes, Random(seed), is_over) for lanes in _shared(ROUTERS)]  # noqa: S311
    following += [_act(chain, Random(seed), is_over)]  # noqa: S311
    assert len(stirring) + len(following) == DOORS + COMMANDERS + SCORERS + ROUTERS + REPS == 12

    async def stir() -> None:
        try:
            await asyncio.gather(*stirring)
        finally:
            is_over.set()

    await asyncio.gather(stir(), *following)


def _shared(workers: int) -> Iterator[list[int]]:
    """Which lanes each of some workers reads."""
    return (list(range(LANES))[worker::workers] for worker in range(workers))


def _delivery(chain: Chain, random: Random, number: int) -> RawEvent:
    """An identify that may join two identifiers of one person of a hot account, and one activity by either."""
    person = random.randrange(PEOPLE)
    ids: dict[str, Any] = {"anonymousId": f"a{person}-{random.randrange(3)}"}
    traits: dict[str, str] = {}
    if random.random() < 0.7:
        ids["userId"] = f"u{person}"
        traits = {"email": f"p{person}-{random.randrange(2)}@acme{person % ACCOUNTS}.example", "title": "VP Sales"}
    drawn = random.random()
    if drawn < 0.6:
        activity = page("https://us.example/pricing", message_id=f"t{number}", **ids)
    else:
        name = "Webinar Attended" if drawn < 0.9 else "Demo Requested"
        activity = track(name, message_id=f"t{number}", **ids)
    events = identify(**ids, traits=traits, message_id=f"i{number}"), activity
    return raw_event(batch(*events), source_id=chain.ingest.source_id)


async def _work(chain: Chain, deliveries: Sequence[RawEvent]) -> None:
    """As ingest's consumer: batches of a few deliveries, again when the database says so; repeats by the inbox."""
    for start in range(0, len(deliveries), 4):
        while True:
            known = {row[0] for row in await chain.ingest.rows("select event_id from inbox")}
            fresh = {one.id: one for one in deliveries[start : start + 4] if one.id not in known}
            try:
                if fresh:
                    await chain.ingest.handle(*fresh.values())
            except Exception as error:
                if not is_to_be_tried_again(error):
                    raise
                await sleep(0.01)
            else:
                break


async def _command(chain: Chain, random: Random) -> None:
    """Somebody who merges and splits whatever there is, people of other companies too."""
    for number in range(COMMANDS):
        found = [row[0] for row in await chain.ingest.rows("select id from lead order by id")]
        if len(found) < 2:
            await sleep(0.02)
            continue
        one, other = random.sample(found, 2)
        try:
            async with transaction(chain.ingest.database, "command") as tx:
                if number % 2:
                    await merge_leads(tx, one, into_lead_id=other, by=f"user:{UUID(int=1)}", hashed=HASHED)
                else:
                    await split_lead(tx, one, by="cli:test", hashed=HASHED)
        except Refused:
            continue
        except Exception as error:
            if not is_to_be_tried_again(error):
                raise


async def _follow(chain: Chain, who: str, lanes: Sequence[int], random: Random, is_over: asyncio.Event) -> None:
    """One consumer with its partitions; scoring's also keeps up with due accounts."""
    while True:
        was_over = is_over.is_set()
        await chain.draw()
        read = 0
        for lane in lanes:
            read += await chain.read(who, lane, most=random.randint(1, 12))
        if who == "scoring":
            read += await chain.scoring.accounts()
        if not read:
            if was_over:
                return
            await sleep(0.01)


async def _act(chain: Chain, random: Random, is_over: asyncio.Event) -> None:
    """The reps: accept and touch what they own, with the token they saw."""
    while not is_over.is_set():
        owned = await chain.handoff.rows("select id, owner_id, token, state from handoff where owner_id is not null")
        await sleep(0.02)  # the token may be old by now
        if not owned:
            continue
        seen = random.choice(owned)
        by = UserId(seen.owner_id)
        try:
            if seen.state == "assigned":
                accept = inputs.Accept(token=seen.token, by=by, actor=Actor(ActorKind.REP, by))
                await chain.handoff.act(seen.id, accept)
            elif seen.state == "accepted":
                await chain.handoff.touch(seen.id, seen.owner_id)
        except AppError:
            continue
        except Exception as error:
            if not is_to_be_tried_again(error):
                raise


async def _recorded(chain: Chain) -> Mapping[UUID, list[str]]:
    """The kinds of activities by member, as ingest told them."""
    found: dict[UUID, list[str]] = defaultdict(list)
    for row in await chain.ingest.rows("select payload from outbox where headers like '%activity.recorded%'"):
        payload = orjson.loads(row.payload)
        found[UUID(payload["member_id"])].append(payload["kind"])
    return found


async def _same_trees(chain: Chain) -> dict[UUID, UUID]:
    """Root by lead; the same in all three services, with the same account of each lead."""
    trees = "select {id} as id, parent_id, root_id, identity_version from lead"
    told, scored, routed = (
        {row.id: (row.root_id, row.parent_id, row.identity_version) for row in rows}
        for rows in (
            await chain.ingest.rows(trees.format(id="id")),
            await chain.scoring.rows(trees.format(id="lead_id")),
            await chain.handoff.rows(trees.format(id="id")),
        )
    )
    roots = {lead_id: root_id for lead_id, (root_id, *_) in told.items()}
    assert all(roots[root_id] == root_id for root_id in roots.values())
    for other in (scored, routed):
        assert {lead_id: other[lead_id][0] for lead_id in other} == {lead_id: roots[lead_id] for lead_id in other}
        unheard = told.keys() - other.keys()
        assert all(roots[lead_id] == lead_id for lead_id in unheard)
    accounts = {row.id: row.account_id for row in await chain.ingest.rows("select * from lead")}
    for row in await chain.handoff.rows("select * from lead"):
        assert row.account_id == accounts[row.id]
    return roots


async def _exact_scores(chain: Chain, recorded: Mapping[UUID, list[str]], roots: Mapping[UUID, UUID]) -> None:
    """Activities per member, engagement per person and per account, from what was told alone."""
    kept = {
        row.lead_id: row.times
        for row in await chain.scoring.rows("select lead_id, count(*) as times from activity group by 1")
    }
    assert kept == {lead_id: len(kinds) for lead_id, kinds in recorded.items()}
    done: dict[UUID, Counter[str]] = defaultdict(Counter)
    for lead_id, kinds in recorded.items():
        done[roots[lead_id]].update(kinds)
    expected = {
        root_id: sum(min(cap, each * times[kind]) for kind, (each, cap) in _POINTS.items())
        for root_id, times in done.items()
    }
    people = await chain.scoring.rows("select lead_id, shown from lead where root_id = lead_id and shown <> ''")
    shown = {row.lead_id: orjson.loads(row.shown)[2] for row in people}
    assert {root_id: shown.get(root_id, 0) for root_id in expected} == {
        root_id: min(100, points) for root_id, points in expected.items()
    }
    by_account: dict[UUID, list[int]] = defaultdict(list)
    async with reading(chain.scoring.database) as tx:
        forest = await leads.read_trees(tx, {LeadId(each) for each in expected})
    for root_id, points in expected.items():
        person = forest.person(LeadId(root_id))
        if person.account_id is not None:
            by_account[person.account_id].append(min(100, points))
    accounts = await chain.scoring.rows("select account_id, shown from account where shown <> ''")
    assert {row.account_id: orjson.loads(row.shown)[2] for row in accounts} == {
        account_id: _of_account(points) for account_id, points in by_account.items()
    }


def _of_account(points: list[int]) -> int:
    """Half as much for each further person, 10 for each further active one, at most 30."""
    total = 0.0
    for place, own in enumerate(sorted(points, reverse=True)):
        breadth = 10 if 0 < place <= 3 and own >= 10 else 0
        total += min(own, 40) * 0.5**place + breadth
    return min(100, round(total + 1e-9))


async def _ordered_versions(chain: Chain) -> None:
    order = await chain.ingest.rows(
        """
        select key, payload::json->>'identity_version' as version from outbox
         where headers like '%lead.merged%' or headers like '%lead.split%' order by id
        """
    )
    versions: dict[str, list[int]] = defaultdict(list)
    for row in order:
        versions[row.key].append(int(row.version))
    assert versions
    assert all(found == list(range(found[0], found[0] + len(found))) for found in versions.values())


async def _one_owner_each(chain: Chain) -> None:
    rows = await chain.handoff.rows(
        """
        select h.id, h.scope_id, h.owner_id, h.state, h.result,
               (select count(*) from assignment a where a.handoff_id = h.id and a.ended_at is null) as owners
          from handoff h
        """
    )
    opened = [row for row in rows if row.result is None]
    assert opened
    assert len({row.scope_id for row in opened}) == len(opened)
    assert all(row.owners == (row.owner_id is not None) for row in rows)
