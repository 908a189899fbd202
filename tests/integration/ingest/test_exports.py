"""One person's export by HTTP: every fact that was brought, nobody else's, for one hour, and nothing of the erased."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.ingest.counter import Counter, opened
from tests.integration.ingest.stage import IngestStage, identify, page, track


@pytest_asyncio.fixture
async def counter(stage: IngestStage) -> AsyncIterator[Counter]:
    async with opened(stage) as made:
        yield made


async def test_an_export_holds_every_fact_of_the_person_and_nobody_elses(counter: Counter) -> None:
    stage = counter.stage
    await stage.send(
        identify(
            userId="kim",
            anonymousId="a1",
            traits={"email": "kim@acme.example", "name": "Kim Canary", "phone": "+4930123456", "title": "VP Sales"},
        ),
        page("https://www.example.test/pricing?canary=1", anonymousId="a1"),
        track("Form Submitted", userId="kim", properties={"message": "canary question"}),
        identify(userId="lee", traits={"email": "lee@acme.example", "name": "Lee Other"}),
        page("https://www.example.test/other", userId="lee"),
    )
    lead_id = await stage.lead_of("user", "kim")
    said = {"purpose": "profiling", "consent": "granted", "is_own_act": True, "wording": "canary wording"}
    assert (await counter.call("POST", f"/v1/leads/{lead_id}/consents", json=said)).status_code == 200
    asked = {"email": "kim@acme.example"}
    assert (await counter.call("POST", "/v1/exports", role="marketer", json=asked)).status_code == 403
    made = await counter.call("POST", "/v1/exports", role="admin", json=asked)
    assert (made.status_code, made.json()["lead_id"]) == (202, str(lead_id)), made.text
    found = await counter.get(made.headers["location"], role="admin")
    assert {(one["field"], one["value"]) for one in found["profile"]} >= {
        ("name", "Kim Canary"),
        ("email", "kim@acme.example"),
        ("phone", "+4930123456"),
        ("title", "VP Sales"),
    }
    assert {one["kind"] for one in found["identifiers"]} == {"email", "phone", "user", "anonymous"}
    assert "pricing?canary=1" in str(found["activities"])
    assert [one["wording"] for one in found["consents"] if one["wording"]] == ["canary wording"]
    assert not any(other in str(found) for other in ("lee@", "Lee Other", "/other"))
    await counter.call("POST", "/v1/erasures", role="admin", json=asked)
    assert (await counter.call("GET", made.headers["location"], role="admin")).status_code == 404
    assert (await counter.call("POST", "/v1/exports", role="admin", json=asked)).status_code == 404


@pytest.mark.parametrize(
    ("asked", "status"),
    [({"email": "nobody@acme.example"}, 404), ({}, 422), ({"user_id": "kim", "email": "lee@acme.example"}, 422)],
)
async def test_an_export_is_of_exactly_one_person(counter: Counter, asked: dict[str, str], status: int) -> None:
    await counter.stage.send(
        identify(userId="kim", traits={"name": "Kim"}), identify(userId="lee", traits={"email": "lee@acme.example"})
    )
    assert (await counter.call("POST", "/v1/exports", role="admin", json=asked)).status_code == status
