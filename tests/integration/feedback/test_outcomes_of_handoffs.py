"""Handoff events and reported deals become outcomes, once each, and numbers open to their leads."""

from typing import Any

from shared.contracts.agreement import canonical_json, default_agreement
from shared.contracts.envelope import Event
from shared.contracts.handoffs import (
    ClockView,
    HandoffAccepted,
    HandoffAssigned,
    HandoffDisposed,
    HandoffOpened,
    HandoffRejected,
    HandoffTouched,
)
from shared.contracts.kinds import HandoffState
from shared.ids import derived_id
from shared.web.pages import cursor_of
from tests.integration.feedback.desk import FeedbackDesk
from tests.support.builders.feedback import (
    START,
    activity,
    days,
    handoff_event,
    handoff_id,
    hours,
    lead_id,
    profile,
    qualified,
    scored,
)

MONTH = {"since": "2026-06-01T00:00:00Z", "until": "2026-07-01T00:00:00Z"}


async def test_the_default_agreement_is_published_once_at_the_first_start(desk: FeedbackDesk) -> None:
    await desk.tick()
    (published,) = await desk.emitted("agreement")
    assert published["is_unsigned_default"]
    assert published["document"] == canonical_json(default_agreement())
    page = await desk.get("/v1/agreements")
    assert page["active"] == 1
    assert page["agreements"][0]["state"] == "active"


async def test_steps_of_a_handoff_become_outcomes_once_however_often_they_come(desk: FeedbackDesk) -> None:
    events = life("kim")
    await desk.feed(*events, at=hours(3))
    await desk.feed(*reversed(events))
    told = [outcome["what"] for outcome in await desk.emitted("outcome")]
    assert told == ["accepted", "opportunity"]
    assert not await desk.gaps()


async def test_an_unfit_rejection_is_tagged_and_a_nurture_one_is_not(desk: FeedbackDesk) -> None:
    for lead, reason in (("ann", "no_fit"), ("bob", "bad_timing")):
        await desk.feed(
            handoff_event(HandoffOpened, lead, 1, policy="qualified"),
            handoff_event(HandoffRejected, lead, 2, reason_code=reason, state=HandoffState.NURTURE),
            at=hours(1),
        )
    tags = {outcome["reason_code"]: outcome["tags"] for outcome in await desk.emitted("outcome")}
    assert tags == {"no_fit": ["unfit"], "bad_timing": []}


async def test_a_deal_supersedes_by_version_and_tells_handoff(desk: FeedbackDesk) -> None:
    await desk.feed(*life("kim"), at=days(3))
    path = "/v1/opportunities/crm/d-1"
    body = {
        "lead_id": str(lead_id("kim")),
        "result": "open",
        "occurred_at": days(1).isoformat(),
        "object_version": 1,
        "amount_minor": 1_000_00,
        "currency": "EUR",
    }
    assert (await desk.ask("PUT", path, json=body)).status_code == 201
    won = body | {"result": "won", "occurred_at": days(2).isoformat(), "object_version": 2}
    assert (await desk.ask("PUT", path, json=won)).json()["verdict"] == "changed"
    assert (await desk.ask("PUT", path, json=won)).json()["verdict"] == "repeated"
    assert (await desk.ask("PUT", path, json=body)).json()["verdict"] == "old"
    other = won | {"amount_minor": 5}
    assert (await desk.ask("PUT", path, json=other)).status_code == 409
    changed = await desk.emitted("opportunity.changed")
    assert [(each["result"], each["object_version"]) for each in changed] == [("open", 1), ("won", 2)]
    first, second = [each for each in await desk.emitted("outcome") if each["source"] == "crm"]
    assert second["supersedes"] == first["outcome_id"]
    assert second["handoff_id"] == str(handoff_id("kim"))
    assert not await desk.gaps()


async def test_a_correction_takes_a_win_back_and_a_contradiction_is_flagged(desk: FeedbackDesk) -> None:
    await desk.feed(
        handoff_event(HandoffOpened, "ann", 1, policy="qualified"),
        handoff_event(HandoffDisposed, "ann", 2, disposition="disqualify", reason_code="no_fit"),
        at=days(2),
    )
    body = {"lead_id": str(lead_id("ann")), "result": "won", "occurred_at": days(1).isoformat(), "object_version": 1}
    await desk.ask("PUT", "/v1/opportunities/crm/d-2", json=body)
    assert [each["is_conflict"] for each in await desk.emitted("outcome")] == [False, True]
    await desk.ask("PUT", "/v1/opportunities/crm/d-2", json=body | {"result": "lost", "object_version": 2})
    assert [each["is_conflict"] for each in await desk.emitted("outcome")] == [False, True, False]


