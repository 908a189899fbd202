"""A rep contests a handoff; two people, one of each team, settle it by ruling the same."""

from uuid import UUID

from shared.contracts.handoffs import HandoffAssigned, HandoffOpened
from shared.ids import derived_id
from tests.integration.feedback.desk import FeedbackDesk, user
from tests.support.builders.feedback import handoff_event, handoff_id, hours, qualified

ROB, MARY, SAM = user("rob", "rep"), user("mary", "marketer"), user("sam", "manager")


async def test_a_dispute_is_settled_when_both_teams_rule_the_same(desk: FeedbackDesk) -> None:
    await _assigned(desk)
    body = {"handoff_id": str(handoff_id("kim")), "ground": "no_fit"}
    assert (await desk.ask("POST", "/v1/disputes", by=user("zoe", "rep"), json=body)).status_code == 422
    assert (await desk.ask("POST", "/v1/disputes", by=ROB, json=body | {"ground": "bored"})).status_code == 422
    opened = await desk.ask("POST", "/v1/disputes", by=ROB, json=body)
    assert opened.status_code == 201
    assert (await desk.ask("POST", "/v1/disputes", by=ROB, json=body, key="again")).status_code == 409
    path = f"/v1/disputes/{opened.json()['dispute_id']}/rulings"
    upheld = {"ruling": "upheld", "is_credited": True}
    await desk.ask("POST", path, by=MARY, json={"ruling": "denied"})
    assert (await desk.ask("POST", path, by=SAM, json=upheld)).json()["ruling"] is None
    assert (await desk.ask("POST", path, by=MARY, json=upheld)).json()["ruling"] == "upheld"
    assert (await desk.ask("POST", path, by=SAM, json=upheld, key="late")).status_code == 409
    told = await desk.emitted("dispute")
    assert [each["type"] for each in told] == ["baton.dispute.opened.v1", "baton.dispute.ruled.v1"]
    assert (told[1]["is_credited"], len(told[1]["by_user_ids"])) == (True, 2)
    assert (await desk.get("/v1/disputes"))["disputes"][0]["ruling"] == "upheld"


async def test_what_is_not_there_cannot_be_contested_or_ruled(desk: FeedbackDesk) -> None:
    body = {"handoff_id": str(handoff_id("nobody")), "ground": "no_fit"}
    assert (await desk.ask("POST", "/v1/disputes", by=ROB, json=body)).status_code == 404
    ruling = await desk.ask("POST", f"/v1/disputes/{UUID(int=1)}/rulings", by=MARY, json={"ruling": "denied"})
    assert ruling.status_code == 404


async def _assigned(desk: FeedbackDesk) -> None:
    await desk.feed(
        qualified("kim"),
        handoff_event(HandoffOpened, "kim", 1, policy="qualified", decision_id=derived_id("test decision", "kim")),
        handoff_event(
            HandoffAssigned,
            "kim",
            2,
            at=hours(1),
            decision_id=derived_id("routing"),
            is_rotated=True,
            is_reassigned=False,
            owner_id=ROB.user_id,
        ),
        at=hours(2),
    )
