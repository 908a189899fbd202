"""Reads paths into JSON: `person.email`, `items[0].id`, `items[*].name`, `["odd name"].x`; nothing else, nothing slow.

A path is steps: a name (letters, digits, `_`, `-`, `$`, `@` and spaces; any other name in `["…"]`), a place `[0]` (from
the end: `[-1]`), or `[*]` for every element. Total: what is not there is not found. Bounds: PATH_MAX characters,
STEPS_MAX steps, FOUND_MAX values.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["BadPath", "JsonPath", "find", "read_path"]

PATH_MAX: Final = 512
STEPS_MAX: Final = 32  # no body is nested deeper
FOUND_MAX: Final = 1_000  # a path with several [*] multiplies; nobody maps more values into one field

_STEP: Final = re.compile(
    r"(?P<dot>\.?)(?P<name>[A-Za-z0-9_$@\- ]+)"
    r"|\[(?:(?P<every>\*)|(?P<place>-?[0-9]{1,6})|\"(?P<quoted>[^\"]{1,256})\")\]"
)

_ROOT: Final = re.compile(r"^\$(?:\.|(?=\[)|$)")

Step = str | int | None
"""A name, a place, or None for every element."""
JsonPath = tuple[Step, ...]


class BadPath(ValueError):
    """The text is no path; the message says where and why."""


def read_path(text: str) -> JsonPath:
    """The steps of a path. Raises BadPath. A path that is empty, or only `$`, is the whole value."""
    if len(text) > PATH_MAX:
        raise BadPath(f"a path has at most {PATH_MAX} characters")
    rest = _ROOT.sub("", text.strip())
    steps: list[Step] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if found is None:
            raise BadPath(f'cannot read on at {rest[at : at + 12]!r}: write names with dots, [0], [*] or ["name"]')
        if found["name"] is not None and bool(found["dot"]) == (at == 0):
            raise BadPath(f"write {'no dot at the start' if at == 0 else 'a dot before each name'}: {found['name']!r}")
        steps.append(_step_of(found))
        at = found.end()
    if len(steps) > STEPS_MAX:
        raise BadPath(f"a path has at most {STEPS_MAX} steps")
    return tuple(steps)


def find(path: JsonPath, value: object) -> Sequence[object]:
    """The values at a path, in their order, at most FOUND_MAX; [] when there is none."""
    found: list[object] = [value]
    for step in path:
        found = [inner for one in found for inner in _inside(one, step)][:FOUND_MAX]
    return found


def _step_of(found: re.Match[str]) -> Step:
    if found["every"] is not None:
        return None
    return int(found["place"]) if found["place"] is not None else found["quoted"] or found["name"].strip()


def _inside(value: object, step: Step) -> Iterable[object]:
    if isinstance(step, str):
        return (value[step],) if isinstance(value, dict) and step in value else ()
    if not isinstance(value, list):
        return ()
    if step is None:
        return value[:FOUND_MAX]
    return (value[step],) if -len(value) <= step < len(value) else ()
