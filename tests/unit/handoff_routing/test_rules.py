"""Each rule by a table of cases: what the need says, and what the rule answers."""

from dataclasses import replace

import pytest

from services.handoff.domain.assignment import Exclusion, Floor
from services.handoff.domain.rules import (
    Assign,
    Attach,
    Outcome,
    Pass,
    PolicyInvalid,
    Refuse,
    ToPool,
    account_owner,
    former_owner,
    open_handoff_of_account,
    read_params,
    skill,
    suppression,
    territory,
)
from services.handoff.domain.rules import (
    pool as pool_rule,
)
from services.handoff.domain.things import Need
from tests.support.builders.handoff_routing import handoff_id, lead, need, open_handoff, pool, rep, rep_id

FLOOR = Floor(
    pools={"dach": pool("dach", "a")},
    reps={one.id: one for one in (rep("a"), rep("away", is_on=False, why_off="away"), rep("full", load=5))},
)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (need(1), Pass("may be contacted")),
        (need(1, lead=lead(1, is_suppressed=True)), Refuse("suppressed")),
        (need(1, lead=lead(1, is_erased=True, is_suppressed=True)), Refuse("erased")),
        (need(1, lead=lead(1, has_consent=False)), Refuse("no consent")),
        (need(1, lead=lead(1, has_consent=False), is_hand_raiser=True), Pass("may be contacted")),
        (need(1, lead=lead(1, is_suppressed=True), is_hand_raiser=True), Refuse("suppressed")),
    ],
)
def test_nobody_is_given_a_lead_that_must_not_be_contacted(asked: Need, expected: Outcome) -> None:
    assert suppression.decide(asked, FLOOR, suppression.Suppression()) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (need(1), Pass("no other open handoff")),
        (need(1, open_handoff=open_handoff(1)), Pass("no other open handoff")),
        (need(1, open_handoff=open_handoff(2)), Attach(handoff_id(2), "open handoff in state assigned")),
    ],
)
def test_a_second_lead_of_an_account_joins_the_open_handoff(asked: Need, expected: Outcome) -> None:
    params = open_handoff_of_account.OpenHandoffOfAccount()
    assert open_handoff_of_account.decide(asked, FLOOR, params) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (need(1), Pass("the account has no owner")),
        (need(1, lead=replace(lead(1), account_id=None)), Pass("the lead has no account")),
        (need(1, account_owner=rep_id("a")), Assign(rep_id("a"), "owns the account")),
        (need(1, account_owner=rep_id("away")), Pass("away", excluded=(rep_id("away"), Exclusion.AWAY))),
        (need(1, account_owner=rep_id("full")), Pass("at_capacity", excluded=(rep_id("full"), Exclusion.FULL))),
        (need(1, account_owner=rep_id("?")), Pass("unknown_rep", excluded=(rep_id("?"), Exclusion.UNKNOWN))),
        (
            need(1, account_owner=rep_id("a"), tried=(rep_id("a"),)),
            Pass("tried_before", excluded=(rep_id("a"), Exclusion.TRIED)),
        ),
    ],
)
def test_the_owner_of_an_account_gets_its_leads_while_there_is_room(asked: Need, expected: Outcome) -> None:
    assert account_owner.decide(asked, FLOOR, account_owner.AccountOwner()) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (need(1), Pass("nobody had it before")),
        (need(1, preferred=rep_id("a")), Assign(rep_id("a"), "had it before")),
        (need(1, preferred=rep_id("away")), Pass("away", excluded=(rep_id("away"), Exclusion.AWAY))),
    ],
)
def test_what_comes_back_goes_first_to_the_rep_who_had_it(asked: Need, expected: Outcome) -> None:
    assert former_owner.decide(asked, FLOOR, former_owner.FormerOwner()) == expected


def test_territory_and_pool_name_a_pool_that_exists() -> None:
    assert territory.decide(need(1), FLOOR, territory.Territory("dach")) == ToPool("dach", "in the territory of dach")
    assert territory.decide(need(1), FLOOR, territory.Territory("nordics")) == Pass("no pool nordics")
    exclusive = pool_rule.ToOnePool("dach", is_exclusive=True)
    assert pool_rule.decide(need(1), FLOOR, exclusive) == ToPool("dach", "for all that is left", is_exclusive=True)
    assert pool_rule.decide(need(1), FLOOR, pool_rule.ToOnePool("nordics")) == Pass("no pool nordics")


def test_skill_passes_on_a_wish_when_the_fact_is_known() -> None:
    params = skill.Skill("language")
    assert skill.decide(need(1), FLOOR, params) == Pass("language is not known")
    wished = skill.decide(need(1, facts={"language": "FR"}), FLOOR, params)
    assert wished == Pass("prefers a rep with language fr", wished=frozenset({"fr"}))


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({}, "/fact"),
        ({"fact": 3}, "/fact"),
        ({"fact": "language", "strict": True}, "/strict"),
    ],
)
def test_wrong_parameters_name_their_place(values: dict[str, object], pointer: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        read_params(skill.Skill, values)
    assert refused.value.pointer == pointer
