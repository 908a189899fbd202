"""Typeform webhooks: one filled-in form each.

Source: Typeform's public documentation of webhooks and their signature. Answers are read by the `ref` of their field,
whatever order they come in; the hidden fields of the form carry where the visitor came from.
"""

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import fingerprint_of, mapping_of, moment_of, text_of
from services.ingest.domain.forms import company_in, message_in, person_in, touch_in, traits_in
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Texts
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_base64_signed

SENDER: str = "typeform"
TITLE: str = "Typeform"
SETUP: tuple[str, ...] = (
    "In Typeform: the form, Connect, Webhooks, Add a webhook; paste {url}.",
    "Give the fields clear references (`email`, `phone`, `company`).",
    "Add utm_source, utm_medium and utm_campaign as hidden fields, so that the lead keeps where it came from.",
    "Edit the webhook, set a secret, and give Baton the same secret.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {"form_response": "form_submit"}
STATUSES: tuple[str, ...] = ("form_response_partial",)
_SIGNATURE: Final = "typeform-signature"
_START: Final = "sha256="
_BY_TYPE: Final[Mapping[str, str]] = {"email": "email", "phone_number": "phone"}
"""What a field's type alone says of its answer, when its reference says nothing."""


def hint(request: InboundRequest) -> str | None:
    """The address in the form."""
    try:
        return _person(mapping_of(_event(request).get("form_response"))).email
    except Unreadable:
        return None


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the scheme has no time
    """`sha256=` and the base64 HMAC-SHA256 of the body."""
    given = request.headers.get(_SIGNATURE, "")
    return given.startswith(_START) and is_base64_signed(request.body, given.removeprefix(_START), secret=secret)


def outline(request: InboundRequest) -> Outline:
    """One event."""
    _event(request)
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One form."""
    event = _event(request)
    name = text_of(event.get("event_type")) or ""
    filled = mapping_of(event.get("form_response"))
    kind = KINDS.get(name)
    answers, hidden = _answers(filled), mapping_of(filled.get("hidden"))
    said = {**hidden, **_by_type(filled), **answers}
    title = text_of(mapping_of(filled.get("definition")).get("title")) or text_of(filled.get("form_id"))
    found = Observation(
        operation=Operation.STATUS if kind is None else Operation.ACTIVITY,
        event_id=text_of(event.get("event_id")) or text_of(filled.get("token")),
        kind=kind,
        name=name or None,
        person=person_in(said),
        timestamp=moment_of(filled.get("submitted_at")),
        traits=traits_in(said),
        company=company_in(said),
        touch=touch_in(hidden, asset=title),
        texts=Texts(text=message_in(answers), answers=answers),
        properties=hidden,
        fingerprint=fingerprint_of(request.body),
    )
    return Parsed((found,))


def _event(request: InboundRequest) -> Mapping[str, object]:
    return bodies.read_event(bodies.utf8(request.body))


def _person(filled: Mapping[str, object]) -> Person:
    hidden = mapping_of(filled.get("hidden"))
    return person_in({**hidden, **_by_type(filled), **_answers(filled)})


def _answered(filled: Mapping[str, object]) -> list[Mapping[str, object]]:
    answers = filled.get("answers")
    return [mapping_of(one) for one in answers] if isinstance(answers, list) else []


def _answers(filled: Mapping[str, object]) -> dict[str, object]:
    """Answers by the reference of their field, else by its id."""
    found: dict[str, object] = {}
    for answer in _answered(filled):
        field = mapping_of(answer.get("field"))
        label = text_of(field.get("ref")) or text_of(field.get("id"))
        value = _value(answer)
        if label is not None and value is not None:
            found[label] = value
    return found


def _by_type(filled: Mapping[str, object]) -> dict[str, object]:
    """Addresses and numbers where only the type of the field says so."""
    found: dict[str, object] = {}
    for answer in _answered(filled):
        name = _BY_TYPE.get(str(answer.get("type")))
        if name is not None and (value := _value(answer)) is not None:
            found.setdefault(name, value)
    return found


def _value(answer: Mapping[str, object]) -> object:
    """What was answered: it lies under the name of its type, choices with their labels."""
    value = answer.get(str(answer.get("type")))
    if isinstance(value, dict):
        return value.get("label") or value.get("labels") or value.get("other") or value
    return value
