"""The first report of one deal comes for two leads at once: it is one deal, credited once, as if one came after."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.handoffs import HandoffOpened
from tests.integration.feedback.desk import FeedbackDesk
from tests.support.builders.feedback import START, activity, days, handoff_event, handoff_id, lead_id

ROUNDS = 6
AMOUNT = 1_000_00


@pytest.mark.parametrize("version", [None, 1])
async def test_the_first_report_of_one_deal_for_two_leads_at_once_is_one_deal(
    desk: FeedbackDesk, version: int | None
) -> None:
    await desk.feed(activity("kim", at=START), activity("lee", at=START), at=days(3))
    for number in range(ROUNDS):
        answers = await asyncio.gather(*(_report(desk, number, lead, version) for lead in ("kim", "lee")))
        statuses = sorted(answer.status_code for answer in answers)
        # Without a version the second report is a change; with the same one it contradicts the first.
        assert statuses == ([200, 201] if version is None else [201, 409]), [answer.text for answer in answers]
        told = [each for each in await desk.emitted("opportunity.changed") if each["external_id"] == f"d-{number}"]
        assert [each["object_version"] for each in told] == list(range(1, 1 + len(told)))
        deal = await desk.get(f"/v1/opportunities/crm/d-{number}")
        assert (deal["lead_id"], deal["object_version"]) == (told[-1]["lead_id"], len(told))
        credited = await desk.rows(
            "select model, sum(amount_minor) as amount, min(lead_id::text) as first, max(lead_id::text) as last"
            " from credit where opportunity_id = :id group by model",
            id=deal["opportunity_id"],
        )
        assert credited
        assert {(row.amount, row.first, row.last) for row in credited} == {(AMOUNT, deal["lead_id"], deal["lead_id"])}
    assert not await desk.gaps()


async def test_a_deal_that_moves_to_another_lead_leaves_the_handoff_of_the_first(desk: FeedbackDesk) -> None:
    await desk.feed(*(handoff_event(HandoffOpened, lead, 1, policy="qualified") for lead in ("kim", "lee")), at=days(3))
    await _report(desk, 0, "kim", 1)
    assert (await desk.get("/v1/opportunities/crm/d-0"))["handoff_id"] == str(handoff_id("kim"))
    await _report(desk, 0, "lee", 2)
    assert (await desk.get("/v1/opportunities/crm/d-0"))["handoff_id"] == str(handoff_id("lee"))
    assert not await desk.gaps()


async def _report(desk: FeedbackDesk, number: int, lead: str, version: int | None) -> Any:  # noqa: ANN401 - a response
    body: dict[str, Any] = {
        "lead_id": str(lead_id(lead)),
        "result": "won",
        "occurred_at": (START + timedelta(days=1)).isoformat(),
        "amount_minor": AMOUNT,
        "currency": "EUR",
    }
    if version is not None:
        body["object_version"] = version
    return await desk.ask("PUT", f"/v1/opportunities/crm/d-{number}", json=body)
