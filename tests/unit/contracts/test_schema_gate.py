"""The gate lets pass what old readers survive, and nothing else."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field

from deploy.cli.schemas import check, versions_of, write
from shared.contracts.catalog import MODELS
from shared.contracts.envelope import Part, Payload
from shared.contracts.schema_files import breaks, schema_of

Schema = dict[str, Any]


class Leg(Part):
    """A nested object."""

    miles: int = Field(ge=0, description="how far")
    by: str | None = Field(None, description="how")


class TripTaken(Payload):
    """A made-up event with every form a payload may have."""

    TYPE: ClassVar[str] = "baton.trip.taken.v1"

    lead_id: str = Field(description="who", max_length=40)
    legs: list[Leg] = Field(description="the parts")
    share: float | None = Field(None, ge=0, le=1, description="how much")
    at: str = Field(description="when", json_schema_extra={"format": "date-time"})
    way: str = Field(description="which way", json_schema_extra={"enum": ["there", "back"]})


def changed(change: Callable[[Schema], object]) -> Schema:
    schema = deepcopy(schema_of(TripTaken))
    change(schema)
    return schema


ALLOWED: dict[str, Callable[[Schema], object]] = {
    "nothing": lambda _: None,
    "an optional field is added": lambda s: s["properties"].update(note={"type": "string"}),
    "an optional nested field is added": lambda s: s["$defs"]["Leg"]["properties"].update(toll={"type": "integer"}),
    "an enum is widened": lambda s: s["properties"]["way"]["enum"].append("round"),
    "a description changes": lambda s: s["properties"]["way"].update(description="other words"),
    "a title changes": lambda s: s.update(title="Journey"),
}
REFUSED: dict[str, Callable[[Schema], object]] = {
    "a required field is removed": lambda s: (s["properties"].pop("lead_id"), s["required"].remove("lead_id")),
    "an optional field is removed": lambda s: s["properties"].pop("share"),
    "a nested field is removed": lambda s: s["$defs"]["Leg"]["properties"].pop("by"),
    "an optional field becomes required": lambda s: s["required"].append("share"),
    "a required field is added": lambda s: (
        s["properties"].update(note={"type": "string"}),
        s["required"].append("note"),
    ),
    "a nested field becomes required": lambda s: s["$defs"]["Leg"]["required"].append("by"),
    "a required field becomes optional": lambda s: s["required"].remove("way"),
    "text becomes a number": lambda s: s["properties"]["lead_id"].update(type="integer"),
    "a number becomes an integer": lambda s: s["properties"]["share"].update(type="integer"),
    "a nested type changes": lambda s: s["$defs"]["Leg"]["properties"]["miles"].update(type="number"),
    "a list becomes an object": lambda s: s["properties"]["legs"].update(type="object"),
    "the items of a list change": lambda s: s["properties"].update(legs={"type": "array", "items": {"type": "string"}}),
    "a format changes": lambda s: s["properties"]["at"].update(format="date"),
    "a format is dropped": lambda s: s["properties"]["at"].pop("format"),
    "a pattern is added": lambda s: s["properties"]["lead_id"].update(pattern="^a"),
    "a constant is added": lambda s: s["properties"]["lead_id"].update(const="a"),
    "a lower bound rises": lambda s: s["properties"]["share"].update(minimum=0.5),
    "a lower bound falls": lambda s: s["properties"]["share"].update(minimum=-1),
    "an upper bound is dropped": lambda s: s["properties"]["share"].pop("maximum"),
    "a length changes": lambda s: s["properties"]["lead_id"].update(maxLength=20),
    "an enum is narrowed": lambda s: s["properties"]["way"]["enum"].remove("back"),
    "an enum is dropped": lambda s: s["properties"]["way"].pop("enum"),
    "text becomes an enum": lambda s: s["properties"]["lead_id"].update(enum=["a"]),
    "a nested bound changes": lambda s: s["$defs"]["Leg"]["properties"]["miles"].update(minimum=1),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_a_change_readers_survive_passes(what: str) -> None:
    assert breaks(schema_of(TripTaken), changed(ALLOWED[what])) == []


@pytest.mark.parametrize("what", REFUSED)
def test_a_change_that_breaks_a_reader_is_refused(what: str) -> None:
    assert breaks(schema_of(TripTaken), changed(REFUSED[what])) != []


def test_committed_schemas_and_asyncapi_agree_with_the_models() -> None:
    assert check() == []


def test_an_optional_field_is_absent_never_null() -> None:
    schema = schema_of(TripTaken)
    assert schema["properties"]["share"]["type"] == "number"
    assert "share" not in schema["required"]


@pytest.mark.parametrize("event_type", sorted(MODELS))
def test_payloads_are_flat_described_and_hold_no_union(event_type: str) -> None:
    schema = schema_of(MODELS[event_type])
    objects = [schema, *(one for one in schema.get("$defs", {}).values() if "properties" in one)]
    for one in objects:
        assert one["title"]
        for name, field in one["properties"].items():
            assert field.get("description"), f"{event_type}: {name} has no description"
            assert not {"anyOf", "oneOf", "allOf"} & field.keys(), f"{event_type}: {name} is a union"
    for one in schema.get("$defs", {}).values():
        assert "enum" not in one or one.get("title"), f"{event_type}: an enum without title"


def test_files_are_added_never_edited(tmp_path: Path) -> None:
    first = write(tmp_path)
    assert {file.name for file in first} == {"v1.0.json"}
    assert write(tmp_path) == []
    assert all(len(versions_of(event_type, tmp_path)) == 1 for event_type in MODELS)
