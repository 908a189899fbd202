"""Mailchimp Marketing webhooks: forms with bracketed keys about the members of an audience.

Source: Mailchimp's public documentation of Marketing webhooks. Nothing is signed: the address is the secret, and
Mailchimp asks for it by GET before it saves it. Times have no zone; they are read in the source's.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain.fields import fingerprint_of, mapping_of, profile_of, text_of, zoned_moment
from services.ingest.domain.form_body import form_of
from services.ingest.domain.mail import first_text, id_of_parts
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Texts, Touch
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, shows_secret

SENDER: str = "mailchimp"
TITLE: str = "Mailchimp"
SETUP: tuple[str, ...] = (
    "In Mailchimp: Audience, Settings, Webhooks, Create New Webhook.",
    "Paste {url} as callback URL and choose the events.",
    "Set the time zone of your Mailchimp account on the source in Baton: its times come without one.",
)
PROOF: Proof = "address"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "subscribe": "email_subscribe",
    "unsubscribe": "email_unsubscribe",
    "unsubscribe abuse": "email_spam",
    "cleaned": "email_bounce",
    "profile": "identify",
    "upemail": "alias",
}
STATUSES: tuple[str, ...] = ("campaign",)
_OPERATIONS: Final = {"profile": Operation.IDENTIFY, "upemail": Operation.ALIAS, "campaign": Operation.STATUS}
_MERGES: Final[Mapping[str, str]] = {
    "FNAME": "first_name",
    "LNAME": "last_name",
    "PHONE": "phone",
    "COMPANY": "company",
    "TITLE": "title",
}


hint = quiet.hint


def handshake(request: InboundRequest, secrets: Sequence[str]) -> Reply | None:  # noqa: ARG001 - the protocol's form
    """200 for the GET by which Mailchimp tries an address."""
    return Reply() if request.method in {"GET", "HEAD"} else None


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """Basic credentials of the address (`https://user:password@…`), when the source has them as its secret."""
    return shows_secret(request.headers, secret)


def outline(request: InboundRequest) -> Outline:
    """One event."""
    _form(request)
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:
    """The observation of a delivery."""
    form = _form(request)
    data = mapping_of(form.get("data"))
    name, reason = text_of(form.get("type")) or "", text_of(data.get("reason"))
    if name == "unsubscribe" and reason == "abuse":
        name = "unsubscribe abuse"
    operation = _OPERATIONS.get(name, Operation.ACTIVITY)
    observation = Observation(
        operation=operation,
        event_id=id_of_parts(name, _subject_id(data), form.get("fired_at")),
        kind=KINDS.get(name) if operation is Operation.ACTIVITY else None,
        name=name,
        person=Person() if operation is Operation.STATUS else _person(name, data),
        timestamp=zoned_moment(form.get("fired_at"), settings.time_zone),
        traits=_traits(mapping_of(data.get("merges"))),
        touch=Touch(campaign=text_of(data.get("campaign_id")), is_hard=reason == "hard" if name == "cleaned" else None),
        texts=Texts(recipient=text_of(data.get("email")), subject=text_of(data.get("subject")), text=reason),
        properties={"list_id": list_id} if (list_id := text_of(data.get("list_id"))) else {},
        fingerprint=fingerprint_of(request.body),
    )
    return Parsed((observation,))


def _form(request: InboundRequest) -> Mapping[str, object]:
    """The form. Raises Unreadable for one without a type."""
    form = form_of(request.body, request.headers.get("content-type", ""))
    if text_of(form.get("type")) is None:
        raise Unreadable("The form names no type.", slug="unknown_type")
    return form


def _subject_id(data: Mapping[str, object]) -> str | None:
    """Whom or what it is about: the member, the campaign; one that was cleaned has only its address."""
    return first_text(data.get("id"), data.get("new_id"), data.get("email"), data.get("new_email"))


def _person(name: str, data: Mapping[str, object]) -> Person:
    if name != "upemail":
        return Person(email=first_text(data.get("email"), mapping_of(data.get("merges")).get("EMAIL")))
    before = text_of(data.get("old_email"))
    return Person(email=text_of(data.get("new_email")), also=(Person(email=before),) if before else ())


def _traits(merges: Mapping[str, object]) -> dict[str, str]:
    return profile_of({_MERGES[name]: value for name, value in merges.items() if name in _MERGES})
