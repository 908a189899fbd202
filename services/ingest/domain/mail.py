"""Makes observations of mail events, alike for all mail senders: what a sender says in its words, in ours.

Pure. Invariant: a kind of the sender that is in neither of its tables is kept under its name, as `custom`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parseaddr
from typing import Final

from services.ingest.domain import body as bodies
from services.ingest.domain.fields import fingerprint_of, text_of
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Refusal, Texts, Touch
from shared.errors import Unreadable

__all__ = [
    "MailEvent",
    "first_text",
    "id_of_parts",
    "mail_address",
    "mail_message",
    "mail_observation",
    "parsed_events",
    "raw_events",
    "tags_of",
]

_ADDRESS_CHARACTERS_MAX: Final = 1_000  # a name and an address; the address alone has at most 254
_COMMENTS_MAX: Final = 20  # the parser goes one level deeper for each


@dataclass(frozen=True, slots=True)
class MailEvent:
    """One event of a mail sender. `name` is the sender's own kind, as in its tables."""

    name: str
    kind: str | None
    is_status: bool = False
    event_id: str | None = None
    recipient: str | None = None
    timestamp: datetime | None = None
    message: str | None = None
    subject: str | None = None
    link: str | None = None
    user_agent: str | None = None
    reason: str | None = None
    is_hard: bool | None = None
    machine_reason: str | None = None
    campaign: str | None = None
    user_id: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)


def mail_observation(event: MailEvent, *, raw: bytes, index: int = 0) -> Observation:
    """The observation of one event; raw is the event as sent, index its place in the delivery."""
    operation = Operation.STATUS if event.is_status else Operation.ACTIVITY
    properties = {name: value for name, value in event.metadata.items() if isinstance(value, str | int | float | bool)}
    if event.tags:
        properties["tags"] = ", ".join(event.tags)
    return Observation(
        operation=operation,
        event_id=event.event_id,
        kind=None if event.is_status else event.kind,
        name=event.name,
        person=Person(email=event.recipient, user_id=event.user_id),
        timestamp=event.timestamp,
        touch=Touch(
            campaign=event.campaign,
            link=event.link,
            message=event.message,
            user_agent=event.user_agent,
            machine_reason=event.machine_reason,
            is_hard=event.is_hard if event.kind == "email_bounce" else None,
        ),
        texts=Texts(recipient=event.recipient, subject=event.subject, text=event.reason),
        properties=properties,
        index=index,
        fingerprint=fingerprint_of(raw),
    )


def raw_events(body: bytes, *, inside: str | None = None) -> tuple[bytes, ...]:
    """The raw events of a body that is one object or a list of them; with `inside`, of the list under that name.

    Raises Unreadable for anything else.
    """
    plain = bodies.utf8(body)
    if plain.lstrip()[:1] == b"[":
        return bodies.split_array(plain)
    if inside is not None:
        return bodies.split_under(plain, inside)
    bodies.read_event(plain)
    return (plain,)


def parsed_events(
    raws: Iterable[bytes], read: Callable[[Mapping[str, object], bytes, int], Sequence[Observation] | Refusal]
) -> Parsed:
    """Each event read alone: `read` gives its observations, or why it is refused; an unreadable one costs no other."""
    observations: list[Observation] = []
    refusals: list[Refusal] = []
    for index, raw in enumerate(raws):
        try:
            found = read(bodies.read_event(raw), raw, index)
        except Unreadable as error:
            refusals.append(Refusal(index, error.problem, detail=error.detail))
            continue
        if isinstance(found, Refusal):
            refusals.append(found)
        else:
            observations.extend(found)
    return Parsed(tuple(observations), tuple(refusals))


def id_of_parts(*parts: object) -> str | None:
    """An id of several fields, in a form that no other fields give; None when none of them is there."""
    texts = [text_of(part) or "" for part in parts]
    return "\x1f".join(texts) if any(texts) else None


def first_text(*values: object) -> str | None:
    """The first of these that is a text."""
    return next((text for value in values if (text := text_of(value)) is not None), None)


def mail_message(value: object) -> str | None:
    """A Message-ID without its angle brackets: some events of one mail have them, others not."""
    text = text_of(value)
    return text.removeprefix("<").removesuffix(">") or None if text else None


def mail_address(value: object) -> str | None:
    """The address of `Name <address>`, or of a plain one; None for what is too long or too nested to be one."""
    text = text_of(value)
    if text is None or len(text) > _ADDRESS_CHARACTERS_MAX or text.count("(") > _COMMENTS_MAX:
        return None
    try:
        return parseaddr(text)[1] or text
    except RecursionError:  # the parser goes one level deeper for each group too
        return None


def tags_of(value: object) -> tuple[str, ...]:
    """Tags given as a list, as one text, or as the JSON of a list inside a text."""
    text = text_of(value)
    if text is not None and text.startswith("["):
        try:
            value = bodies.read_json(text.encode(errors="replace"))
        except Unreadable:
            return (text,)
    elif text is not None:
        return (text,)
    return tuple(tag for one in value if (tag := text_of(one))) if isinstance(value, list) else ()
