"""Decides what a lead's profile says: the newest statement of each field, and the attributes derived from it.

The fields are personal and stay in the profile store; the attributes (title level, department, country …) are not and
travel. Invariant: the profile depends on the set of statements, not on their order: the newest counts, ties by the
text.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

__all__ = ["FIELDS", "FREE_MAIL", "Attributes", "Stated", "attributes", "domain_of", "mail_domain_kind", "newest"]

FIELDS: Final = (
    "name",
    "email",
    "phone",
    "title",
    "company",
    "country",
    "language",
    "time_zone",
    "department",
    "note",
)
"""The profile's fields; what a sender says beside them is no profile."""
_FIELD_CHARACTERS_MAX: Final = 2_000  # a field is a line, not a document

FREE_MAIL: Final = frozenset(
    {
        "gmail.com", "googlemail.com", "yahoo.com", "ymail.com", "hotmail.com", "hotmail.de", "outlook.com",
        "outlook.de", "live.com", "msn.com", "icloud.com", "me.com", "mac.com", "aol.com", "gmx.de", "gmx.net",
        "gmx.com", "gmx.at", "gmx.ch", "web.de", "t-online.de", "freenet.de", "mail.com", "mail.ru", "yandex.ru",
        "yandex.com", "proton.me", "protonmail.com", "zoho.com", "fastmail.com", "hey.com", "tutanota.com",
        "posteo.de", "mailbox.org", "qq.com", "163.com", "126.com", "orange.fr", "free.fr", "laposte.net",
        "libero.it", "seznam.cz", "wp.pl", "o2.pl", "bluewin.ch", "yahoo.co.uk", "yahoo.de", "yahoo.fr",
    }
)  # fmt: skip
_DISPOSABLE: Final = frozenset(
    {
        "mailinator.com", "guerrillamail.com", "10minutemail.com", "trashmail.com", "yopmail.com",
    }
)  # fmt: skip
_EDUCATION: Final = re.compile(r"(^|\.)(edu|ac)(\.[a-z]{2})?$")

# First match wins: a vice president is no president, a student assistant no assistant.
_LEVELS: Final = tuple(
    (level, re.compile(pattern))
    for level, pattern in (
        ("student", r"\b(student|intern|trainee|apprentice|praktikant|werkstudent|pupil)"),
        ("vp", r"\b(vice[ -]?president|s?vp|evp|avp)\b"),
        (
            "c_level",
            r"\b(c[efotmisrp]o|ciso|chief|founder|co-?founder|owner|president|managing director|geschäftsführer)",
        ),
        ("director", r"\b(director|head of|leiter|leitung|bereichsleiter)"),
        ("manager", r"\b(manager|team ?lead|supervisor|teamleiter)"),
    )
)
_DEPARTMENTS: Final = tuple(
    (department, re.compile(pattern))
    for department, pattern in (
        ("buying", r"\b(buy|buyer|buying|procure|purchas|sourcing|einkauf)"),
        ("marketing", r"\b(marketing|cmo|brand|growth|demand)"),
        ("sales", r"\b(sales|revenue|business development|vertrieb|cro)\b"),
        ("finance", r"\b(financ|cfo|account|controll|treasur)"),
        ("it", r"\b(it|cto|cio|ciso|software|engineer|developer|data|information|security|devops|technolog)"),
        ("operations", r"\b(operation|coo|logistic|supply|production)"),
        ("hr", r"\b(hr|human resources|people|talent|recruit|personal)"),
        ("legal", r"\b(legal|counsel|compliance|law)"),
    )
)
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")
_LANGUAGE: Final = re.compile(r"([A-Za-z]{2})(?:[-_].*)?")
_COUNTRY_NAMES: Final = {
    "germany": "DE", "deutschland": "DE", "austria": "AT", "österreich": "AT", "switzerland": "CH", "schweiz": "CH",
    "united states": "US", "usa": "US", "united kingdom": "GB", "uk": "GB", "france": "FR", "italy": "IT",
    "spain": "ES",
    "netherlands": "NL", "india": "IN", "canada": "CA", "australia": "AU", "japan": "JP", "brazil": "BR",
    "poland": "PL",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stated:
    """One field of a profile as stated at a time."""

    value: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is derived from a profile and not personal."""

    title_level: str | None = None
    department: str | None = None
    country: str | None = None
    language: str | None = None
    time_zone: str | None = None
    mail_domain_kind: str | None = None


def newest(known: Mapping[str, Stated], traits: Mapping[str, str], at: datetime) -> dict[str, Stated]:
    """The fields that change: of each the newest statement counts, the greater text on a tie. {} when none does."""
    changed = {}
    for name in FIELDS:
        value = traits.get(name, "").strip()[:_FIELD_CHARACTERS_MAX]
        former = known.get(name)
        if value and (former is None or (at, value) > (former.at, former.value)):
            changed[name] = Stated(value, at)
    return changed


def attributes(fields: Mapping[str, str]) -> Attributes:
    """The attributes of a profile's field values."""
    title = fields.get("title", "").lower()
    return Attributes(
        title_level=_first(_LEVELS, title) or ("other" if title else None),
        department=(fields.get("department") or "").lower()[:64] or _first(_DEPARTMENTS, title),
        country=_country(fields.get("country")),
        language=_language(fields.get("language")),
        time_zone=fields.get("time_zone"),
        mail_domain_kind=mail_domain_kind(domain_of(fields.get("email"))),
    )


def domain_of(email: str | None) -> str | None:
    """The domain of an address that is already in its one spelling."""
    return email.rpartition("@")[2] if email and "@" in email else None


def mail_domain_kind(domain: str | None) -> str | None:
    """free, disposable, education or company; None without a domain."""
    if domain is None:
        return None
    if domain in FREE_MAIL:
        return "free"
    if domain in _DISPOSABLE:
        return "disposable"
    return "education" if _EDUCATION.search(domain) else "company"


def _first(table: Iterable[tuple[str, re.Pattern[str]]], text: str) -> str | None:
    return next((name for name, pattern in table if text and pattern.search(text)), None)


def _country(text: str | None) -> str | None:
    if not text:
        return None
    if _COUNTRY.fullmatch(text.strip()):
        return text.strip().upper()
    return _COUNTRY_NAMES.get(text.strip().lower())


def _language(text: str | None) -> str | None:
    match = _LANGUAGE.fullmatch(text.strip()) if text else None
    return match.group(1).lower() if match else None
