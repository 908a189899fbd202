"""The read model over a real database: folds, versions, trees of leads, change numbers."""

import asyncio
from collections.abc import Awaitable, Callable

from services.console.store import changes, pages
from services.console.usecases.fold import fold_events
from shared.contracts.handoffs import HandoffAccepted
from shared.contracts.leads import LeadErased, LeadMerged, LeadSplit
from shared.db.engine import reading, transaction
from tests.integration.console.conftest import Console
from tests.support.builders.console import activity, event, handoff_event, identified, named, qualified, scored

Make = Callable[..., Awaitable[Console]]


async def test_a_repeat_and_an_older_version_change_nothing(make_console: Make) -> None:
    console = await make_console()
    await console.fold(event(identified(version=2, country="SE")), event(scored(version=5, score=61)))
    await console.fold(event(identified(version=1, country="FR")), event(scored(version=4, score=10)))
    async with reading(console.database) as tx:
        found = await pages.person(tx, named("lead", "anna"))
    assert found is not None
    assert (found.lead.traits["country"], found.lead.score) == ("SE", 61)


async def test_a_handoff_overtaken_by_a_later_event_keeps_the_later_state(make_console: Make) -> None:
    console = await make_console()
    owner = named("user", "priya")
    await console.fold(event(handoff_event(HandoffAccepted, seq=3, token=3, state="accepted", owner=owner)))
    await console.fold(event(handoff_event(seq=2, token=2, owner=owner)))
    async with reading(console.database) as tx:
        row = await pages.handoff(tx, named("handoff", "one"))
    assert row is not None
    assert (row.state, row.seq) == ("accepted", 3)


async def test_a_merge_shows_both_histories_under_the_root_and_a_split_takes_them_apart(make_console: Make) -> None:
    console = await make_console()
    anna, visitor = named("lead", "anna"), named("lead", "visitor")
    await console.fold(
        event(identified("anna")),
        event(identified("visitor", is_known=False)),
        event(activity("anna", kind="demo_requested")),
        event(activity("visitor", kind="page_view")),
        event(
            LeadMerged(lead_id=visitor, into_lead_id=anna, root_lead_id=anna, identity_version=1, reason="became_known")
        ),
    )
    async with reading(console.database) as tx:
        merged = await pages.person(tx, visitor)
        assert merged is not None
        names = [row.details["kind"] for row in await pages.timeline_of(tx, merged.members) if "kind" in row.details]
    assert merged.lead.lead_id == anna
    assert set(merged.members) == {anna, visitor}
    assert sorted(names) == ["demo_requested", "page_view"]
    await console.fold(
        event(LeadSplit(lead_id=visitor, from_lead_id=anna, root_lead_id=visitor, identity_version=2, reason="command"))
    )
    async with reading(console.database) as tx:
        apart = await pages.person(tx, visitor)
    assert apart is not None
    assert apart.members == (visitor,)


async def test_a_chain_of_merges_in_any_order_ends_at_one_root(make_console: Make) -> None:
    console = await make_console()
    one, two, three = (named("lead", name) for name in ("one", "two", "three"))

    def merged(lead: object, into: object, root: object) -> LeadMerged:
        return LeadMerged.model_validate(
            {"lead_id": lead, "into_lead_id": into, "root_lead_id": root, "identity_version": 1, "reason": "crm_id"}
        )

    await console.fold(event(merged(one, two, two)))
    await console.fold(event(merged(two, three, three)))
    async with reading(console.database) as tx:
        found = await pages.person(tx, one)
    assert found is not None
    assert found.lead.root_id == three
    assert set(found.members) == {one, two, three}


async def test_an_unchanged_score_makes_no_line_of_the_timeline(make_console: Make) -> None:
    console = await make_console()
    await console.fold(event(scored(version=1, score=40)), event(scored(version=2, score=40)), event(qualified()))
    async with reading(console.database) as tx:
        names = [row.name for row in await pages.timeline_of(tx, [named("lead", "anna")])]
    assert sorted(names) == ["lead.qualified", "lead.scored"]


async def test_an_erasure_marks_every_member(make_console: Make) -> None:
    console = await make_console()
    anna = named("lead", "anna")
    await console.fold(event(identified("anna")), event(LeadErased(lead_id=anna, lead_ids=[anna])))
    async with reading(console.database) as tx:
        found = await pages.person(tx, anna)
    assert found is not None
    assert found.lead.is_erased
    assert found.lead.external == ()


async def test_change_numbers_have_no_holes_and_follow_the_order_of_commits(make_console: Make) -> None:
    console = await make_console()

    async def fold(number: int) -> None:
        async with transaction(console.database, "batch") as tx:
            await fold_events(tx, [event(identified(f"lead {number}")), event(activity(f"lead {number}"))])

    async with asyncio.TaskGroup() as group:
        for number in range(12):
            group.create_task(fold(number))
    async with reading(console.database) as tx:
        found = await changes.changes_after(tx, 0)
        assert [change.number for change in found] == list(range(1, await changes.current_number(tx) + 1))


async def test_only_the_kept_window_of_changes_stays(make_console: Make) -> None:
    console = await make_console()
    async with transaction(console.database, "batch") as tx:
        await changes.number_changes(tx, [(None, None)] * (changes.CHANGES_KEPT + 10))
    async with transaction(console.database, "periodic") as tx:
        await changes.drop_old_changes(tx)
    async with reading(console.database) as tx:
        assert (await changes.changes_after(tx, 0))[0].number == 11
