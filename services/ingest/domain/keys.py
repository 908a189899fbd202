"""Decides which identifiers are keys of a person, and their one spelling.

Five kinds, strongest first: CRM id, e-mail, user id, phone, anonymous id. It must not know who owns a key. Invariant:
two spellings of one identifier give one key, and what could break out of a mail header or a log line is no key at all.
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple

import phonenumbers

from services.ingest.domain.observation import Person

__all__ = ["Key", "KeyKind", "email_of", "keys_of", "phone_of"]

ID_CHARACTERS_MAX: Final = 256  # longer ids are mistakes or attacks; they would also bloat the key index
_EMAIL_CHARACTERS_MAX: Final = 254  # RFC 5321
_EMAIL: Final = re.compile(
    r"[^\s@<>\"(),:;\\\[\]\x00-\x1f\x7f]+@[^\s@.<>\"(),:;\\\[\]\x00-\x1f\x7f]+(?:\.[^\s@.<>\"(),:;\\\[\]\x00-\x1f\x7f]+)*"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class KeyKind(StrEnum):
    """The kinds of keys; their order of strength is STRENGTH."""

    CRM = "crm"
    EMAIL = "email"
    USER = "user"
    PHONE = "phone"
    ANONYMOUS = "anonymous"


class Key(NamedTuple):
    """One identifier in its one spelling."""

    kind: KeyKind
    value: str


def keys_of(person: Person) -> tuple[Key, ...]:
    """The keys of a person, strongest first, each kind at most once; () when nothing usable was given.

    Those of further identifiers (`also`) follow behind, so of an alias a kind may come twice.
    """
    own = _own_keys(person)
    return tuple(dict.fromkeys((*own, *(key for one in person.also for key in keys_of(one))))) if person.also else own


def _own_keys(person: Person) -> tuple[Key, ...]:
    keys = []
    if person.external is not None and (system := _id(person.external[0])) and (external := _id(person.external[1])):
        keys.append(Key(KeyKind.CRM, f"{system.lower()}\x1f{external}"))
    email = email_of(person.email) or email_of(person.user_id)  # many sites use the address as user id
    if email:
        keys.append(Key(KeyKind.EMAIL, email))
    if (user_id := _id(person.user_id)) is not None:
        keys.append(Key(KeyKind.USER, user_id))
    if (phone := phone_of(person.phone)) is not None:
        keys.append(Key(KeyKind.PHONE, phone))
    if (anonymous_id := _id(person.anonymous_id)) is not None:
        keys.append(Key(KeyKind.ANONYMOUS, anonymous_id))
    return tuple(keys)


def email_of(text: str | None) -> str | None:
    """The address in lower case with its provider's dots kept; None for what is no single plain address."""
    if text is None:
        return None
    address = text.strip(" ").lower()
    if len(address) > _EMAIL_CHARACTERS_MAX or _EMAIL.fullmatch(address) is None:
        return None
    return address


def phone_of(text: str | None) -> str | None:
    """The number as E.164; None without a country code, since guessing one would join strangers."""
    if text is None or len(text) > ID_CHARACTERS_MAX:
        return None
    spoken = f"+{text.strip()[2:]}" if text.strip().startswith("00") else text
    try:
        number = phonenumbers.parse(spoken, None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _id(text: str | None) -> str | None:
    if text is None:
        return None
    stripped = text.strip(" ")
    if not stripped or len(stripped) > ID_CHARACTERS_MAX or _CONTROL.search(stripped):
        return None
    return stripped
