"""Decides which column of an imported file is which field: as a person said, else guessed by its heading.

A person's word goes before every guess; a guess never takes a field that another column has by its own name. Columns
whose names begin with `baton_` are ours (a rejects file carries them) and are left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.errors import FieldError, Refused

__all__ = ["FIELDS", "OWN_PREFIX", "REJECTED", "Column", "Plan", "plan_of"]

OWN_PREFIX: Final = "baton_"
REJECTED: Final = f"{OWN_PREFIX}record"  # the column by which a file of rejects is known
_PERSON: Final = (
    "email", "user_id", "anonymous_id", "phone", "external_system", "external_id", "first_name", "last_name", "title",
    "department", "company", "country", "language", "time_zone", "note", "industry", "employees", "is_target",
    "entry_channel", "consent", "consent_purpose", "consent_at", "consent_wording", "id",
)  # fmt: skip
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "leads": (*_PERSON, "name"),
    "activities": (
        *_PERSON, "person_name", "kind", "occurred_at", "name", "url", "campaign", "traffic_source", "medium", "asset",
        "direction", "actor_user_id", "duration_seconds", "subject", "text",
    ),
}  # fmt: skip
"""What each kind of file may say of a record, by our names; other columns are kept with it as answers."""
_HEADINGS: Final[Mapping[str, str]] = {
    "email": "e_mail email_address e_mail_address mail work_email business_email e_mail_adresse email_adresse",
    "first_name": "firstname given_name forename vorname prénom",
    "last_name": "lastname surname family_name nachname",
    "name": "full_name fullname contact_name attendee attendee_name person",
    "phone": "phone_number telephone tel mobile mobile_phone telefon handy",
    "title": "job_title jobtitle position funktion",
    "department": "abteilung",
    "company": "company_name organisation organization account account_name employer firma unternehmen",
    "country": "country_region land",
    "language": "locale sprache",
    "note": "notes comment comments remark remarks call_notes notiz notizen bemerkung",
    "industry": "branche sector",
    "employees": "employee_count number_of_employees company_size headcount mitarbeiter",
    "consent": "opt_in consent_status gdpr_consent",
    "consent_at": "consent_date opt_in_date",
    "occurred_at": (
        "date timestamp datetime date_time event_date scanned_at scan_time scan_date call_date called_at attended_at "
        "activity_date datum zeitpunkt"
    ),
    "kind": "type activity activity_type event_type",
    "campaign": "campaign_name utm_campaign event event_name show kampagne",
    "traffic_source": "source utm_source lead_source",
    "medium": "utm_medium",
    "subject": "topic betreff",
    "url": "page page_url",
}
_GUESSES: Final[Mapping[str, str]] = {
    heading: known for known, headings in _HEADINGS.items() for heading in headings.split()
}
_OF_ACTIVITIES: Final[Mapping[str, str]] = {"name": "person_name", "note": "text"}
"""Where a heading of a person means another field beside an activity, which has a name and a text of its own."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, and the field it is read as ("" = left out); `is_known` fields have a meaning to us."""

    heading: str
    field: str
    is_guessed: bool = False
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file is read: column to field as a person said ("" = leave it out), and values for empty or absent ones."""

    kind: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)

    def columns(self, header: Sequence[str]) -> list[Column]:
        """What each column of a header is read as. Raises Refused for a mapping that does not fit the header."""
        unknown = next((name for name in self.mapping if name not in header), None)
        if unknown is not None:
            error = FieldError(f"/map/{unknown}", "unknown", f"the file has the columns {', '.join(header)}")
            raise Refused(f"There is no column {unknown} to map.", slug="header", errors=[error])
        taken = {*header} - {*self.mapping} | {*self.mapping.values()}
        found: list[Column] = []
        for name in header:
            one = self._column(name, taken)
            if one.is_guessed:
                taken.add(one.field)
            found.append(one)
        fields = [one.field for one in found if one.field]
        doubled = next((name for name in fields if fields.count(name) > 1), None)
        if doubled is not None:
            error = FieldError(f"/map/{doubled}", "doubled", "map one column to it, and the others to nothing")
            raise Refused(f"Two columns are read as {doubled}.", slug="header", errors=[error])
        return found

    def _column(self, heading: str, taken: set[str]) -> Column:
        known = FIELDS[self.kind]
        if heading in self.mapping:
            wanted = self.mapping[heading]
            return Column(heading, wanted, is_known=wanted in known)
        if heading.startswith(OWN_PREFIX):
            return Column(heading, "", is_known=False)
        if heading in known:
            return Column(heading, heading)
        guess = _GUESSES.get(re.sub(r"\W+", "_", heading).strip("_"), "")
        guess = _OF_ACTIVITIES.get(guess, guess) if self.kind == "activities" else guess
        if guess in known and guess not in taken:
            return Column(heading, guess, is_guessed=True)
        return Column(heading, heading, is_known=False)


def plan_of(kind: str, *, said: Sequence[str], fixed: Sequence[str]) -> Plan:
    """A plan from texts like `Heading=field` and `field=value`. Raises Refused for one of another form."""
    mapping = {column_name(heading): wanted.strip() for heading, wanted in _pairs(said, "map", "Heading=field")}
    for heading, wanted in mapping.items():
        if wanted and wanted not in FIELDS[kind]:
            error = FieldError(f"/map/{heading}", "unknown", f"one of: {', '.join(FIELDS[kind])}; or nothing")
            raise Refused(f"{wanted} is no field of {kind}.", slug="header", errors=[error])
    values = dict(_pairs(fixed, "set", "field=value"))
    strange = next((name for name in values if name not in FIELDS[kind]), None)
    if strange is not None:
        error = FieldError(f"/set/{strange}", "unknown", f"one of: {', '.join(FIELDS[kind])}")
        raise Refused(f"{strange} is no field of {kind}.", slug="header", errors=[error])
    return Plan(kind, mapping, values)


def column_name(cell: str) -> str:
    """One spelling of a heading: lower-case words joined by `_`."""
    return "_".join(cell.strip().lstrip("\ufeff").lower().replace("-", " ").split())


def _pairs(texts: Sequence[str], what: str, form: str) -> list[tuple[str, str]]:
    pairs = [(text, *text.partition("=")) for text in texts]
    for text, name, sign, _ in pairs:
        if not sign or not name.strip():
            raise Refused(f"{text!r} is not of the form {form}.", errors=[FieldError(f"/{what}", "form", form)])
    return [(name.strip(), value.strip()) for _, name, _, value in pairs]
