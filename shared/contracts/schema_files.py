"""The committed JSON Schema of each event type, and which change of it old readers survive.

Pure: what a schema file must hold and whether a change is compatible; `make schemas` reads and writes the files. Flat
payloads without unions and nulls make the gate a page. Allowed inside a major: an added optional field, a widened enum.
All else breaks a reader of some version that is still stored, so a change is judged against every version of the major.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.contracts.envelope import Payload

__all__ = ["breaks", "schema_of"]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_BOUNDS = ("format", "pattern", "const", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
Schema = dict[str, Any]


def schema_of(model: type[Payload]) -> Schema:
    """The JSON Schema of a payload: no nulls (an optional field is absent instead), every nested object titled."""
    schema = model.model_json_schema(mode="serialization")
    return {"$schema": DRAFT, "$id": f"/schemas/{model.TYPE}", **_without_nulls(schema, model)}


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What a reader or stored record of `old` would suffer under `new`: sentences, empty when compatible."""
    return list(_object_breaks(old, new, old.get("$defs", {}), new.get("$defs", {}), path=""))


def _without_nulls(schema: Schema, model: type[Payload]) -> Schema:
    cleaned = _clean(schema)
    assert isinstance(cleaned, dict)
    # In serialisation mode pydantic calls a defaulted field required; a reader may not count on one that is left out.
    cleaned["required"] = sorted(name for name, field in model.model_fields.items() if field.is_required())
    for nested in cleaned.get("$defs", {}).values():
        if "properties" in nested:
            nested["required"] = sorted(name for name in nested.get("required", []) if _is_always_there(nested, name))
    return cleaned


def _is_always_there(nested: Schema, name: str) -> bool:
    return "default" not in nested["properties"][name]


def _clean(node: object) -> object:
    if isinstance(node, list):
        return [_clean(one) for one in node]
    if not isinstance(node, dict):
        return node
    if "anyOf" in node:
        kinds = [kind for kind in node["anyOf"] if kind != {"type": "null"}]
        assert len(kinds) == 1, f"a payload may not hold a union: {node}"
        rest = {key: value for key, value in node.items() if key not in {"anyOf", "default"}}
        return _clean({**kinds[0], **rest})
    return {key: _clean(value) for key, value in node.items() if not (key == "default" and value is None)}


def _object_breaks(
    old: Mapping[str, Any], new: Mapping[str, Any], old_defs: Schema, new_defs: Schema, *, path: str
) -> Iterator[str]:
    old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
    for name in old_fields:
        where = f"{path}/{name}"
        if name not in new_fields:
            yield f"{where}: removed"
            continue
        yield from _field_breaks(old_fields[name], new_fields[name], old_defs, new_defs, path=where)
    for name in sorted(set(new.get("required", [])) - set(old.get("required", []))):
        yield f"{path}/{name}: newly required"
    for name in sorted(set(old.get("required", [])) - set(new.get("required", []))):
        yield f"{path}/{name}: no longer required, readers count on it"


def _field_breaks(
    old: Mapping[str, Any], new: Mapping[str, Any], old_defs: Schema, new_defs: Schema, *, path: str
) -> Iterator[str]:
    old, new = _resolved(old, old_defs), _resolved(new, new_defs)
    if old.get("type") != new.get("type"):
        yield f"{path}: type changed from {old.get('type')} to {new.get('type')}"
        return
    for bound in _BOUNDS:
        if old.get(bound) != new.get(bound):
            yield f"{path}: {bound} changed from {old.get(bound)} to {new.get(bound)}"
    gone = set(old.get("enum", [])) - set(new.get("enum", []))
    if "enum" in old and (gone or "enum" not in new):
        yield f"{path}: enum lost {sorted(gone) or 'its values'}"
    if "enum" not in old and "enum" in new:
        yield f"{path}: became an enum"
    if old.get("type") == "array":
        yield from _field_breaks(old.get("items", {}), new.get("items", {}), old_defs, new_defs, path=f"{path}[]")
    if old.get("type") == "object":
        yield from _object_breaks(old, new, old_defs, new_defs, path=path)


def _resolved(node: Mapping[str, Any], defs: Schema) -> Mapping[str, Any]:
    reference = node.get("$ref")
    return defs[reference.rpartition("/")[2]] if reference else node
