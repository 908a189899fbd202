"""Sources by HTTP: what marketing sets for them is checked when it is set, not when a page fails to deliver."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.ingest.counter import Counter, opened
from tests.integration.ingest.stage import IngestStage


@pytest_asyncio.fixture
async def counter(stage: IngestStage) -> AsyncIterator[Counter]:
    async with opened(stage) as made:
        yield made


async def test_an_origin_of_a_source_is_a_real_one_in_one_spelling(counter: Counter) -> None:
    asked = {"sender": "segment", "name": "site", "settings": {"origins": ["HTTPS://Shop.Example.com:443/"]}}
    made = await counter.call("POST", "/v1/sources", role="admin", json=asked)
    assert made.status_code == 201, made.text
    path = f"/v1/sources/{made.json()['id']}"
    assert (await counter.get(path, role="admin"))["settings"]["origins"] == ["https://shop.example.com"]
    wrong = {"origins": ["https://shop.example.com", "shop.example.com/page"]}
    before = await counter.stage.one("select count(*) from source")
    refused = [
        await counter.call("POST", "/v1/sources", role="admin", json=asked | {"settings": wrong}),
        await counter.call("PATCH", path, role="admin", json={"settings": wrong}, headers={"if-match": '"1"'}),
    ]
    for answer in refused:
        assert answer.status_code == 422, answer.text
        error = answer.json()["errors"][0]
        assert (error["pointer"], error["code"]) == ("/settings/origins/1", "origin")
        assert "https://www.example.com" in error["message"]
    assert await counter.stage.one("select count(*) from source") == before
