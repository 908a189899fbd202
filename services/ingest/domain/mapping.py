"""Decides what a body of an unknown sender says, by a table that marketing made: our field to a path in the body.

A row is a path (`"email": "person.email"`), a constant (`{"value": "form_submit"}`), or a path with a table of values
(`{"path": "type", "table": {"signup": "trial_started"}, "default": "custom"}`). `each` is the path of the list whose
elements are the events; without it the body is one event, or every element of a body that is a list. Names of fields
are those of FIELDS, `properties.<name>` and `answers.<name>`. Invariant: a table that was accepted reads any body.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.ingest.domain.activity import CHANNELS
from services.ingest.domain.fields import (
    company_of,
    consents_of,
    exact_moment,
    fingerprint_of,
    mapping_of,
    number_of,
    profile_of,
    text_of,
    unix_millis_moment,
    zoned_moment,
)
from services.ingest.domain.json_path import BadPath, JsonPath, find, read_path
from services.ingest.domain.observation import Company, Observation, Operation, Person, Texts, Touch

__all__ = ["DEFAULT", "EACH", "FIELDS", "BadMapping", "Row", "Table", "events_of", "observed", "read_mapping"]

ROWS_MAX: Final = 200
VALUES_MAX: Final = 500
_SECONDS_MAX, _MILLIS_MAX = 10**11, 10**14  # a greater number is a time of a finer unit
EACH: Final = "each"
_IDENTITY: Final = ("id", "kind", "name", "time", "direction")
_PERSON: Final = ("email", "user_id", "anonymous_id", "phone", "external_system", "external_id")
_PROFILE: Final = ("full_name", "first_name", "last_name", "title", "department", "country", "language", "time_zone")
_COMPANY: Final = ("company", "domain", "industry", "employees")
_TOUCH: Final = (
    "url", "referrer", "traffic_source", "medium", "campaign", "asset", "link", "message", "user_agent",
    "duration_seconds",
)  # fmt: skip
_TEXTS: Final = ("recipient", "subject", "text")
_CONSENT: Final = ("consent", "consent_purpose", "consent_at", "consent_wording")
FIELDS: Final[tuple[str, ...]] = (*_IDENTITY, *_PERSON, *_PROFILE, *_COMPANY, *_TOUCH, *_TEXTS, *_CONSENT)
"""What a body can say, in our words."""
_NAMED: Final = re.compile(r"(properties|answers)\.([A-Za-z0-9_ \-]{1,64})")
_OPERATIONS: Final[Mapping[str, Operation]] = {
    "identify": Operation.IDENTIFY,
    "group": Operation.GROUP,
    "status": Operation.STATUS,
}
DEFAULT: Final[Mapping[str, object]] = {
    "id": "id", "kind": "kind", "name": "event", "time": "time", "email": "email", "user_id": "user_id",
    "anonymous_id": "anonymous_id", "phone": "phone", "full_name": "name", "first_name": "first_name",
    "last_name": "last_name", "title": "title", "company": "company", "country": "country", "url": "url",
    "referrer": "referrer", "traffic_source": "utm_source", "medium": "utm_medium", "campaign": "utm_campaign",
    "text": "message",
}  # fmt: skip
"""What is read while a source has no table of its own: fields by plain names."""


class BadMapping(ValueError):
    """One row of a table cannot be used: `field` and `reason`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