async def test_a_report_opens_to_the_leads_behind_each_number(desk: FeedbackDesk) -> None:
    await desk.feed(
        profile("kim"),
        profile("ann"),
        activity("kim", traffic_source="ads", campaign="june"),
        scored("kim"),
        qualified("kim"),
        *life("kim"),
        at=days(4),
    )
    body = {
        "lead_id": str(lead_id("kim")), "result": "won", "occurred_at": days(3).isoformat(), "amount_minor": 999,
        "currency": "EUR",
    }  # fmt: skip
    await desk.ask("PUT", "/v1/opportunities/crm/d-1", json=body)
    page = await desk.get("/v1/reports/funnel", **MONTH)
    assert [step["count"] for step in page["steps"]] == [2, 1, 1, 1, 1, 1, 1]
    for number in page["numbers"]:
        opened = await desk.get("/v1/reports/funnel/leads", number=number["number"], **MONTH)
        assert opened["count"] == number["leads"] == len(opened["lead_ids"])
    both = {"number": page["numbers"][0]["number"], "limit": 1, **MONTH}
    first = await desk.get("/v1/reports/funnel/leads", **both)
    second = await desk.get("/v1/reports/funnel/leads", **both, cursor=first["next"])
    assert len({*first["lead_ids"], *second["lead_ids"]}) == 2
    assert second["next"] is None
    for cursor in ("nonsense", cursor_of("first"), cursor_of("²"), cursor_of(-1), cursor_of(2**70), cursor_of(1, 2)):
        refused = await desk.ask("GET", "/v1/reports/funnel/leads", params=both | {"cursor": cursor})
        assert refused.status_code == 422, (cursor, refused.text)
        assert refused.headers["content-type"] == "application/problem+json"
        assert [error["pointer"] for error in refused.json()["errors"]] == ["query:cursor"]
    speed = await desk.get("/v1/reports/speed_to_lead", **MONTH)
    assert {"number": "speed_to_lead_p50", "value": 7200.0}.items() <= speed["numbers"][2].items()
    shared = await desk.get("/v1/attributions/crm:d-1")
    assert {model: sum(each["amount_minor"] for each in lines) for model, lines in shared["models"].items()} == {
        "first": 999,
        "last": 999,
        "linear": 999,
    }
    promised = await desk.get("/v1/commitments")
    in_time = next(each for each in promised["commitments"] if each["measure"] == "accepted_in_time_share")
    assert (in_time["value"], in_time["kept_lead_ids"]) == (1.0, [str(lead_id("kim"))])
    text = await desk.ask("GET", "/v1/reports/acceptance", params=MONTH | {"format": "csv"})
    assert text.headers["content-type"].startswith("text/csv")
    for name in ("campaigns", "calibration", "loop_review"):
        assert (await desk.get(f"/v1/reports/{name}", **MONTH))["name"] == name
    assert not await desk.gaps()


def life(lead: str) -> list[Event[Any]]:
    accept = ClockView(
        clock_id=derived_id("test clock", lead), kind="accept", due_at=hours(4), fire_at=hours(1), clock_state="met"
    )
    return [
        handoff_event(
            HandoffOpened, lead, 1, policy="qualified", decision_id=derived_id("test decision", lead), at=START
        ),
        handoff_event(
            HandoffAssigned, lead, 2, decision_id=derived_id("r", lead), is_rotated=True, is_reassigned=False,
            state=HandoffState.ASSIGNED,
        ),
        handoff_event(HandoffAccepted, lead, 3, at=hours(1), clocks=[accept], state=HandoffState.ACCEPTED),
        handoff_event(HandoffTouched, lead, 4, at=hours(2), touched_at=hours(2), state=HandoffState.WORKING),
        handoff_event(
            HandoffDisposed, lead, 5, at=hours(3), disposition="opportunity", state=HandoffState.OPPORTUNITY
        ),
    ]  # fmt: skip
