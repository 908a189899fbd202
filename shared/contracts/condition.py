"""A rule tree over facts, as the agreement and its editor write it; evaluating it is pure and total.

`{fact, op, value}`, `{all: [...]}`, `{any: [...]}`, `{not: ...}`. A fact that is not known makes every comparison
false, except `is_not` and `not_in`, which are then true, and `is_missing`.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Condition", "evaluate"]

_DEPTH_MAX = 8  # a deeper tree is not readable as a sentence
Scalar = str | int | float | bool


class Condition(BaseModel):
    """One node: a comparison of a fact, or a combination of conditions. Exactly one of the four forms."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    fact: str | None = Field(None, description="the fact compared")
    op: Literal["is", "is_not", "in", "not_in", "at_least", "at_most", "contains", "is_missing", "is_known"] | None = (
        Field(None, description="the comparison")
    )
    value: Scalar | list[Scalar] | None = Field(None, description="what it is compared with")
    all_of: list["Condition"] | None = Field(None, alias="all", description="every one holds")
    any_of: list["Condition"] | None = Field(None, alias="any", description="at least one holds")
    none_of: "Condition | None" = Field(None, alias="not", description="does not hold")

    @model_validator(mode="after")
    def _has_one_form(self) -> "Condition":
        forms = [self.fact is not None, self.all_of is not None, self.any_of is not None, self.none_of is not None]
        if sum(forms) != 1:
            raise ValueError("a condition is exactly one of: a fact with op and value, all, any, not")
        if self.fact is not None and self.op is None:
            raise ValueError(f"say how {self.fact} is compared: op is missing")
        if self.op in {"in", "not_in"} and not isinstance(self.value, list):
            raise ValueError(f"{self.op} needs a list of values")
        if _depth(self) > _DEPTH_MAX:
            raise ValueError(f"a condition may be {_DEPTH_MAX} levels deep at most")
        return self


def evaluate(condition: Condition | None, facts: Mapping[str, Any]) -> bool:
    """Whether the condition holds for the facts; None holds always.

    Values compare as texts, at_least and at_most as numbers.
    """
    if condition is None:
        return True
    if condition.all_of is not None:
        return all(evaluate(one, facts) for one in condition.all_of)
    if condition.any_of is not None:
        return any(evaluate(one, facts) for one in condition.any_of)
    if condition.none_of is not None:
        return not evaluate(condition.none_of, facts)
    return _compare(condition, facts.get(condition.fact or ""))


def _compare(condition: Condition, known: object) -> bool:
    op, value = condition.op, condition.value
    if op in {"is_missing", "is_known"}:
        return (known is None) == (op == "is_missing")
    if known is None:
        return op in {"is_not", "not_in"}
    if op in {"at_least", "at_most"}:
        return _compare_numbers(known, value, is_at_least=op == "at_least")
    text = _text(known)
    if op in {"in", "not_in"}:
        listed = value if isinstance(value, list) else []
        return (text in {_text(one) for one in listed}) == (op == "in")
    if op == "contains":
        return _text(value) in text
    return (text == _text(value)) == (op == "is")


def _compare_numbers(known: object, value: object, *, is_at_least: bool) -> bool:
    try:
        left, right = float(str(known)), float(str(value))
    except ValueError:
        return False
    return left >= right if is_at_least else left <= right


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _depth(condition: Condition) -> int:
    children = [*(condition.all_of or []), *(condition.any_of or [])]
    if condition.none_of is not None:
        children.append(condition.none_of)
    return 1 + max((_depth(child) for child in children), default=0)
