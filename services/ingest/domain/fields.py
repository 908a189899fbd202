"""Reads single fields of a sender's JSON or CSV: texts, times, numbers, objects, and the profile and company in them.

Total functions: what has another form than expected counts as absent, since one odd field must not cost an event.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, cast
from zoneinfo import ZoneInfo

from services.ingest.domain.observation import Company, ConsentClaim

__all__ = [
    "company_of",
    "consents_of",
    "exact_moment",
    "fingerprint_of",
    "flag_of",
    "mapping_of",
    "moment_of",
    "number_of",
    "profile_of",
    "text_of",
    "unix_millis_moment",
    "unix_moment",
    "zoned_moment",
]

_NO_COMPANY: Final = Company()
_EMPTY: Final[Mapping[str, object]] = {}
_UNIX_MAX: Final = 4_102_444_800  # the year 2100; a greater number is no time in seconds
_PROFILE_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("email", "Email"),
    "phone": ("phone", "phone_number", "mobile"),
    "title": ("title", "job_title", "jobTitle", "position"),
    "department": ("department",),
    "language": ("language", "locale"),
    "time_zone": ("time_zone", "timezone"),
    "note": ("note", "notes"),
}
_PURPOSES: Final = ("profiling", "contact")
_CONSENTS: Final = frozenset({"granted", "unknown", "withdrawn"})


def text_of(value: object) -> str | None:
    """A text without outer spaces; whole numbers count as texts (ids are often sent so); "" is absent."""
    if value is None:  # most of what is looked for is not there
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def mapping_of(value: object) -> Mapping[str, object]:
    """An object, or an empty one."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else _EMPTY


def number_of(value: object) -> int | None:
    """A whole number, also as text; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value)
    text = text_of(value)
    return int(text) if text and text.isascii() and text.removeprefix("-").isdigit() and len(text) < 16 else None


def flag_of(value: object) -> bool | None:
    """A truth value, also as text or 0 and 1."""
    if isinstance(value, bool):
        return value
    text = (text_of(value) or "").lower()
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text)


def moment_of(value: object) -> datetime | None:
    """An ISO 8601 time; one without zone is UTC. None for numbers, other texts and other forms."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def unix_moment(value: object) -> datetime | None:
    """A time in seconds since 1970, as number or text."""
    seconds = number_of(value)
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None and 0 < seconds < _UNIX_MAX else None


def exact_moment(value: object) -> datetime | None:
    """A time in seconds since 1970 with its fraction, as number or text."""
    if not isinstance(value, float):
        return unix_moment(value)
    return datetime.fromtimestamp(value, UTC) if 0 < value < _UNIX_MAX else None


def unix_millis_moment(value: object) -> datetime | None:
    """A time in milliseconds since 1970, as number or text."""
    millis = number_of(value)
    if millis is None or not 0 < millis < _UNIX_MAX * 1000:
        return None
    return datetime.fromtimestamp(millis // 1000, UTC) + timedelta(milliseconds=millis % 1000)


def zoned_moment(value: object, zone: str | None) -> datetime | None:
    """An ISO 8601 time; one without zone is read in this one (IANA name; None or unknown: UTC)."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment.replace(tzinfo=_zone(zone)) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def fingerprint_of(raw: bytes) -> int:
    """A 63-bit hash of an event's bytes."""
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "big") >> 1


def profile_of(traits: Mapping[str, object]) -> dict[str, str]:
    """The profile fields among a sender's traits, by our names."""
    if not traits:
        return {}
    company = mapping_of(traits.get("company"))
    first, last = _any(traits, "firstName", "first_name"), _any(traits, "lastName", "last_name")
    found = {field: _any(traits, *names) for field, names in _PROFILE_NAMES.items()}
    found["name"] = _any(traits, "name") or " ".join(part for part in (first, last) if part)
    found["company"] = _any(traits, "company") or _any(company, "name")
    found["country"] = _any(traits, "country") or _any(mapping_of(traits.get("address")), "country")
    return {field: value for field, value in found.items() if value}


def company_of(traits: Mapping[str, object], *, group_id: str | None = None) -> Company:
    """What traits say of the organisation: of a person's (`company`), or of a group's own when group_id is given."""
    if not traits and not group_id:
        return _NO_COMPANY
    inner = traits if group_id else mapping_of(traits.get("company"))
    external = ("group", group_id) if group_id else None
    system, id_there = _any(inner, "external_system"), _any(inner, "external_id")
    if system and id_there:
        external = (system, id_there)
    targets = (flag_of(one.get(key)) for one in (inner, traits) for key in ("is_target", "is_target_industry"))
    heads = (number_of(one.get(key)) for one in (inner, traits) for key in ("employees", "employee_count"))
    return Company(
        name=_any(inner, "name") or (None if group_id else _any(traits, "company")),
        domain=_any(inner, "domain", "website"),
        external=external,
        industry=_any(inner, "industry") or _any(traits, "industry"),
        employees=next((number for number in heads if number is not None), None),
        country=_any(inner, "country"),
        is_target=next((flag for flag in targets if flag is not None), None),
    )


def consents_of(traits: Mapping[str, object], *, is_own_act: bool) -> tuple[ConsentClaim, ...]:
    """The consent a sender states: `consent`, with `consent_purpose`, `consent_at` and `consent_wording` beside it."""
    consent = (text_of(traits.get("consent")) or "").lower()
    if consent not in _CONSENTS:
        return ()
    purpose = (text_of(traits.get("consent_purpose")) or "").lower()
    return tuple(
        ConsentClaim(
            purpose=one,
            consent=consent,
            is_own_act=is_own_act,
            wording=text_of(traits.get("consent_wording")),
            at=moment_of(traits.get("consent_at")),
        )
        for one in ((purpose,) if purpose in {*_PURPOSES, "sharing"} else _PURPOSES)
    )


@lru_cache(maxsize=64)  # sources name few zones, and each is read from a file
def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):  # an unknown name, a malformed one, or a folder of zones
        return ZoneInfo("UTC")


def _any(traits: Mapping[str, object], *names: str) -> str | None:
    """The first of these fields that holds a text."""
    return next((text for name in names if (text := text_of(traits.get(name)))), None)
