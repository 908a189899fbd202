"""Decision records: JSON, recomputed identically, explained in sentences; what-ifs on them."""

import json
from typing import Any

import pytest

from services.handoff.domain.routing import explain, replay, reps_named, route, why_not
from services.handoff.domain.routing.record import FORMAT
from services.handoff.domain.things import RoutingInput
from tests.support.builders.handoff_routing import (
    POLICY,
    handoff_id,
    lead,
    need,
    open_handoff,
    pool,
    rep,
    rep_id,
    round_of,
)

NAMES = {str(rep_id(name)): name.title() for name in ("anna", "ben", "cleo", "dora", "else")} | {
    str(handoff_id("L2")): "L2"
}


def records(asked: RoutingInput) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(result.record)) for result in route(asked).results]


def record(asked: RoutingInput) -> dict[str, Any]:
    (one,) = records(asked)
    return one


def busy_floor() -> RoutingInput:
    reps = [rep("anna"), rep("ben", is_on=False, why_off="away"), rep("cleo", load=5), rep("dora")]
    return round_of(
        [need("L1", account_owner=rep_id("ben"), facts={"country": "DE"})],
        pools=[pool("dach", ["anna", "ben", "cleo", "dora"]), pool("default", ["ben", "else"])],
        reps=[*reps, rep("else")],
    )


@pytest.mark.parametrize(
    "asked",
    [
        busy_floor(),
        round_of([need(1)]),
        round_of([need(1, lead=lead(1, is_suppressed=True, account_id=None))]),
        round_of([need(1, open_handoff=open_handoff(2), tried=(rep_id("anna"),), preferred=rep_id("ben"))]),
        round_of([need(1, account_owner=rep_id("anna"))], reps=[rep("anna", holding=(handoff_id(7),), load=1)]),
    ],
)
def test_a_decision_is_recomputed_from_its_record_alone(asked: RoutingInput) -> None:
    again = replay(record(asked))
    assert again.is_same
    assert again.result.rep_id == route(asked).results[0].rep_id


def test_each_decision_of_a_round_is_recomputed_without_its_round() -> None:
    reps = [rep("anna"), rep("ben")]
    asked = round_of(
        [need(name, minute=name) for name in range(14)], pools=[pool("default", ["anna", "ben"])], reps=reps
    )
    assert all(replay(one).is_same for one in records(asked))


def test_a_record_that_was_changed_is_told_apart() -> None:
    stored = record(busy_floor())
    stored["result"]["rep_id"] = str(rep_id("ben"))
    stored["rule_versions"]["suppression"] = 0
    stored["rule_versions"]["coin"] = 1
    again = replay(stored)
    assert (len(again.differences), again.newer_rules) == (1, ("suppression", "coin"))


def test_a_record_of_a_newer_release_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="newer"):
        replay({**record(busy_floor()), "format": FORMAT + 1})


def test_the_record_holds_only_the_pools_and_reps_that_mattered() -> None:
    stored = record(busy_floor())
    assert {one["name"]: len(one["members"]["rows"]) for one in stored["pools"]} == {"dach": 4, "default": 1}
    assert len(stored["reps"]["rows"]) == 4


def test_what_a_rep_holds_is_kept_of_full_reps_alone_and_only_so_much() -> None:
    held = tuple(handoff_id(number) for number in range(30))
    reps = [rep("anna", load=30, holding=held), rep("ben", load=1, holding=held[:1])]
    stored = record(round_of([need(1)], pools=[pool("default", ["anna", "ben"])], reps=reps))
    columns = stored["reps"]["columns"]
    kept = {row[columns.index("id")]: len(row[columns.index("holding")]) for row in stored["reps"]["rows"]}
    assert kept == {str(rep_id("anna")): 20, str(rep_id("ben")): 0}


def test_explain_answers_why_this_rep() -> None:
    said = explain(record(busy_floor()), names=NAMES)
    winner = route(busy_floor()).results[0].rep_id
    assert said[0] == f"{NAMES[str(winner)]} gets it: in the territory of dach, pool dach (agreement version 1)."
    assert "4. account owner: pass, away (Ben)." in said
    assert "Ben was away." in said
    assert "Cleo was at capacity with 5 handoffs." in said
    assert said[-1].startswith("Of 2 eligible reps it was the turn of ")


def test_a_record_says_of_whom_it_speaks() -> None:
    assert set(reps_named(record(busy_floor()))) == {rep_id(name) for name in ("anna", "ben", "cleo", "dora")}


def test_why_not_answers_each_rep() -> None:
    stored = record(busy_floor())
    winner = stored["result"]["rep_id"]
    other = next(name for name in ("anna", "dora") if str(rep_id(name)) != winner)
    assert why_not(stored, rep_id("cleo"), names=NAMES) == "Cleo was at capacity with 5 handoffs."
    assert why_not(stored, rep_id(other), names=NAMES).endswith(f"it was the turn of {NAMES[winner]}.")
    assert why_not(stored, rep_id("else"), names=NAMES).startswith(
        "Else was not looked at: the decision fell by territory"
    )
    assert why_not(stored, rep_id("anna" if other == "dora" else "dora"), names=NAMES).endswith("did get it.")
    unknown = route(round_of([need(1)], routing={**POLICY, "rules": []})).results[0].record
    assert "fell by fallback" in why_not(unknown, rep_id("anna"))


def test_explain_of_a_lead_that_must_wait_names_who_went_before() -> None:
    one_place = pool("default", ["anna"], terms={"anna": {"load_max": 1}})
    asked = round_of([need("L3")], pools=[one_place], reps=[rep("anna", load=1, holding=(handoff_id("L2"),))])
    said = explain(record(asked), names=NAMES)
    assert said[0].startswith("It waits in no_eligible_rep, owned by revops")
    assert said[-1] == "Before it, the free places went to: L2."


def test_explain_says_refusals_and_attachments() -> None:
    refused = record(round_of([need(1, lead=lead(1, is_suppressed=True))]))
    assert explain(refused)[0] == "Nobody gets it: suppressed (agreement version 1)."
    attached = record(round_of([need(1, open_handoff=open_handoff("L2"))]))
    assert explain(attached, names=NAMES)[0].startswith("It joins handoff L2: open handoff")
    owned = record(round_of([need(1, account_owner=rep_id("anna"))], reps=[rep("anna")]))
    assert explain(owned, names=NAMES)[0] == "Anna gets it: owns the account (agreement version 1)."
