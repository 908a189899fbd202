"""Case 5 of the field: two known people use one browser. They stay two, and what is done belongs to who was there."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from tests.integration.ingest.stage import batch, identify, page, raw_event, track
from tests.integration.people.chain import chain_of


@pytest.mark.parametrize("is_one_batch", [False, True])
async def test_case_5_two_known_people_in_one_browser_stay_two(
    database_of: Callable[[str], Awaitable[str]], *, is_one_batch: bool
) -> None:
    sam = {"email": "sam@vendor.example"}
    kim = {"email": "kim@acme.example"}
    told: list[dict[str, Any]] = [
        page("https://us.example/", anonymousId="a1"),
        identify(anonymousId="a1", traits=sam),
        identify(anonymousId="a1", traits=kim),
        track("Demo Requested", anonymousId="a1"),
        identify(anonymousId="a1", traits=sam),
    ]
    async with chain_of(database_of) as chain:
        for events in [told] if is_one_batch else [[each] for each in told]:
            await chain.ingest.handle(raw_event(batch(*events), source_id=chain.ingest.source_id))
        await chain.settle()
        sams, kims = (
            await chain.ingest.lead_of("email", sam["email"]),
            await chain.ingest.lead_of("email", kim["email"]),
        )
        assert sams != kims
        assert await chain.ingest.lead_of("anonymous", "a1") == sams
        rows = await chain.ingest.rows("select id, root_id, parent_id from lead")
        assert {(row.id, row.root_id, row.parent_id) for row in rows} == {(sams, sams, None), (kims, kims, None)}
        recorded = await chain.ingest.rows("select payload from outbox where headers like '%activity.recorded%'")
        done = {payload["kind"]: payload["lead_id"] for payload in (orjson.loads(row.payload) for row in recorded)}
        assert done == {"page_view": str(sams), "demo_requested": str(kims)}
        assert await chain.ingest.one("select sum(ambiguous) from delivery_result") == 2
        handed = await chain.handoff.rows("select lead_id from handoff")
        assert [row.lead_id for row in handed] == [kims]
        assert await chain.gaps() == []
