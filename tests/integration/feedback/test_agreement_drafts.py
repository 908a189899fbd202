"""A draft becomes the agreement only when it is checked and signed by one person of each team."""

from typing import Any
from uuid import UUID

from tests.integration.feedback.desk import FeedbackDesk, user
from tests.support.builders.feedback import days

MARY, SAM, ADA = user("mary", "marketer"), user("sam", "manager"), user("ada", "admin")


async def test_two_teams_sign_publish_and_the_version_activates_at_its_date(desk: FeedbackDesk) -> None:
    draft = await _draft(desk)
    path = f"/v1/drafts/{draft['draft_id']}"
    early = await desk.ask("POST", f"{path}/sign", by=MARY, key="early")
    assert (early.status_code, early.json()["type"]) == (422, "/problems/draft_unchecked")
    assert (await desk.ask("POST", f"{path}/check")).json()["stage"] == "checked"
    assert (await desk.ask("POST", f"{path}/sign", by=MARY)).json()["missing_signatures"] == ["sales"]
    assert (await desk.ask("POST", f"{path}/publish", json={}, key="too-soon")).status_code == 422
    assert (await desk.ask("POST", f"{path}/sign", by=MARY, key="again")).status_code == 422
    assert (await desk.ask("POST", f"{path}/sign", by=ADA)).status_code == 403
    assert (await desk.ask("POST", f"{path}/sign", by=SAM)).json()["stage"] == "signed_by_both"
    past = await desk.ask("POST", f"{path}/publish", json={"effective_from": days(-1).isoformat()})
    assert past.json()["type"] == "/problems/draft_backwards"
    answer = await desk.ask("POST", f"{path}/publish", json={"effective_from": days(2).isoformat()})
    assert (answer.status_code, answer.json()["published_version"]) == (202, 2)
    assert (await desk.get("/v1/agreements"))["active"] == 1
    await desk.tick(at=days(2))
    page = await desk.get("/v1/agreements")
    assert (page["active"], [each["state"] for each in page["agreements"]]) == (2, ["active", "superseded"])
    told = await desk.emitted("agreement")
    assert [(each["version"], len(each["signatures"])) for each in told] == [(1, 0), (2, 2)]


async def test_an_edit_loses_the_check_and_the_signatures(desk: FeedbackDesk) -> None:
    draft = await _draft(desk)
    path = f"/v1/drafts/{draft['draft_id']}"
    await desk.ask("POST", f"{path}/check")
    await desk.ask("POST", f"{path}/sign", by=MARY)
    document = (await desk.get(path))["document"]
    document["qualification"][0]["thresholds"]["qualify"] = 70
    stale = await desk.ask("PUT", path, json={"document": document}, headers={"if-match": '"7"'})
    assert stale.status_code == 412
    edited = await desk.ask("PUT", path, json={"document": document}, headers={"if-match": '"1"'})
    assert (edited.json()["stage"], edited.json()["signatures"]) == ("draft", [])
    (change,) = (await desk.get(path))["changes"]
    assert change["sentence"].endswith("qualify: 65 becomes 70")


async def test_a_check_names_what_is_wrong_and_nothing_is_signable(desk: FeedbackDesk) -> None:
    draft = await _draft(desk)
    path = f"/v1/drafts/{draft['draft_id']}"
    document = (await desk.get(path))["document"]
    document["routing"]["rules"].append({"rule": "pool", "pool": "nowhere"})
    await desk.ask("PUT", path, json={"document": document}, headers={"if-match": '"1"'})
    desk.examples = [{"expected": True, "is_qualified": False, "score": 41}]
    answer = (await desk.ask("POST", f"{path}/check")).json()
    assert [each["code"] for each in answer["findings"]] == ["unknown_pool", "example"]
    assert answer["stage"] == "draft"


async def test_a_check_refuses_reps_that_handoff_does_not_know(desk: FeedbackDesk) -> None:
    draft = await _draft(desk)
    path = f"/v1/drafts/{draft['draft_id']}"
    document = (await desk.get(path))["document"]
    members = [{"rep": str(SAM.user_id)}, {"rep": str(MARY.user_id).upper()}, {"rep": "sam"}]
    document["routing"]["pools"] = [{"name": "all", "members": members}]
    await desk.ask("PUT", path, json={"document": document}, headers={"if-match": '"1"'})

    desk.reps = None
    silent = await desk.ask("POST", f"{path}/check", key="silent")
    assert (silent.status_code, silent.headers["content-type"]) == (503, "application/problem+json")
    assert "handoff does not answer" in silent.json()["detail"]

    desk.reps = {UUID(str(MARY.user_id))}
    answer = (await desk.ask("POST", f"{path}/check", key="two")).json()
    assert [(each["code"], each["pointer"]) for each in answer["findings"] if each["code"] == "unknown_rep"] == [
        ("unknown_rep", "/routing/pools/0/members/0/rep"),
        ("unknown_rep", "/routing/pools/0/members/2/rep"),
    ]
    assert answer["stage"] == "draft"


async def test_a_document_of_the_wrong_shape_is_refused_by_field(desk: FeedbackDesk) -> None:
    answer = await desk.ask("POST", "/v1/drafts", json={"text": "agreement: {version: 2}\npledges: none\n"})
    assert answer.status_code == 422
    assert "/pledges" in {each["pointer"] for each in answer.json()["errors"]}


async def test_the_agreement_is_read_in_sentences(desk: FeedbackDesk) -> None:
    page = await desk.get("/v1/agreements/active")
    lines = {section["name"]: section["lines"] for section in page["sections"]}
    assert "Sales promises per month: accepted_in_time_share at least 90%." in lines["Commitments"]
    assert (await desk.get("/v1/agreements/1/changes"))["changes"] == []


async def _draft(desk: FeedbackDesk) -> dict[str, Any]:
    answer = await desk.ask("POST", "/v1/drafts", json={})
    assert answer.status_code == 201
    draft: dict[str, Any] = answer.json()
    return draft
