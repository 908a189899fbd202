"""A text with the character NUL is refused with its reason: PostgreSQL keeps it in no column, and that is no defect."""

from tests.integration.ingest.counter import opened
from tests.integration.ingest.stage import IngestStage


async def test_a_text_that_no_column_keeps_is_refused_in_body_and_query(stage: IngestStage) -> None:
    async with opened(stage) as counter:
        made = await counter.call("POST", "/v1/leads", json={"name": "a\x00b", "email": "nul@acme.example"})
        assert (made.status_code, "NUL" in made.json()["detail"]) == (422, True)
        found = await counter.call("GET", "/v1/leads?q=a%00b")
        assert (found.status_code, "NUL" in found.json()["detail"]) == (422, True)
        assert (await counter.get("/v1/leads?q=nul"))["leads"] == []
