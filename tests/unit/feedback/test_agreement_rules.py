"""The agreement's life and its checks: who may sign what, and what a draft must satisfy."""

from typing import Any
from uuid import UUID

import pytest

from services.feedback.domain.agreement.checks import Classified, problems_of, problems_of_examples
from services.feedback.domain.agreement.lifecycle import (
    Draft,
    Refusal,
    Stage,
    edit,
    mark_checked,
    publish,
    sign,
)
from services.feedback.domain.agreement.reading import changes, sections
from shared.contracts.agreement import Agreement, canonical_json, default_agreement
from tests.support.builders.feedback import START, days

MARY, SAM = UUID(int=1), UUID(int=2)


def draft() -> Draft:
    return Draft(draft_id=UUID(int=9), agreement_id="default", edition=1, document=canonical_json(default_agreement()))


def checked() -> Draft:
    own = draft()
    return done(mark_checked(own, sha256=own.sha256))


def signed() -> Draft:
    by_one = done(sign(checked(), user_id=MARY, team="marketing", role="marketer", now=START))
    return done(sign(by_one, user_id=SAM, team="sales", role="manager", now=START))


def done(after: Draft | Refusal) -> Draft:
    assert isinstance(after, Draft), after
    return after


def code(after: Draft | Refusal) -> str:
    assert isinstance(after, Refusal)
    return after.code


def changed(**terms: Any) -> Agreement:  # noqa: ANN401 - any clause
    return default_agreement().model_copy(update=terms)


def test_a_draft_goes_from_checked_over_two_signatures_to_published() -> None:
    assert [draft().stage, checked().stage, signed().stage] == [Stage.DRAFT, Stage.CHECKED, Stage.SIGNED_BY_BOTH]
    published = done(publish(signed(), version=2, effective_from=days(1), now=START))
    assert published.stage is Stage.PUBLISHED
    identity = Agreement.model_validate_json(published.document).agreement
    assert (identity.version, identity.effective_from) == (2, days(1))


@pytest.mark.parametrize(
    ("user", "team", "role", "expected"),
    [
        (SAM, "sales", "admin", "admin"),
        (SAM, "", "revops", "no_team"),
        (MARY, "sales", "manager", "signed_already"),
        (SAM, "marketing", "marketer", "team_signed"),
    ],
)
def test_who_may_not_sign_second(user: UUID, team: str, role: str, expected: str) -> None:
    by_one = done(sign(checked(), user_id=MARY, team="marketing", role="marketer", now=START))
    assert code(sign(by_one, user_id=user, team=team, role=role, now=START)) == expected


def test_an_unchecked_draft_cannot_be_signed_and_a_half_signed_one_not_published() -> None:
    assert code(sign(draft(), user_id=MARY, team="marketing", role="marketer", now=START)) == "unchecked"
    by_one = done(sign(checked(), user_id=MARY, team="marketing", role="marketer", now=START))
    refusal = publish(by_one, version=2, effective_from=days(1), now=START)
    assert code(refusal) == "unsigned"
    assert isinstance(refusal, Refusal)
    assert "sales" in refusal.message


def test_an_edit_loses_check_and_signatures_and_a_late_check_does_not_count() -> None:
    edited = done(edit(signed(), changed(products=[])))
    assert (edited.stage, edited.signatures, edited.edition) == (Stage.DRAFT, (), 2)
    assert code(mark_checked(edited, sha256=signed().sha256)) == "edited_meanwhile"


def test_a_published_version_never_changes_nor_applies_backwards() -> None:
    assert code(publish(signed(), version=2, effective_from=days(-1), now=START)) == "backwards"
    published = done(publish(signed(), version=2, effective_from=START, now=START))
    assert code(edit(published, default_agreement())) == "published"
    assert code(mark_checked(published, sha256=published.sha256)) == "published"
    assert code(publish(published, version=3, effective_from=START, now=START)) == "published"
    assert code(sign(published, user_id=UUID(int=3), team="sales", role="manager", now=START)) == "published"


def test_the_shipped_default_has_no_problem() -> None:
    assert problems_of(default_agreement(), known_reps=()) == ()


def test_every_problem_is_found_at_once_with_its_place() -> None:
    document = default_agreement().model_dump(mode="json", by_alias=True, exclude_none=True)
    document["qualification"][0]["thresholds"]["demote"] = 80
    document["qualification"][0]["examples"] = []
    document["qualification"].append(document["qualification"][0] | {"product": "other"})
    document["routing"]["rules"].append({"rule": "pool", "pool": "nowhere"})
    document["routing"]["fallback"]["queue"] = " "
    document["routing"]["pools"][0]["name"] = "default"
    document["routing"]["pools"][1]["members"] = [{"rep": str(SAM)}]
    document["sla"]["tiers"][1].pop("when")
    document["sla"]["tiers"][2]["when"] = {"fact": "x", "op": "is", "value": "y"}
    document["sla"]["tiers"][2]["ladder"] = "steep"
    document["sla"]["tiers"][0]["accept"] = {}
    document["sla"]["ladders"]["short"].reverse()
    document["commitments"] = [{"team": "sales", "measure": "luck", "at_least": 1, "at_most": 2}]
    document["reports"][0]["numbers"].append("vibes")
    found = {problem.code for problem in problems_of(Agreement.model_validate(document), known_reps=())}
    assert found == {
        "no_band", "few_examples", "unknown_product", "unknown_pool", "no_end", "twice", "unknown_rep", "hides_others",
        "unknown_ladder", "no_length", "disordered", "unknown_measure", "one_bound", "one_sided", "unknown_number",
    }  # fmt: skip


def test_products_need_a_default_and_no_double() -> None:
    criteria = default_agreement().qualification[0]
    twice = problems_of(changed(qualification=[criteria, criteria]), known_reps=())
    assert {problem.code for problem in twice} == {"twice"}
    none = problems_of(changed(qualification=[criteria.model_copy(update={"product": "other"})]), known_reps=())
    assert {problem.code for problem in none} == {"no_default", "unknown_product"}


def test_an_example_that_comes_out_otherwise_is_a_problem() -> None:
    wrong = Classified(product="default", position=0, expected=True, actual=False, score=41)
    right = Classified(product="default", position=1, expected=False, actual=False, score=41)
    (problem,) = problems_of_examples([wrong, right])
    assert "with score 41" in problem.message


def test_a_difference_names_the_clause_and_not_its_place() -> None:
    before = default_agreement()
    document = before.model_dump(mode="json", by_alias=True, exclude_none=True)
    document["sla"]["tiers"][0]["accept"]["minutes"] = 7
    document["qualification"][0]["fit"].reverse()
    document["reasons"]["pause"].append("holiday")
    del document["reasons"]["lost"]["price"]
    document["routing"]["rules"].pop(4)
    told = [change.sentence for change in changes(before, Agreement.model_validate(document))]
    assert "sla / tiers / hand_raiser / accept / minutes: 5 becomes 7" in told
    assert "reasons / lost / price / route: taken out (was nurture)" in told
    assert any(each.startswith("routing / rules / order:") for each in told)
    assert not any("fit" in each for each in told)
    assert changes(before, before) == ()


def test_every_section_reads_as_sentences() -> None:
    read = sections(default_agreement())
    assert [section.name for section in read] == [
        "Parties", "Qualification", "Routing", "Clocks", "Reasons", "Commitments", "Reports",
    ]  # fmt: skip
    assert all(section.lines for section in read)
