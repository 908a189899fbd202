"""One suite over every routing rule: what a new file in domain/rules/ must keep."""

import ast
import json
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from services.handoff.domain import rules
from services.handoff.domain.assignment import Floor
from services.handoff.domain.routing import read_policy
from services.handoff.domain.rules import (
    Assign,
    Attach,
    Pass,
    Refuse,
    Rule,
    ToPool,
    all_rules,
    read_params,
)
from services.handoff.domain.things import LeadView, Need
from tests.support.builders.handoff_routing import lead, need, open_handoff, pool, rep, rep_id

FLOOR = Floor(
    pools={"default": pool("default", "abc"), "dach": pool("dach", "a")},
    reps={one.id: one for one in (rep("a"), rep("b", is_on=False, why_off="away"), rep("c", load=5))},
)
# What a parameter of each type may hold, besides its default.
VALUES: dict[str, tuple[Any, ...]] = {
    "str": ("default", "dach", "nowhere", "country", "language"),
    "bool": (True, False),
}
every_rule = pytest.mark.parametrize("rule", all_rules().values(), ids=all_rules())


def some_params(rule: Rule[Any]) -> Iterator[dict[str, Any]]:
    """Every parameter by each value of its type, the others at their first."""
    known = {
        field.name: VALUES[field.type if isinstance(field.type, str) else field.type.__name__]
        for field in fields(rule.params)
    }
    first = {name: values[0] for name, values in known.items()}
    yield first
    for name, values in known.items():
        for value in values:
            yield {**first, name: value}


def some_needs() -> Iterator[Need]:
    plain = need("x")
    people: tuple[LeadView, ...] = (
        lead("x"),
        lead("x", is_suppressed=True),
        lead("x", has_consent=False),
        replace(lead("x"), account_id=None),
        lead("x", facts={"country": "DE", "language": "de"}),
    )
    for person in people:
        for rep_name in ("a", "b", "c", "nobody"):
            yield replace(plain, lead=person, account_owner=rep_id(rep_name), preferred=rep_id(rep_name))
        yield replace(plain, lead=person, open_handoff=open_handoff("other"))
        yield replace(plain, lead=person)


@every_rule
def test_each_rule_is_one_file_of_its_name(rule: Rule[Any]) -> None:
    module = rule.decide.__module__
    assert module == f"{rules.__name__}.{rule.name}"
    assert is_dataclass(rule.params)
    assert rule.params.__module__ == module


def test_each_file_holds_one_rule() -> None:
    folder = Path(rules.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(all_rules())


@every_rule
def test_parameters_survive_the_round_trip_through_json(rule: Rule[Any]) -> None:
    for values in some_params(rule):
        params = read_params(rule.params, values)
        assert read_params(rule.params, json.loads(json.dumps(asdict(params)))) == params


@every_rule
def test_parameters_are_frozen(rule: Rule[Any]) -> None:
    assert rule.params.__dataclass_params__.frozen


@every_rule
def test_the_same_question_has_the_same_answer_and_changes_nothing(rule: Rule[Any]) -> None:
    for values in some_params(rule):
        params = read_params(rule.params, values)
        for one in some_needs():
            before = repr((one, FLOOR, params))
            answer = rule.decide(one, FLOOR, params)
            assert rule.decide(one, FLOOR, params) == answer
            assert repr((one, FLOOR, params)) == before
            assert isinstance(answer, Assign | ToPool | Attach | Refuse | Pass)
            assert answer.reason


@every_rule
def test_pass_is_possible(rule: Rule[Any]) -> None:
    answers = (
        rule.decide(one, FLOOR, read_params(rule.params, values))
        for values in some_params(rule)
        for one in some_needs()
    )
    assert any(isinstance(answer, Pass) for answer in answers)


@every_rule
def test_whoever_is_named_may_take_it(rule: Rule[Any]) -> None:
    for values in some_params(rule):
        for one in some_needs():
            answer = rule.decide(one, FLOOR, read_params(rule.params, values))
            if isinstance(answer, Assign):
                assert FLOOR.reps[answer.rep_id].is_on
            if isinstance(answer, ToPool):
                assert answer.pool in FLOOR.pools


@every_rule
def test_a_rule_imports_only_pure_code(rule: Rule[Any]) -> None:
    path = Path(rules.__file__).parent / f"{rule.name}.py"
    imported = {node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
    allowed = ("dataclasses", "collections", "datetime", "services.handoff.domain", "shared.ids", "shared.contracts")
    assert all(name.startswith(allowed) for name in imported)


@every_rule
def test_the_agreement_can_name_it(rule: Rule[Any]) -> None:
    values = next(some_params(rule))
    policy = read_policy(
        {"rules": [{"rule": rule.name, **values}], "fallback": {"queue": "unrouted", "owner": "revops"}}
    )
    assert rule.name in {bound.rule.name for bound in policy.rules}
