"""Decides how identifiers of a person are recognised in a body that nobody could read.

Such a body is octets: what looks like an identifier of the person, alone between other characters, is taken for it, in
any case of letters, plain or as in a web address. Too short a one would be found in bodies of everybody. Invariant: a
trace is found in text that PostgreSQL made of octets with encode(…, 'escape') and lower().
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from services.ingest.domain.keys import Key, KeyKind

__all__ = ["Trace", "traces_of"]

_CHARACTERS_MIN: Final = 6
_SEARCHED: Final = frozenset({KeyKind.EMAIL, KeyKind.USER, KeyKind.PHONE, KeyKind.ANONYMOUS})
# What may stand before: no letter or digit, unless it ends an escape of addresses, of JSON or of octets.
_BEFORE: Final = r"(^|[^a-z0-9]|%[0-9a-f]{2}|\\[bfnrt]|\\u[0-9a-f]{4}|\\[0-7]{3})"
_BEHIND: Final = r"($|[^a-z0-9])"


@dataclass(frozen=True, slots=True, order=True)
class Trace:
    """A text that is looked for first, and the pattern that then must match around it."""

    text: str
    pattern: str


def traces_of(keys: Iterable[Key]) -> tuple[Trace, ...]:
    """What to look for, of the kinds that name a person by themselves; ids of a CRM name a row there."""
    values = {
        key.value.lstrip("+") if key.kind is KeyKind.PHONE else key.value for key in keys if key.kind in _SEARCHED
    }
    spelled = {form for value in values if len(value) >= _CHARACTERS_MIN for form in (value, quote(value, safe=""))}
    texts = sorted({_as_escaped(form) for form in spelled})
    return tuple(Trace(one, f"{_BEFORE}{_literal(one)}{_BEHIND}") for one in texts)


def _as_escaped(text: str) -> str:
    """The text as the database writes its octets."""
    octets = text.encode(errors="replace")
    shown = "".join("\\\\" if one == 0x5C else chr(one) if 0 < one < 0x80 else f"\\{one:03o}" for one in octets)
    return shown.lower()


def _literal(text: str) -> str:
    """Matches just this text; every character is ASCII."""
    return re.sub(r"([^a-z0-9])", r"\\\1", text)
