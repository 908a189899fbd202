"""HubSpot webhooks of a private or public app: contacts made, changed, merged, and deleted for privacy.

Source: HubSpot's public documentation of webhooks and of request signatures. A version 3 signature decides alone: when
its header is there, an older one is not looked at. Deals, lifecycle stage and lead status make no activity here: the
connection of the CRM reads them itself. A privacy deletion erases the person in Baton, too.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import fingerprint_of, moment_of, profile_of, text_of, unix_millis_moment
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Refusal
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_base64_signed, is_fresh, is_same

SENDER: str = "hubspot"
TITLE: str = "HubSpot"
SETUP: tuple[str, ...] = (
    "In HubSpot: Development, your app, Webhooks; paste {url} as Target URL.",
    "Subscribe to contact creation, merge, privacy deletion and changes of email, phone, jobtitle, company, country.",
    "Give Baton the client secret of the app (Auth).",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "contact.creation": "identify",
    "contact.propertyChange": "identify",
    "contact.merge": "alias",
    "contact.privacyDeletion": "erase",
}
STATUSES: tuple[str, ...] = (
    "contact.deletion",
    "contact.restore",
    "contact.associationChange",
    "company.creation",
    "company.propertyChange",
    "deal.creation",
    "deal.propertyChange",
    "deal.deletion",
)
_V3, _V3_TIME = "x-hubspot-signature-v3", "x-hubspot-request-timestamp"
_OLD, _OLD_VERSION = "x-hubspot-signature", "x-hubspot-signature-version"
_DECODED: Final[Mapping[str, str]] = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$",
    "%27": "'", "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip
"""What the sender decodes in the address before it signs; every other escape stays."""
_ESCAPE: Final = re.compile("|".join(_DECODED))
_FIELDS: Final[Mapping[str, str]] = {
    "email": "email",
    "phone": "phone",
    "mobilephone": "phone",
    "jobtitle": "title",
    "company": "company",
    "country": "country",
    "hs_language": "language",
}
"""The sender's properties that are profile fields of ours; a part of a name alone would overwrite the whole."""
_READ_BY_THE_CONNECTION: Final = frozenset({"lifecyclestage", "hs_lead_status"})
_CONTACT_TYPE: Final = "0-1"
_MERGED_MAX: Final = 100


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:
    """Version 3: base64 HMAC-SHA256 of method, address, body, milliseconds; else 2 or 1: hex SHA-256."""
    headers, method = request.headers, request.method.encode()
    if _V3 in headers:
        timestamp = headers.get(_V3_TIME, "")
        address = _ESCAPE.sub(lambda found: _DECODED[found[0]], request.url).encode(errors="replace")
        signed = method + address + request.body + timestamp.encode(errors="replace")
        is_in_time = is_fresh(timestamp, now, per_second=1000)
        return is_base64_signed(signed, headers[_V3], secret=secret) and is_in_time
    prefixes = {"v1": b"", "v2": method + request.url.encode(errors="replace")}
    prefix = prefixes.get(headers.get(_OLD_VERSION, ""))
    if prefix is None or not secret:
        return False
    expected = hashlib.sha256(secret.encode(errors="replace") + prefix + request.body).hexdigest()
    return is_same(headers.get(_OLD, ""), expected)


def outline(request: InboundRequest) -> Outline:
    """Number of events in the array."""
    return Outline(len(bodies.split_array(bodies.utf8(request.body))))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One observation per event; one without a type or object is refused alone."""
    observations, refusals = [], []
    for index, raw in enumerate(bodies.split_array(bodies.utf8(request.body))):
        try:
            event = bodies.read_event(raw)
        except Unreadable as error:
            refusals.append(Refusal(index, error.problem, detail=error.detail))
            continue
        object_id = text_of(event.get("objectId")) or text_of(event.get("primaryObjectId"))
        if text_of(event.get("subscriptionType")) is None or object_id is None:
            refusals.append(Refusal(index, "unknown_type", detail="subscriptionType or objectId is missing."))
            continue
        observations.append(_observation(event, object_id, raw, index))
    return Parsed(tuple(observations), tuple(refusals))


def _observation(event: Mapping[str, object], object_id: str, raw: bytes, index: int) -> Observation:
    name = _name(event)
    operation = Operation(KINDS.get(name, "status"))
    changed = text_of(event.get("propertyName"))
    if changed in _READ_BY_THE_CONNECTION:
        operation = Operation.STATUS
    value = text_of(event.get("propertyValue"))
    field = _FIELDS.get(changed or "")
    traits = profile_of({field: value}) if field and value else {}
    is_identity = operation is not Operation.STATUS
    return Observation(
        operation=operation,
        event_id=_event_id(event, object_id),
        name=name,
        person=_person(event, object_id, traits) if is_identity else Person(),
        timestamp=unix_millis_moment(event.get("occurredAt")) or moment_of(event.get("occurredAt")),
        traits=traits if is_identity else {},
        index=index,
        fingerprint=_fingerprint(event, raw),
    )


def _name(event: Mapping[str, object]) -> str:
    """The type of event; the newer `object.*` types say the object beside it."""
    name = str(event["subscriptionType"])
    if name.startswith("object.") and text_of(event.get("objectTypeId")) == _CONTACT_TYPE:
        return f"contact.{name.removeprefix('object.')}"
    return name


def _event_id(event: Mapping[str, object], object_id: str) -> str | None:
    """portal, subscription, event, object and time: an event id alone is not unique there."""
    parts = [text_of(event.get(name)) for name in ("portalId", "subscriptionId", "eventId")]
    occurred = text_of(event.get("occurredAt"))
    if parts[2] is None or occurred is None:
        return None
    return "\x1f".join([*(part or "" for part in parts), object_id, occurred])


def _fingerprint(event: Mapping[str, object], raw: bytes) -> int:
    """Of the event without its number of attempts, which is all that a repeat changes."""
    if "attemptNumber" not in event:
        return fingerprint_of(raw)
    kept = sorted((name, repr(value)) for name, value in event.items() if name != "attemptNumber")
    return fingerprint_of(repr(kept).encode(errors="replace"))


def _person(event: Mapping[str, object], object_id: str, traits: Mapping[str, str]) -> Person:
    """The contact; of a merge also those that went into it."""
    merged = event.get("mergedObjectIds")
    others = [event.get("primaryObjectId"), event.get("newObjectId"), *(merged if isinstance(merged, list) else [])]
    ids = dict.fromkeys(text for one in others[:_MERGED_MAX] if (text := text_of(one)) and text != object_id)
    return Person(
        email=traits.get("email"),
        phone=traits.get("phone"),
        external=(SENDER, object_id),
        also=tuple(Person(external=(SENDER, one)) for one in ids),
    )
