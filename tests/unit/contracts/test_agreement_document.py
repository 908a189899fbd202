"""The shipped agreement is complete, reads back to itself, and a misspelt clause is refused."""

import pytest
from pydantic import ValidationError

from shared.contracts.agreement import ClockTerm, canonical_json, default_agreement, load_agreement, sha256_of
from shared.contracts.condition import Condition, evaluate


def test_canonical_text_reads_back_to_the_same_document() -> None:
    agreement = default_agreement()
    text = canonical_json(agreement)
    assert load_agreement(text) == agreement
    assert canonical_json(load_agreement(text)) == text
    assert len(sha256_of(text)) == 64


def test_every_pool_a_rule_names_exists_and_the_fallback_has_an_owner() -> None:
    routing = default_agreement().routing
    assert {rule.pool for rule in routing.rules if rule.pool} <= {pool.name for pool in routing.pools}
    assert routing.fallback.owner


def test_the_last_tier_takes_every_handoff_the_others_leave() -> None:
    assert default_agreement().sla.tiers[-1].when is None


def test_a_misspelt_clause_is_refused() -> None:
    text = canonical_json(default_agreement()).replace('"dwell_hours"', '"dwel_hours"')
    with pytest.raises(ValidationError, match="dwel_hours"):
        load_agreement(text)


def test_a_reason_may_be_written_as_its_route_alone() -> None:
    reject = default_agreement().reasons.reject
    assert (reject["unreachable"].route, reject["unreachable"].needs) == ("nurture", None)
    assert (reject["no_fit"].route, reject["no_fit"].needs) == ("disqualify", "sub_reason")


def test_a_clock_knows_its_length_and_its_time() -> None:
    assert ClockTerm.model_validate({"hours": 4}).length_seconds == 14_400
    assert not ClockTerm.model_validate({"minutes": 5}).is_wall
    assert ClockTerm.model_validate({"wall_days": 14}).is_wall


@pytest.mark.parametrize(
    ("tree", "holds"),
    [
        ({"fact": "country", "op": "in", "value": ["DE", "AT"]}, True),
        ({"fact": "country", "op": "is", "value": "FR"}, False),
        ({"fact": "staff", "op": "at_least", "value": 200}, True),
        ({"fact": "staff", "op": "at_most", "value": 200}, False),
        ({"fact": "is_target", "op": "is", "value": "true"}, True),
        ({"fact": "unknown", "op": "is", "value": "x"}, False),
        ({"fact": "unknown", "op": "is_not", "value": "x"}, True),
        ({"fact": "unknown", "op": "is_missing"}, True),
        ({"not": {"fact": "country", "op": "is", "value": "DE"}}, False),
        ({"any": [{"fact": "country", "op": "is", "value": "FR"}, {"fact": "staff", "op": "is_known"}]}, True),
        ({"all": []}, True),
        ({"fact": "country", "op": "at_least", "value": 3}, False),
    ],
)
def test_conditions_hold_as_they_read(tree: dict[str, object], holds: bool) -> None:  # noqa: FBT001 - a table's column
    facts = {"country": "DE", "staff": 250, "is_target": True}
    assert evaluate(Condition.model_validate(tree), facts) is holds


@pytest.mark.parametrize("tree", [{}, {"fact": "a"}, {"fact": "a", "op": "in", "value": "x"}, {"all": [], "any": []}])
def test_a_condition_of_no_form_or_two_is_refused(tree: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate(tree)
