"""Every time that feedback is asked with carries a zone: another one is refused by name, with the form to write."""

from typing import Any

import pytest

from tests.integration.feedback.desk import FeedbackDesk
from tests.support.builders.feedback import lead_id

ZONED = ("2026-06-01T00:00:00Z", "2026-06-01T02:00:00+02:00")
WRONG = (
    "2026-06-01T00:00:00",
    "2026-06-01",
    "1780272000",
    "yesterday",
    "",
    "2026-06-31T00:00:00Z",
    "2026-06-01T25:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-01:00",
)
ASKED = (
    ("/v1/reports/funnel", "since"),
    ("/v1/reports/funnel", "until"),
    ("/v1/reports/funnel/leads?number=qualified", "since"),
    ("/v1/commitments", "at"),
    ("/v1/outcomes", "updated_since"),
)


@pytest.mark.parametrize(("path", "name"), ASKED)
async def test_a_time_in_the_address_carries_a_zone(desk: FeedbackDesk, path: str, name: str) -> None:
    for text in WRONG:
        answer = await desk.ask("GET", path, params={**_beside(path, name), name: text})
        _is_refused(answer, f"query:{name}", text)
    for text in ZONED:
        answer = await desk.ask("GET", path, params={**_beside(path, name), name: text})
        assert answer.status_code in {200, 404}, (text, answer.text)


async def test_a_time_in_a_body_carries_a_zone(desk: FeedbackDesk) -> None:
    for text in (*WRONG, 1780272000):
        outcome = {"lead_id": str(lead_id("kim")), "what": "won", "occurred_at": text}
        _is_refused(await desk.ask("POST", "/v1/outcomes", json=outcome), "/occurred_at", text)
        deal = {"lead_id": str(lead_id("kim")), "result": "won", "occurred_at": text}
        _is_refused(await desk.ask("PUT", "/v1/opportunities/crm/d-1", json=deal), "/occurred_at", text)


def _beside(path: str, name: str) -> dict[str, str]:
    begins = {} if name == "since" else {"since": "2020-01-01T00:00:00Z"}
    if path.startswith("/v1/reports"):
        return begins | ({"number": "qualified"} if "number=" in path else {})
    return {}


def _is_refused(answer: Any, pointer: str, text: object) -> None:  # noqa: ANN401 - an answer of the client
    assert answer.status_code == 422, (text, answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    errors = answer.json()["errors"]
    assert [one["pointer"] for one in errors] == [pointer], (text, errors)
    assert errors[0]["code"] == "zone"
    assert "2026-06-01T00:00:00Z" in errors[0]["message"]