@dataclass(frozen=True, slots=True)
class Row:
    """Where one field comes from: a path, with a table of values over it, or a constant."""

    path: JsonPath | None = None
    value: str | None = None
    table: Mapping[str, str] | None = None
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A whole mapping, read: rows by field, and where the events are."""

    rows: Mapping[str, Row]
    each: JsonPath | None = None


def read_mapping(said: Mapping[str, object]) -> Table:
    """The table as it is used; an empty one is DEFAULT. Raises BadMapping for the first row that is wrong."""
    if len(said) > ROWS_MAX:
        raise BadMapping(next(iter(said)), f"a mapping has at most {ROWS_MAX} rows")
    rows = {field: _row(field, value) for field, value in (said or DEFAULT).items()}
    each = rows.pop(EACH, None)
    if each is not None and each.path is None:
        raise BadMapping(EACH, "must be a path")
    return Table(rows, None if each is None else each.path)


def events_of(body: object, table: Table) -> Sequence[object]:
    """The events of a body: what `each` names, else the elements of a list, else the body itself."""
    if table.each is not None:
        found = find(table.each, body)
        return found[0] if len(found) == 1 and isinstance(found[0], list) else found
    return body if isinstance(body, list) else [body]


def observed(
    event: object, table: Table, *, zone: str | None, raw: bytes, index: int = 0, fallback_id: str | None = None
) -> Observation:
    """What one event says. raw: its bytes, or any that change with it; fallback_id where the table names none."""
    said = {field: text for field, row in table.rows.items() if (text := _said(row, event)) is not None}
    kind = said.get("kind")
    operation = _OPERATIONS.get(kind or "", Operation.ACTIVITY)
    traits = profile_of({**said, "name": said.get("full_name")})
    return Observation(
        operation=operation,
        event_id=said.get("id") or fallback_id,
        kind=kind if kind in CHANNELS else None,
        name=said.get("name") or kind,
        person=_person(said),
        timestamp=_moment(_first(table.rows.get("time"), event), zone),
        direction="sales" if said.get("direction") == "sales" else "marketing",
        traits=traits,
        company=_company(said),
        touch=_touch(said),
        texts=Texts(
            recipient=said.get("recipient"),
            subject=said.get("subject"),
            text=said.get("text"),
            answers=_named(said, "answers"),
        ),
        consents=consents_of(said, is_own_act=False),
        properties=_named(said, "properties"),
        index=index,
        fingerprint=fingerprint_of(raw),
    )


def _row(field: str, value: object) -> Row:
    """One row. Raises BadMapping."""
    if field != EACH and field not in FIELDS and not _NAMED.fullmatch(field):
        raise BadMapping(field, f"is no field of ours; use {', '.join(FIELDS)}, properties.<name> or answers.<name>")
    if isinstance(value, str):
        return Row(path=_path(field, value))
    if not isinstance(value, dict):
        raise BadMapping(field, "must be a path or an object with value, or path and table")
    unknown = value.keys() - {"path", "value", "table", "default"}
    if unknown or ("value" in value) == ("path" in value):
        raise BadMapping(field, "must have either value, or path with an optional table and default")
    if "value" in value:
        constant = text_of(value["value"])
        if constant is None or len(value) != 1:
            raise BadMapping(field, "value must be a text, alone")
        return Row(value=_checked(field, constant))
    table, default = value.get("table"), value.get("default")
    if table is not None and not isinstance(table, dict):
        raise BadMapping(field, "table must be an object: theirs to ours")
    if len(mapping_of(table)) > VALUES_MAX:
        raise BadMapping(field, f"table has at most {VALUES_MAX} values")
    if default is not None and text_of(default) is None:
        raise BadMapping(field, "default must be a text")
    return Row(
        path=_path(field, value["path"]),
        table=None if table is None else {str(key): _checked(field, text_of(one)) for key, one in table.items()},
        default=None if default is None else _checked(field, text_of(default)),
    )


def _path(field: str, value: object) -> JsonPath:
    if not isinstance(value, str):
        raise BadMapping(field, "path must be a text")
    try:
        return read_path(value)
    except BadPath as error:
        raise BadMapping(field, str(error)) from error


def _checked(field: str, text: str | None) -> str:
    """A value of ours: a text; of `kind` one of the closed set or an operation. Raises BadMapping."""
    if text is None:
        raise BadMapping(field, "values must be texts")
    if field == "kind" and text not in CHANNELS and text not in _OPERATIONS:
        raise BadMapping(field, f"{text} is no kind of ours: {', '.join((*CHANNELS, *_OPERATIONS))}")
    return text


def _said(row: Row, event: object) -> str | None:
    """The text of a row: its constant, or what its path finds, several joined, each through the table."""
    if row.path is None:
        return row.value
    found = [text for one in find(row.path, event) if (text := _text(one)) is not None]
    if row.table is not None:
        found = [ours for text in found if (ours := row.table.get(text, row.default)) is not None]
    return ", ".join(dict.fromkeys(found)) or row.default


def _first(row: Row | None, event: object) -> object:
    """The raw value of a row, for what is no text: a time in numbers."""
    if row is None or row.path is None:
        return None if row is None else row.value
    return next(iter(find(row.path, event)), None)


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, float) else text_of(value)


def _moment(value: object, zone: str | None) -> datetime | None:
    """ISO 8601, or seconds, milliseconds or microseconds since 1970, told apart by their size."""
    number = number_of(value)
    if number is None:
        return zoned_moment(value, zone)
    if number < _SECONDS_MAX:
        return exact_moment(value)
    return unix_millis_moment(number if number < _MILLIS_MAX else number // 1000)


def _person(said: Mapping[str, str]) -> Person:
    system, own = said.get("external_system"), said.get("external_id")
    return Person(
        anonymous_id=said.get("anonymous_id"),
        user_id=said.get("user_id"),
        email=said.get("email"),
        phone=said.get("phone"),
        external=(system, own) if system and own else None,
    )


def _company(said: Mapping[str, str]) -> Company:
    about = {"name": said.get("company"), **{name: said.get(name) for name in ("domain", "industry", "employees")}}
    kept: dict[str, object] = {name: value for name, value in about.items() if value}
    return company_of({"company": kept})


def _touch(said: Mapping[str, str]) -> Touch:
    return Touch(
        url=said.get("url"),
        referrer=said.get("referrer"),
        traffic_source=said.get("traffic_source"),
        medium=said.get("medium"),
        campaign=said.get("campaign"),
        asset=said.get("asset"),
        link=said.get("link"),
        message=said.get("message"),
        user_agent=said.get("user_agent"),
        duration_seconds=number_of(said.get("duration_seconds")),
    )


def _named(said: Mapping[str, str], group: str) -> dict[str, object]:
    start = f"{group}."
    return {field.removeprefix(start): text for field, text in said.items() if field.startswith(start)}
