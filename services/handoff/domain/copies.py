"""A frozen, slotted value with some fields changed: as dataclasses.replace, in a third of its time.

The machine copies wide values several times a decision, and a rung that fires is mostly that. For values whose class
checks nothing when it is made; a field that is none is an error here too.
"""

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar

__all__ = ["replace"]

_T = TypeVar("_T")
_Layout = tuple[Callable[[object], tuple[Any, ...]], dict[str, Callable[[object, Any], None]]]
_LAYOUTS: dict[type[Any], _Layout] = {}  # one a class of the domain


def replace(value: _T, /, **changes: Any) -> _T:  # noqa: ANN401 - fields of the value's class
    """The value with these fields changed. Raises TypeError for a field it has not."""
    kind = type(value)
    layout = _LAYOUTS.get(kind)
    if layout is None:
        layout = _LAYOUTS[kind] = _layout(kind)
    read, setters = layout
    copy = object.__new__(kind)
    for write, held in zip(setters.values(), read(value), strict=True):
        write(copy, held)
    for name, changed in changes.items():
        if name not in setters:
            raise TypeError(f"{kind.__name__} has no field {name}")
        setters[name](copy, changed)
    return copy


def _layout(kind: type[Any]) -> _Layout:
    """How to read all fields at once, and to write each: the class's own slots, which know nothing of frozen."""
    assert not hasattr(kind, "__post_init__"), "a class that checks its fields is copied by dataclasses.replace"
    names = [each.name for each in fields(kind)]
    assert len(names) > 1, "attrgetter gives a tuple from two names on"
    return attrgetter(*names), {name: getattr(kind, name).__set__ for name in names}
