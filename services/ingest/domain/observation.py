"""What an adapter says it saw, in our words and before any rule of ours: the one value all senders are turned into.

It knows neither sources nor leads. Invariant: nothing here was decided; absent means the sender did not say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

__all__ = [
    "Company",
    "ConsentClaim",
    "Fetch",
    "Observation",
    "Operation",
    "Parsed",
    "Person",
    "Refusal",
    "Texts",
    "Touch",
]


class Operation(StrEnum):
    """What an observation asks for: an activity, an identity operation, consent alone, or only to be kept (status).

    `fetch` asks the sender for what it only named; `erase` asks that the person be erased.
    """

    ACTIVITY = "activity"
    IDENTIFY = "identify"
    GROUP = "group"
    ALIAS = "alias"
    CONSENT = "consent"
    STATUS = "status"
    FETCH = "fetch"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Person:
    """The identifiers a sender gave for one person, as given; `external` is (system, id).

    `also` are further ones of the same person: old ids and addresses of an alias.
    """

    anonymous_id: str | None = None
    user_id: str | None = None
    email: str | None = None
    phone: str | None = None
    external: tuple[str, str] | None = None
    also: tuple["Person", ...] = ()


@dataclass(frozen=True, slots=True)
class Company:
    """What a sender says of the organisation; `external` is (system, id)."""

    name: str | None = None
    domain: str | None = None
    external: tuple[str, str] | None = None
    industry: str | None = None
    employees: int | None = None
    country: str | None = None
    is_target: bool | None = None


@dataclass(frozen=True, slots=True)
class ConsentClaim:
    """A statement about one purpose: granted, unknown or withdrawn; `is_own_act` when the person did it himself."""

    purpose: str
    consent: str
    is_own_act: bool
    wording: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Touch:
    """Where an activity came from and what it was about: the page, the campaign, the mail, the asset."""

    url: str | None = None
    referrer: str | None = None
    traffic_source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    asset: str | None = None
    link: str | None = None
    message: str | None = None
    user_agent: str | None = None
    machine_reason: str | None = None
    is_hard: bool | None = None
    duration_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """What people wrote or were shown: personal, kept in the profile store alone."""

    recipient: str | None = None
    subject: str | None = None
    text: str | None = None
    answers: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fetch:
    """What to ask a sender that sends ids only: a GET of this URL; `what` names the answer for the same adapter."""

    what: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


_NOBODY = Person()
_NO_COMPANY = Company()
_NO_TOUCH = Touch()
_NO_TEXTS = Texts()


@dataclass(frozen=True, slots=True)
class Observation:
    """One event of a sender.

    `event_id` is the sender's own id, or None (then one is derived, SENDERS 3.3). `kind` is set when the sender's event
    has one meaning; else `name` goes through the source's table. `traits` are profile fields by our names.
    """

    operation: Operation
    event_id: str | None = None
    kind: str | None = None
    name: str | None = None
    person: Person = _NOBODY
    timestamp: datetime | None = None
    sent_at: datetime | None = None
    direction: str = "marketing"
    actor_user_id: str | None = None
    traits: Mapping[str, str] = field(default_factory=dict)
    company: Company = _NO_COMPANY
    touch: Touch = _NO_TOUCH
    texts: Texts = _NO_TEXTS
    consents: tuple[ConsentClaim, ...] = ()
    properties: Mapping[str, object] = field(default_factory=dict)
    entry_channel: str | None = None
    fetch: Fetch | None = None
    index: int = 0
    """Place in the delivery, from 0; in an imported file the number of the record, from 1."""
    fingerprint: int = 0
    """Hash of the event as sent: tells a repeat from another event under the same id."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One event of a delivery that is not taken: its place, its id when it has a readable one, and a stable reason."""

    index: int
    reason: str
    event_id: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a delivery says: observations in the sender's order, and the events refused."""

    observations: tuple[Observation, ...]
    refusals: tuple[Refusal, ...] = ()
