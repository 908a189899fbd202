"""Reads the agreement's routing section into rules ready to be asked, and refuses what cannot be asked.

Invariant: every policy ends in a queue with an owner, so no lead is ever without somebody who must look at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.handoff.domain.rules import PolicyInvalid, Rule, all_rules, read_params
from services.handoff.domain.things import Need
from shared.contracts.condition import Condition, evaluate

__all__ = ["BoundRule", "Policy", "check_policy", "read_policy"]

# Asked although no agreement names it: a handoff that a split gives back goes to its former owner first (DECISIONS,
# section 1).
_ALWAYS_ASKED = "former_owner"
_BEFORE_ANY_REP = ("suppression", "open_handoff_of_account")


@dataclass(frozen=True, slots=True)
class BoundRule:
    """A rule with the parameters and the condition the agreement gave it."""

    rule: Rule[Any]
    params: Any
    when: Condition | None = None

    def is_asked(self, facts: Mapping[str, str]) -> bool:
        """Whether the agreement's condition holds for a lead with these facts."""
        return evaluate(self.when, facts)


@dataclass(frozen=True, slots=True)
class Policy:
    """The routing section, ready: the rules in order, and where waits what they do not place."""

    rules: tuple[BoundRule, ...]
    fallback_queue: str
    fallback_owner: str

    def rules_for(self, need: Need) -> tuple[BoundRule, ...]:
        """The rules this need is asked, in order.

        While another handoff of its scope is open there is no second one, whatever the agreement's conditions are: the
        two that may not be softened decide, refused or joined.
        """
        if need.open_handoff is None or need.open_handoff.id == need.handoff_id:
            return self.rules
        found = (all_rules()[name] for name in _BEFORE_ANY_REP)
        return tuple(BoundRule(rule, rule.params()) for rule in found)


def read_policy(routing: Mapping[str, Any]) -> Policy:
    """The policy of an agreement's routing section (a JSON value). Raises PolicyInvalid at the first wrong place."""
    rules = [_bind(entry, pointer=f"/routing/rules/{index}") for index, entry in enumerate(routing.get("rules", ()))]
    if all(bound.rule.name != _ALWAYS_ASKED for bound in rules):
        lead_in = sum(1 for bound in rules if bound.rule.name in _BEFORE_ANY_REP)
        former = all_rules()[_ALWAYS_ASKED]
        rules.insert(lead_in, BoundRule(former, former.params()))
    fallback = routing.get("fallback") or {}
    if not fallback.get("queue") or not fallback.get("owner"):
        raise PolicyInvalid("/routing/fallback", "names a queue and its owner; without them a lead could be forgotten")
    return Policy(tuple(rules), fallback_queue=fallback["queue"], fallback_owner=fallback["owner"])


def check_policy(routing: Mapping[str, Any]) -> tuple[PolicyInvalid, ...]:
    """Everything wrong with a draft's routing section, in its order; empty when it may be signed."""
    found: list[PolicyInvalid] = []
    pools = {pool["name"] for pool in routing.get("pools", ())}
    for index, entry in enumerate(routing.get("rules", ())):
        pointer = f"/routing/rules/{index}"
        try:
            bound = _bind(entry, pointer=pointer)
        except PolicyInvalid as invalid:
            found.append(invalid)
            continue
        pool = getattr(bound.params, "pool", None)
        if pool is not None and pool not in pools:
            found.append(PolicyInvalid(f"{pointer}/pool", f"there is no pool {pool} in this agreement"))
    try:
        read_policy({**routing, "rules": []})
    except PolicyInvalid as invalid:
        found.append(invalid)
    return tuple(found)


def _bind(entry: Mapping[str, Any], *, pointer: str) -> BoundRule:
    name = entry.get("rule", "")
    rule = all_rules().get(name)
    if rule is None:
        raise PolicyInvalid(f"{pointer}/rule", f"no rule {name}; there are {', '.join(all_rules())}")
    values = {key: value for key, value in entry.items() if key not in {"rule", "when"} and value is not None}
    when = entry.get("when")
    try:
        condition = None if when is None else Condition.model_validate(when)
    except ValueError as error:
        raise PolicyInvalid(f"{pointer}/when", f"is no condition: {error}") from error
    return BoundRule(rule, read_params(rule.params, values, pointer=pointer), condition)
