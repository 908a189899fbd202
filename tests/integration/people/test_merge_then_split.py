"""A merge that is split again leaves scores, standings, states and owners as they were, whatever was on the way."""

from collections.abc import Awaitable, Callable
from random import Random  # noqa: TID251 - a seeded draw, not a secret
from uuid import UUID

import orjson
import pytest

from services.handoff.domain.lifecycle.states import OPEN
from services.ingest.usecases.leads import merge_leads, split_lead
from services.scoring.store.encoding import standing_from
from shared.db.engine import transaction
from tests.integration.ingest.stage import HASHED, batch, identify, page, raw_event, track
from tests.integration.people.chain import Chain, chain_of

DatabaseOf = Callable[[str], Awaitable[str]]
_STATES = ("none", "assigned", "accepted", "working")  # how far the handoff of each side is


@pytest.mark.parametrize("seed", range(6))
async def test_a_merge_that_is_split_leaves_everything_as_it_was(database_of: DatabaseOf, seed: int) -> None:
    random = Random(seed)  # noqa: S311
    far = {name: random.choice(_STATES) for name in ("kim", "lee")}
    companies = {"kim": "acme", "lee": random.choice(("acme", "beta"))}
    async with chain_of(database_of) as chain:
        leads = {name: await _person(chain, name, companies[name], far[name]) for name in far}
        before = {name: await _seen(chain, leads[name]) for name in far}
        late = random.choice([None, *far])
        if late is not None:  # is on its way while both commands overtake it, or between them
            await _send(chain, track("Webinar Attended", userId=late, message_id=f"late-{late}"))
        moving, staying = random.sample(sorted(far), 2)
        await _merge(chain, leads[moving], leads[staying])
        if random.random() < 0.7:
            await chain.settle()
            opened = await chain.handoff.rows("select state from handoff where result is null")
            assert len(opened) <= 1 or companies["kim"] != companies["lee"]
            roots = await chain.scoring.rows("select distinct root_id from lead")
            assert [row.root_id for row in roots] == [leads[staying]]
            assert await chain.gaps() == []
        await _split(chain, leads[moving])
        await chain.settle()
        for name, (engagement, *others, handoffs) in before.items():
            more = 15 if name == late else 0
            *found, found_handoffs = await _seen(chain, leads[name])
            assert found == [engagement + more, *others], (name, far, companies, late)
            assert [owner for _, owner in found_handoffs] == [owner for _, owner in handoffs]
            for (is_now, _), (was, _) in zip(found_handoffs, handoffs, strict=True):  # an ended one is offered anew
                assert is_now in {was, "assigned"}
        assert await chain.gaps() == []


async def test_case_7_through_three_services(database_of: DatabaseOf) -> None:
    """A 55, B 50, merged 65 in either direction with a fifth activity in flight, split 55 and 50 again."""
    for moving, staying in (("b", "a"), ("a", "b")):
        async with chain_of(database_of) as chain:
            leads = {}
            for name, more in (("a", _webinar("a")), ("b", _white_paper("b"))):
                traits = {"email": f"{name}@{name}.example"}
                pages = [page("https://us.example/pricing", userId=name) for _ in range(2)]
                await _send(chain, identify(userId=name, traits=traits), *pages)
                await chain.settle()
                await _send(chain, more)  # in flight while the people are merged below, for the second of the two
                leads[name] = await chain.ingest.lead_of("user", name)
            await _merge(chain, leads[moving], leads[staying])
            await chain.settle()
            assert (await _seen(chain, leads[staying]))[0] == 65
            await _split(chain, leads[moving])
            await chain.settle()
            assert [(await _seen(chain, leads[name]))[0] for name in ("a", "b")] == [55, 50]
            assert await chain.gaps() == []


def _webinar(name: str) -> dict[str, object]:
    return track("Webinar Attended", userId=name)


def _white_paper(name: str) -> dict[str, object]:
    properties = {"url": "https://us.example/white-paper.pdf"}
    return track("Asset Downloaded", userId=name, properties=properties)


async def _send(chain: Chain, *events: dict[str, object]) -> None:
    await chain.ingest.handle(raw_event(batch(*events), source_id=chain.ingest.source_id))


async def _person(chain: Chain, name: str, company: str, state: str) -> UUID:
    """A known person with some engagement, whose handoff is in a state."""
    traits = {"email": f"{name}@{company}.example", "title": "VP Sales"}
    activities = [page("https://us.example/blog/one", userId=name)]  # too little to qualify together
    if state != "none":
        activities.append(track("Demo Requested", userId=name))
    await _send(chain, identify(userId=name, traits=traits), *activities)
    await chain.settle()
    lead_id = await chain.ingest.lead_of("user", name)
    own = [row for row in await chain.handoff.rows("select * from handoff") if row.lead_id == lead_id]
    if own and state in {"accepted", "working"}:  # a colleague's handoff may have taken this one in
        await chain.handoff.accept(own[0].id, own[0].owner_id)
        if state == "working":
            await chain.handoff.touch(own[0].id, own[0].owner_id)
    await chain.settle()
    return lead_id


async def _seen(chain: Chain, lead_id: UUID) -> tuple[int, bool, tuple[UUID, UUID | None], list[tuple[str, UUID]]]:
    """Engagement, whether qualified, root and parent, and the open handoffs with their owners of one lead."""
    (row,) = await chain.scoring.rows("select * from lead where lead_id = :id", id=lead_id)
    engagement = orjson.loads(row.shown)[2] if row.shown else 0
    opened = await chain.handoff.rows(
        "select state, owner_id from handoff where lead_id = :id and result is null and root_lead_id = :id", id=lead_id
    )
    assert all(each.state in OPEN for each in opened)
    is_qualified = standing_from(row.standing).is_qualified
    return engagement, is_qualified, (row.root_id, row.parent_id), [(each.state, each.owner_id) for each in opened]


async def _merge(chain: Chain, lead_id: UUID, into: UUID) -> None:
    async with transaction(chain.ingest.database, "command") as tx:
        await merge_leads(tx, lead_id, into_lead_id=into, by="cli:test", hashed=HASHED)


async def _split(chain: Chain, lead_id: UUID) -> None:
    async with transaction(chain.ingest.database, "command") as tx:
        await split_lead(tx, lead_id, by="cli:test", hashed=HASHED)
