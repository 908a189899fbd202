"""What a routing rule is: a frozen parameter dataclass and one registered pure function, one file each.

A rule reads the need, the floor and its parameters and answers Assign, ToPool, Attach, Refuse or Pass, always with a
reason. It never picks among several reps (a pool does) and never sees the database. `all_rules` finds the files; a new
one is named by the agreement at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Generic, TypeAlias, TypeVar, cast, get_type_hints

from services.handoff.domain.assignment import Exclusion, Floor
from services.handoff.domain.things import Need
from shared.ids import HandoffId, UserId

__all__ = [
    "Assign",
    "Attach",
    "Outcome",
    "Pass",
    "PolicyInvalid",
    "Refuse",
    "Rule",
    "ToPool",
    "all_rules",
    "read_params",
    "rule",
]

P = TypeVar("P")


class PolicyInvalid(ValueError):
    """The agreement's routing section cannot be read; `pointer` says where. It is refused before it is signed."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer}: {message}")
        self.pointer = pointer
        self.message = message


@dataclass(frozen=True, slots=True)
class Assign:
    """This rep gets it; the rule has made sure that the rep may take it."""

    rep_id: UserId
    reason: str


@dataclass(frozen=True, slots=True)
class ToPool:
    """Rotate in this pool. When nobody in it may take it, the next rule is asked, unless is_exclusive."""

    pool: str
    reason: str
    is_exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Attach:
    """No second handoff: it belongs to this open one, whose priority rises."""

    handoff_id: HandoffId
    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody may contact this lead."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pass:
    """Not for this rule; the next one is asked.

    wished: skills or languages the pools asked later should prefer. excluded: the rep this rule would have named, and
    why it may not take it.
    """

    reason: str
    wished: frozenset[str] = frozenset()
    excluded: tuple[UserId, Exclusion] | None = None


Outcome: TypeAlias = Assign | ToPool | Attach | Refuse | Pass


@dataclass(frozen=True, slots=True)
class Rule(Generic[P]):
    """One rule: its name in the agreement, its parameters, its function, and the version its records name.

    The version grows whenever the function answers differently for any input, so that an old record says which code
    decided it.
    """

    name: str
    params: type[P]
    decide: Callable[[Need, Floor, P], Outcome]
    version: int


_found: dict[str, Rule[Any]] = {}


def rule(
    name: str, params: type[P], *, version: int = 1
) -> Callable[[Callable[[Need, Floor, P], Outcome]], Callable[[Need, Floor, P], Outcome]]:
    """Register the decorated function as the rule `name`."""

    def register(decide: Callable[[Need, Floor, P], Outcome]) -> Callable[[Need, Floor, P], Outcome]:
        _found[name] = Rule(name, params, decide, version)
        return decide

    return register


@cache
def all_rules() -> Mapping[str, Rule[Any]]:
    """Every rule by name: the modules of this package, imported once."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return dict(sorted(_found.items()))


def read_params(params: type[P], values: Mapping[str, Any], *, pointer: str = "") -> P:
    """Make a rule's parameters from JSON values. Raises PolicyInvalid on unknown, missing or wrongly typed fields."""
    hints = get_type_hints(params)
    known = {field.name: field for field in fields(cast("Any", params))}
    for name in values:
        if name not in known:
            raise PolicyInvalid(f"{pointer}/{name}", f"no parameter of this rule; it has {', '.join(known) or 'none'}")
    for name, field in known.items():
        if name not in values:
            if field.default is MISSING and field.default_factory is MISSING:
                raise PolicyInvalid(f"{pointer}/{name}", "is missing")
        elif not isinstance(values[name], _json_type(hints[name])):
            raise PolicyInvalid(f"{pointer}/{name}", f"must be {_json_type(hints[name]).__name__}")
    return params(**values)


def _json_type(hint: Any) -> type:  # noqa: ANN401 - a type expression
    return hint if hint in {str, bool, int, float} else dict
