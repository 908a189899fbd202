"""Paths into JSON and tables of them: what is read, and what is refused when it is set, with field and reason."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.json_path import FOUND_MAX, BadPath, find, read_path
from services.ingest.domain.mapping import FIELDS, BadMapping, events_of, observed, read_mapping
from services.ingest.domain.observation import Observation, Operation

BODY = {"a": {"b": [{"c": 1}, {"c": 2}, {"d": 3}], "odd name": "x", "0": "zero"}, "list": [[1, 2], [3]], "$id": "i"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcde"), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", [BODY]),
        ("$", [BODY]),
        ("a.b[0].c", [1]),
        ("$.a.b[-1].d", [3]),
        ("a.b[*].c", [1, 2]),
        ("list[*][*]", [1, 2, 3]),
        ("list[*][0]", [1, 3]),
        ('a["odd name"]', ["x"]),
        ("a.odd name", ["x"]),
        ("a.0", ["zero"]),
        ("$id", ["i"]),
        ("$.$id", ["i"]),
        ('$["a"].b[0].c', [1]),
        ("a.b.c", []),
        ("a.b[7].c", []),
        ("a[0]", []),
        ("missing.b", []),
    ],
)
def test_a_path_finds_what_is_there_and_nothing_else(path: str, found: list[object]) -> None:
    assert list(find(read_path(path), BODY)) == found


@pytest.mark.parametrize(
    "path",
    [
        ".a", "a.", "a..b", "a[", "a[]", "a[x]", "a[1", "a]", 'a["b]', "a[**]", "a[1.5]", "a[?(@.b)]", "a.*", "..b",
        "a(b)", "é", "x" * 600, ".".join("a" * 40),
    ],
)  # fmt: skip
def test_a_path_that_cannot_be_read_says_why(path: str) -> None:
    with pytest.raises(BadPath) as error:
        read_path(path)
    assert str(error.value)


def test_a_path_never_finds_more_than_its_bound() -> None:
    wide = {"a": [{"b": list(range(FOUND_MAX))} for _ in range(50)]}
    assert len(find(read_path("a[*].b[*]"), wide)) == FOUND_MAX


@given(steps=st.lists(st.sampled_from([".a", ".b", "[0]", "[-1]", "[*]", '["c"]']), max_size=6), body=JSON)
def test_no_path_raises_over_any_body(steps: list[str], body: object) -> None:
    find(read_path("".join(steps).removeprefix(".")), body)


@pytest.mark.parametrize(
    ("mapping", "field", "part"),
    [
        ({"mail": "a.b"}, "mail", "no field of ours"),
        ({"email": "a..b"}, "email", "cannot read on"),
        ({"email": 7}, "email", "must be a path"),
        ({"email": {}}, "email", "either value, or path"),
        ({"email": {"path": "a", "value": "b"}}, "email", "either value, or path"),
        ({"email": {"path": "a", "tables": {}}}, "email", "either value, or path"),
        ({"email": {"value": ""}}, "email", "text"),
        ({"email": {"path": 7}}, "email", "path"),
        ({"kind": {"value": "sign_up"}}, "kind", "no kind of ours"),
        ({"kind": {"path": "t", "table": {"x": "sign_up"}}}, "kind", "no kind of ours"),
        ({"kind": {"path": "t", "table": []}}, "kind", "table"),
        ({"kind": {"path": "t", "table": {"x": None}}}, "kind", "texts"),
        ({"kind": {"path": "t", "default": ["x"]}}, "kind", "default"),
        ({"each": {"value": "x"}}, "each", "path"),
        ({"properties.": "a"}, "properties.", "no field of ours"),
        ({"properties.a.b": "a"}, "properties.a.b", "no field of ours"),
        ({f"properties.p{number}": "a" for number in range(201)}, "properties.p0", "200"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_field_and_reason(
    mapping: dict[str, object], field: str, part: str
) -> None:
    with pytest.raises(BadMapping) as error:
        read_mapping(mapping)
    assert (error.value.field, part in error.value.reason) == (field, True), error.value


def read(event: object, mapping: Mapping[str, object]) -> Observation:
    return observed(event, read_mapping(mapping), zone="Europe/Berlin", raw=json.dumps(event).encode())


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-06-10T12:00:00", datetime(2026, 6, 10, 10, tzinfo=UTC)),
        ("2026-06-10T10:00:00Z", datetime(2026, 6, 10, 10, tzinfo=UTC)),
        (1_781_085_600, datetime(2026, 6, 10, 10, tzinfo=UTC)),
        ("1781085600", datetime(2026, 6, 10, 10, tzinfo=UTC)),
        (1_781_085_600.5, datetime(2026, 6, 10, 10, 0, 0, 500_000, tzinfo=UTC)),
        (1_781_085_600_250, datetime(2026, 6, 10, 10, 0, 0, 250_000, tzinfo=UTC)),
        (1_781_085_600_250_000, datetime(2026, 6, 10, 10, 0, 0, 250_000, tzinfo=UTC)),
        ("soon", None),
        ({}, None),
        (-1, None),
    ],
)
def test_a_time_is_read_in_the_zone_of_the_source_or_by_the_size_of_its_number(
    said: object, moment: datetime | None
) -> None:
    assert read({"at": said}, {"time": "at"}).timestamp == moment


def test_a_constant_and_a_table_of_values_name_the_kind() -> None:
    table = {"kind": {"path": "t", "table": {"signup": "trial_started", "who": "identify"}, "default": "custom"}}
    assert [read({"t": said}, table).kind for said in ("signup", "other", None)] == [
        "trial_started",
        "custom",
        "custom",
    ]
    assert read({"t": "who"}, table).operation is Operation.IDENTIFY
    assert read({}, {"kind": {"value": "site_visit"}}).kind == "site_visit"


def test_the_events_are_where_each_says_or_the_elements_of_a_list_or_the_body() -> None:
    assert events_of({"x": {"rows": [1, 2]}}, read_mapping({"each": "x.rows"})) == [1, 2]
    assert list(events_of({"x": [{"y": 1}, {"y": 2}]}, read_mapping({"each": "x[*].y"}))) == [1, 2]
    assert events_of([1, 2], read_mapping({})) == [1, 2]
    assert events_of({"x": 1}, read_mapping({})) == [{"x": 1}]
    assert list(events_of({"y": 1}, read_mapping({"each": "x"}))) == []


@given(body=JSON, rows=st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["a", "a.b", "a[*]", "b[0].c", "$"])))
def test_an_accepted_table_reads_any_body(body: Any, rows: dict[str, str]) -> None:  # noqa: ANN401 - any JSON value
    observed(body, read_mapping(rows), zone=None, raw=b"")
