"""A batch of deliveries takes a fixed number of statements, whatever it holds; page views of known people take five."""

from services.ingest.usecases.normalise import normalise_deliveries
from shared.db.engine import transaction
from shared.stream.handlers import RawEvent
from tests.integration.ingest.stage import HASHED, IngestStage, batch, identify, page, raw_event
from tests.support.counting import CountingTx

MANY = 20


async def taken(stage: IngestStage, *received: RawEvent) -> int:
    """How many statements a batch took."""
    async with transaction(stage.database, "batch") as tx:
        counting = CountingTx(tx.connection, now=tx.now)
        await normalise_deliveries(counting, received, hashed=HASHED)
        tx.pending += counting.pending
    return counting.statements


def pages(stage: IngestStage, *people: int, verified_by: str = "browser_key") -> list[RawEvent]:
    return [
        raw_event(
            batch(page("https://www.example.org/docs", anonymousId=f"browser {person}")),
            source_id=stage.source_id,
            verified_by=verified_by,
        )
        for person in people
    ]


async def test_page_views_of_known_people_take_five_statements_however_many(stage: IngestStage) -> None:
    people = range(MANY)
    for person in people:
        await stage.send(identify(anonymousId=f"browser {person}", traits={"email": f"p{person}@example.org"}))
    await taken(stage, *pages(stage, *people))  # the first page of each is kept with the lead
    # Settings, memory and keys, trees, beside the locks, save.
    assert await taken(stage, *pages(stage, 1)) == 5
    assert await taken(stage, *pages(stage, *people, *people)) == 5
    assert await stage.one("select sum(activities) from delivery_result") == 3 * MANY + 1


async def test_each_further_span_of_memory_takes_one_more(stage: IngestStage) -> None:
    mixed = [*pages(stage, 1, 2), *pages(stage, 2, 3, verified_by="server_key")]
    await taken(stage, *mixed)
    assert await taken(stage, *pages(stage, 1, 2), *pages(stage, 2, 3, verified_by="server_key")) == 6
    assert await stage.one("select count(*) from lead") == 3
    assert await taken(stage, *mixed) == 8  # all of it again: what ids came with is compared, span by span
    assert await stage.one("select sum(repeats) from delivery_result") == 0  # the same deliveries: their results stand
