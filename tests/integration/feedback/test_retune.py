"""A quarter of outcomes: a calibrated card is published, the gate holds, two teams promote it, one takes it back."""

from typing import Any
from uuid import UUID

from shared.contracts.envelope import Event
from shared.contracts.handoffs import HandoffOpened
from shared.ids import derived_id
from tests.integration.feedback.desk import FeedbackDesk, user
from tests.support.builders.feedback import days, handoff_event, lead_id, qualified

MARY, SAM = user("mary", "marketer"), user("sam", "manager")
LEADS = 360
CHANNELS = ("web", "field_event")


async def test_one_retune_is_published_promoted_and_rolled_back(desk: FeedbackDesk) -> None:
    await _quarter(desk)
    await desk.at(days(120))
    assert (await desk.ask("POST", "/v1/models/train")).status_code == 202
    assert await desk.tuner.fit_due() == 2
    assert await desk.tuner.fit_due() == 0
    page = await desk.get("/v1/models")
    model = next(each for each in page["models"] if each["family"] == "points_platt")
    assert model["is_passed"], model["gate"]
    assert [line["test"] for line in model["gate"]] == ["G1", "G2", "G3", "G4", "G5", "G6"]
    path = f"/v1/models/{model['model_id']}"
    assert (await desk.ask("POST", f"{path}/approve", by=MARY)).json()["promotion"] is None
    assert (await desk.ask("POST", f"{path}/approve", by=MARY, key="twice")).status_code == 422
    promoted = (await desk.ask("POST", f"{path}/approve", by=SAM)).json()
    assert promoted["promotion"]["generation"] == 1
    (told,) = await desk.emitted("model.promoted")
    assert len(told["by_user_ids"]) == 2
    report = await desk.get("/v1/reports/calibration", since=days(-1).isoformat(), until=days(120).isoformat())
    assert abs(report["predicted_over_actual_after"] - 1) < abs(report["predicted_over_actual_before"] - 1)
    back = await desk.ask("POST", f"{path}/roll-back", by=SAM, json={"reason": "looks odd"})
    assert (back.json()["generation"], back.json()["model_id"]) == (2, None)
    assert (await desk.get("/v1/models"))["active"] is None
    (told,) = await desk.emitted("model.rolled_back")
    assert (told["model_id"], told["generation"]) == (str(UUID(int=0)), 2)
    assert not await desk.gaps()


async def test_the_same_rows_are_the_same_model_and_a_second_promotion_can_go_back(desk: FeedbackDesk) -> None:
    await _quarter(desk)
    await desk.at(days(120))
    await desk.tuner.fit_due()
    first = await _promoted(desk)
    await _quarter(desk, start=LEADS, offset=30)
    await desk.at(days(160))
    await desk.tuner.fit_due()
    second = await _promoted(desk)
    assert second != first
    back = await desk.ask("POST", f"/v1/models/{second}/roll-back", by=SAM, json={"reason": "predicts too much"})
    assert (back.json()["model_id"], back.json()["generation"]) == (first, 3)
    stale = await desk.ask("POST", f"/v1/models/{second}/roll-back", by=MARY, json={"reason": "predicts too much"})
    assert stale.status_code == 409
    (told,) = await desk.emitted("model.rolled_back")
    assert (told["model_id"], told["generation"]) == (first, 3)


async def test_too_few_outcomes_say_what_is_missing(desk: FeedbackDesk) -> None:
    assert await desk.tuner.fit_due() == 2
    page = await desk.get("/v1/models")
    assert page["tuner"][0]["result"] == "0 matured outcomes with 0 wins; needs 30 with 10"
    assert page["models"] == []


async def _promoted(desk: FeedbackDesk) -> str:
    """Approve the newest points model for both teams; its id."""
    page = await desk.get("/v1/models")
    model = next(each for each in page["models"] if each["family"] == "points_platt")
    for person in (MARY, SAM):
        answer = await desk.ask("POST", f"/v1/models/{model['model_id']}/approve", by=person)
        assert answer.status_code == 200, answer.text
    return str(model["model_id"])


async def _quarter(desk: FeedbackDesk, *, start: int = 0, offset: float = 0, promoted: str = "") -> None:
    """Leads handed off over 90 days; more points win more often, and far more than the declared share is won.

    With a promoted model that emits, nearly nobody is won any more: the market has turned.
    """
    emits: dict[str, Any] = {"p_win": 0.9, "model_id": UUID(promoted)} if promoted else {}
    events: list[Event[Any]] = []
    for number in range(start, start + LEADS):
        name, at = f"lead {number}", days(offset + (number - start) / 4)
        engagement = 25 + (number * 37) % 60
        events += [
            qualified(
                name, at=at, fit=40, engagement=engagement, entry_channel=("web", "field_event")[number % 2], **emits
            ),
            handoff_event(
                HandoffOpened, name, 1, at=at, policy="qualified", decision_id=derived_id("test decision", name)
            ),
        ]
    await desk.feed(*events, at=days(offset + 90))
    names = [f"lead {number}" for number in range(start, start + LEADS)]
    chances = [0.05 if promoted else 0.25 + 0.6 * ((number * 37) % 60) / 60 for number in range(start, start + LEADS)]
    won = [(derived_id("dice", name).int % 1000) / 1000 < chance for name, chance in zip(names, chances, strict=True)]
    await desk.write(
        """
        insert into outcome (outcome_id, lead_id, handoff_id, what, occurred_at, recorded_at, source)
        select told.id, h.lead_id, h.handoff_id, told.what, h.opened_at + interval '10 days',
               h.opened_at + interval '10 days', 'crm'
          from unnest(cast(:ids as uuid[]), cast(:lead_ids as uuid[]), cast(:whats as text[])) told (id, lead_id, what)
          join handoff h on h.lead_id = told.lead_id
        """,
        ids=[derived_id("test outcome", name) for name in names],
        lead_ids=[lead_id(name) for name in names],
        whats=["won" if each else "lost" for each in won],
    )


async def test_a_promoted_model_that_proves_worse_is_taken_back_by_itself(desk: FeedbackDesk) -> None:
    await _quarter(desk)
    await desk.at(days(120))
    await desk.tuner.fit_due()
    model = await _promoted(desk)
    await _quarter(desk, start=LEADS, offset=125, promoted=model)
    await desk.at(days(240))
    await desk.tuner.fit_due()
    (told,) = await desk.emitted("model.rolled_back")
    assert told["by_user_ids"] == []
    assert "proven better again" in told["reason"] or "calibration is broken" in told["reason"]
    assert (await desk.get("/v1/models"))["active"] is None
