"""What a page of the agreement is made of: sections of tables; and the sentences of a span and of a condition."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.console.domain.words import spoken

__all__ = ["Block", "Doc", "Section", "condition_sentence", "filled", "lines", "span_sentence"]

Doc = Mapping[str, Any]
_OPERATORS = {"is": "is", "in": "is one of", "not": "is not", "at_least": "is at least", "at_most": "is at most"}


@dataclass(frozen=True, slots=True)
class Block:
    """One table of a section; `headers` empty means plain lines."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One chapter of the document."""

    anchor: str
    title: str
    intro: str
    blocks: tuple[Block, ...]


def span_sentence(span: Mapping[str, Any]) -> str:
    """A span of the agreement in words: {"hours": 4} reads "4 hours of open time"."""
    for key, value in span.items():
        unit = key.removeprefix("wall_")
        if unit in {"seconds", "minutes", "hours", "days"} and value is not None:
            noun = unit if value != 1 else unit[:-1]
            return f"{value:g} {noun}" + ("" if key.startswith("wall_") else " of open time")
    return ""


def condition_sentence(condition: Any) -> str:  # noqa: ANN401  # a rule tree in JSON
    """A rule tree in words: "country is one of DE, AT, CH"."""
    if not isinstance(condition, Mapping):
        return "always"
    for key, joint in (("all", " and "), ("any", " or ")):
        if condition.get(key):
            return joint.join(condition_sentence(part) for part in condition[key])
    if condition.get("not"):
        return f"not ({condition_sentence(condition['not'])})"
    if "fact" in condition:
        operator = str(condition.get("op", "is"))
        value = condition.get("value")
        fact = spoken(str(condition["fact"])).lower()
        if operator == "is" and str(value).lower() == "true":
            return fact
        values = value if isinstance(value, (list, tuple)) else [value]
        text = ", ".join(str(item).replace("_", " ") for item in values)
        return f"{fact} {_OPERATORS.get(operator, operator)} {text}"
    return "always"


def lines(title: str, texts: Sequence[str]) -> Block:
    """Plain lines under a title."""
    return Block(title, (), tuple((line,) for line in texts))


def filled(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Those of the blocks that say something."""
    return tuple(block for block in blocks if block.rows)
