"""Reads what people filled in, whatever a sender calls the fields: answers to a profile, campaign fields to a touch.

Labels are compared in lower-case words; what no table knows stays an answer. Total functions, as in `fields`.
"""

import re
from collections.abc import Mapping
from typing import Final

from services.ingest.domain.fields import company_of, mapping_of, profile_of, text_of
from services.ingest.domain.observation import Company, Person, Touch

__all__ = ["company_in", "message_in", "name_from", "person_in", "touch_in", "traits_in"]

_WORDS: Final = re.compile(r"[^0-9a-zäöüß]+")
_LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "email": (
        "email", "e mail", "work email", "business email", "company email", "email address", "user email",
        "your email", "work e mail", "e mail adresse",
    ),
    "phone": ("phone", "phone number", "user phone", "work phone", "mobile", "mobile phone", "telefon", "telephone"),
    "first_name": ("first name", "firstname", "given name", "vorname"),
    "last_name": ("last name", "lastname", "surname", "family name", "nachname"),
    "name": ("name", "full name", "your name", "fullname"),
    "company": ("company", "company name", "organization", "organisation", "org", "work company name", "firma"),
    "title": ("title", "job title", "jobtitle", "position", "role"),
    "department": ("department",),
    "industry": ("industry",),
    "country": ("country", "country code"),
    "employees": ("employees", "company size", "number of employees", "size"),
    "message": ("message", "comments", "comment", "your message", "nachricht", "how can we help"),
}  # fmt: skip
"""Our name of a field to the labels that mean it."""
_MEANT: Final[Mapping[str, str]] = {label: name for name, labels in _LABELS.items() for label in labels}
_CLICK_IDS: Final[Mapping[str, tuple[str, str]]] = {
    "gclid": ("google", "cpc"),
    "msclkid": ("bing", "cpc"),
    "fbclid": ("facebook", "cpc"),
    "li_fat_id": ("linkedin", "cpc"),
}


def person_in(answers: Mapping[str, object]) -> Person:
    """The identifiers among answers: e-mail and phone."""
    said = _meant(answers)
    return Person(email=said.get("email"), phone=said.get("phone"))


def traits_in(answers: Mapping[str, object]) -> dict[str, str]:
    """The profile fields among answers, by our names."""
    return profile_of(_meant(answers))


def company_in(answers: Mapping[str, object]) -> Company:
    """What answers say of the organisation."""
    said = _meant(answers)
    about: dict[str, object] = {name: said[name] for name in ("industry", "employees") if name in said}
    if not about and "company" not in said:
        return Company()
    inner: dict[str, object] = {"name": said.get("company"), **about}
    return company_of({"company": inner})


def message_in(answers: Mapping[str, object]) -> str | None:
    """The free text that a person wrote."""
    return _meant(answers).get("message")


def touch_in(fields: Mapping[str, object], *, url: str | None = None, asset: str | None = None) -> Touch:
    """The campaign fields (`utm_*`, click ids, referrer) of hidden fields or trackers; "" and null are absent."""
    said = {name.lower(): text for name, value in fields.items() if (text := text_of(value))}
    clicked = next((found for name, found in _CLICK_IDS.items() if name in said), (None, None))
    traffic_source = said.get("utm_source") or clicked[0]
    return Touch(
        url=url,
        referrer=said.get("referrer"),
        traffic_source=traffic_source,
        medium=said.get("utm_medium") or (clicked[1] if traffic_source == clicked[0] else None),
        campaign=said.get("utm_campaign"),
        asset=asset,
    )


def name_from(first: object, last: object) -> str | None:
    """A full name of its parts."""
    return " ".join(part for part in (text_of(first), text_of(last)) if part) or None


def _meant(answers: Mapping[str, object]) -> dict[str, str]:
    """Answers by our names; the first of several under one name counts, and lists of one say their one."""
    found: dict[str, str] = {}
    for label, value in answers.items():
        name = _MEANT.get(_WORDS.sub(" ", label.lower()).strip())
        single = value[0] if isinstance(value, list) and value else value
        text = text_of(single) or text_of(mapping_of(single).get("label"))
        if name is not None and text is not None:
            found.setdefault(name, text)
    return found
