"""Reads from the code which reasons a module refuses with, so that a page about a sender never says other ones.

A reason is the literal slug of a `Refusal`, `Refused`, `Unreadable` or `TooLarge` that the module makes, with the words
it says beside it. Invariant: what is not written as a literal is left out, never guessed.
"""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.architecture.layout import ROOT, syntax

__all__ = ["Reason", "answers_at_the_door", "reasons_of", "shakes_hands"]

_OF_AN_EVENT, _OF_A_BODY, _OF_A_REQUEST = "Refusal", "Unreadable", "Refused"
_TOO_LARGE: Final = "TooLarge"
_COLLECTOR: Final = ROOT / "services" / "ingest" / "collector"
_UNPROVEN: Final = 401  # said by `Desk.unproven` with the words of the one who calls it
_NOT_KEPT: Final = "Nothing was kept"  # so begins what it says to a delivery; preflights are told something else


_Constants = Mapping[str, ast.expr]


class Reason(NamedTuple):
    """One reason: its slug, the words that come with it, and what it costs (one event, or the whole body)."""

    slug: str
    detail: str
    is_of_one_event: bool
    status: int | None = None


def reasons_of(*modules: Path) -> list[Reason]:
    """Those of the modules, one per slug (the first words count), events before bodies, by slug."""
    found: dict[tuple[bool, str], Reason] = {}
    for module in modules:
        constants = _constants(module)
        for call in ast.walk(syntax(module)):
            reason = _reason(call, constants) if isinstance(call, ast.Call) else None
            if reason is not None:
                found.setdefault((not reason.is_of_one_event, reason.slug), reason)
    return [found[place] for place in sorted(found)]


def answers_at_the_door() -> list[Reason]:
    """What the front door itself answers with, whoever sends, by status."""
    found: set[Reason] = set()
    for module in sorted(_COLLECTOR.glob("*.py")):
        constants = _constants(module)
        for call in ast.walk(syntax(module)):
            if not isinstance(call, ast.Call):
                continue
            words = [_said(one, constants) for one in call.args]
            if _name_of(call.func) == _OF_A_REQUEST and len(words) > 2 and words[0].isdigit() and words[2]:
                found.add(Reason(words[1], words[2], is_of_one_event=False, status=int(words[0])))
            if isinstance(call.func, ast.Attribute) and call.func.attr == "unproven" and words[0].startswith(_NOT_KEPT):
                found.add(Reason("not_proven", words[0], is_of_one_event=False, status=_UNPROVEN))
    return sorted(found, key=lambda one: (one.status or 0, one.slug, one.detail))


def shakes_hands(module: Path) -> bool:
    """Whether its `handshake` ever answers; one that only returns None does not."""
    for node in syntax(module).body:
        if isinstance(node, ast.FunctionDef) and node.name == "handshake":
            return any(
                isinstance(one, ast.Return) and not (isinstance(one.value, ast.Constant) and one.value.value is None)
                for one in ast.walk(node)
            )
    return False


def _reason(call: ast.Call, constants: _Constants) -> Reason | None:
    named = {one.arg: _said(one.value, constants) for one in call.keywords}
    given = [_said(one, constants) for one in call.args]
    name = _name_of(call.func)
    if name == _OF_AN_EVENT and len(given) > 1:
        slug, detail = given[1], named.get("detail") or (given[3] if len(given) > 3 else "")
        return Reason(slug, detail, is_of_one_event=True) if slug and detail else None
    if name in {_OF_A_BODY, _TOO_LARGE} and given:
        slug = named.get("slug") or ("too_large" if name == _TOO_LARGE else "")
        return Reason(slug, given[0], is_of_one_event=False) if slug and given[0] else None
    return None


def _constants(module: Path) -> _Constants:
    """The annotated constants of a module by name."""
    return {
        _name_of(one.target): one.value
        for one in syntax(module).body
        if isinstance(one, ast.AnnAssign) and one.value is not None
    }


def _name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _said(node: ast.expr, constants: _Constants) -> str:
    """A literal as text, with `…` for what is filled in later; "" for anything else."""
    node = constants.get(_name_of(node), node)
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.FormattedValue):
        return _said(node.value, constants) or "…"
    if isinstance(node, ast.JoinedStr):
        return "".join(_said(one, constants) for one in node.values).removesuffix(" ….")
    return ""
