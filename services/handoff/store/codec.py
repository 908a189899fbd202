"""Inputs and effects of the hand-off machine as JSON values, and inputs back: what the audit keeps and replay reads."""

import dataclasses
from datetime import date, datetime
from functools import cache
from typing import Any, get_args
from uuid import UUID

from pydantic import TypeAdapter

from services.handoff.domain.lifecycle import inputs
from services.handoff.domain.lifecycle.effects import Effect

__all__ = ["effect_value", "input_of", "input_value"]

_NAMES: dict[type[Any], tuple[str, ...] | None] = {}  # fields by class, of the few that inputs and effects hold
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(inputs.Input)}


def input_value(event: inputs.Input) -> dict[str, Any]:
    """The input's fields as JSON values; its kind is stored beside it."""
    return _plain(event)  # type: ignore[no-any-return]  # a dataclass becomes a dict


def input_of(kind: str, value: dict[str, Any]) -> inputs.Input:
    """The input that `input_value` wrote. Raises KeyError or ValidationError for one this release does not know."""
    read: inputs.Input = _adapter(kind).validate_python(value)
    return read


def effect_value(effect: Effect) -> dict[str, Any]:
    """An effect's name and fields as JSON values, for people who read the audit."""
    return {"effect": type(effect).__name__, **_plain(effect)}


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(_KINDS[kind])


def _fields_of(kind: type[Any]) -> tuple[str, ...] | None:
    """The fields of a dataclass; None for any other type."""
    return tuple(each.name for each in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else None


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field to a JSON value
    if value is None or isinstance(value, str | int | float):  # most of them, and far cheaper to tell
        return value
    if isinstance(value, UUID):
        return str(value)
    kind = type(value)
    if kind not in _NAMES:
        _NAMES[kind] = _fields_of(kind)
    names = _NAMES[kind]
    if names is not None:
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, tuple | frozenset):
        return [_plain(each) for each in value]
    return value
