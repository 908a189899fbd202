"""Amazon SES events and notifications, delivered by Amazon SNS.

Source: the public documentation of Amazon SES (event data, notification contents) and Amazon SNS (verifying signatures:
RSA over the canonical fields, SHA-1 in version 1 and SHA-256 in version 2, certificate from the SNS host of the
region). The source's secret is the ARN of the topic; another topic is refused. SNS sends a notice again with the time
it had first, so its time is no proof of freshness; its message id, which is signed, makes it count once. A notice that
names several recipients is one activity each. A mail that SES received is an answer, with its text when the receipt
rule's SNS action publishes the content.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import orjson

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import mapping_of, moment_of, text_of
from services.ingest.domain.mail import MailEvent, first_text, mail_address, mail_observation
from services.ingest.domain.mime import mail_of
from services.ingest.domain.observation import Observation, Parsed
from services.ingest.domain.reply import reply_observation
from services.ingest.domain.source import SourceSettings
from shared.errors import AppError, Unreadable
from shared.senders import Digest, InboundRequest, Proof, Reply, decoded_base64, is_rsa_signed, is_same

SENDER: str = "ses"
TITLE: str = "Amazon SES"
SETUP: tuple[str, ...] = (
    "In AWS: create an SNS topic (Standard) and give Baton its ARN as secret.",
    "Create an HTTPS subscription of it to {url}, without raw message delivery; Baton confirms it by itself.",
    "In SES: publish the events of your configuration set to that topic.",
    "For answers: add an SNS action with that topic to the receipt rule of the address your mails carry as Reply-To.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "Send": "email_sent",
    "Delivery": "email_delivered",
    "Open": "email_open",
    "Click": "email_click",
    "Complaint": "email_spam",
    "Bounce": "email_bounce",
    "Received": "email_replied",
}
STATUSES: tuple[str, ...] = ("Reject", "Rendering Failure", "DeliveryDelay")
CONFIRMATION: Final = "SubscriptionConfirmation"
_NOTIFICATION: Final = "Notification"
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    _NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
"""What SNS signs of each type of message, in this order; an absent Subject is left out."""
_DIGESTS: Final[Mapping[str, Digest]] = {"1": "sha1", "2": "sha256"}
_HOST: Final = r"https://sns\.[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE: Final = re.compile(_HOST + r"/SimpleNotificationService-[0-9a-zA-Z]{1,64}\.pem", re.ASCII)
_SUBSCRIBE: Final = re.compile(_HOST + r"/\?[\x21-\x7e]{1,2000}", re.ASCII)
_RECIPIENTS: Final[Mapping[str, tuple[str, str]]] = {
    "Bounce": ("bounce", "bouncedRecipients"),
    "Complaint": ("complaint", "complainedRecipients"),
    "Delivery": ("delivery", "recipients"),
    "DeliveryDelay": ("deliveryDelay", "delayedRecipients"),
}
_RECEIVED: Final = "Received"
_RECIPIENTS_MAX: Final = 100  # SES allows 50 in one mail


hint = quiet.hint
handshake = quiet.handshake


def certificate_url(request: InboundRequest, secrets: Sequence[str]) -> str | None:
    """Where the certificate lies that must prove this request; None for another topic or any other host."""
    envelope = _envelope_or_nothing(request)
    topic, url = text_of(envelope.get("TopicArn")) or "", text_of(envelope.get("SigningCertURL")) or ""
    is_expected = any(is_same(topic, secret) for secret in secrets)
    return url if is_expected and _CERTIFICATE.fullmatch(url) else None


def confirmation_url(request: InboundRequest) -> str | None:
    """What to GET to confirm a proven subscription: only on the SNS host; None for other messages."""
    envelope = _envelope_or_nothing(request)
    url = text_of(envelope.get("SubscribeURL")) or ""
    return url if envelope.get("Type") == CONFIRMATION and _SUBSCRIBE.fullmatch(url) else None


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - its time is that of the event
    """RSA over the canonical fields; `secret` is the topic's ARN, to which the door adds a line break and the PEM."""
    topic, _, certificate = secret.partition("\n")
    envelope = _envelope_or_nothing(request)
    version = envelope.get("SignatureVersion")
    digest = _DIGESTS.get(version) if isinstance(version, str) else None
    names = _FIELDS.get(text_of(envelope.get("Type")) or "", ())
    if digest is None or not names or not is_same(text_of(envelope.get("TopicArn")) or "", topic):
        return False
    said = {name: envelope[name] for name in names if envelope.get(name) is not None}
    texts = {name: value for name, value in said.items() if isinstance(value, str)}
    signature = envelope.get("Signature")
    if len(texts) != len(said) or not {*names} - {"Subject"} <= texts.keys() or not isinstance(signature, str):
        return False
    signed = "".join(f"{name}\n{value}\n" for name, value in texts.items())
    return is_rsa_signed(signed.encode(errors="replace"), signature, certificate=certificate, digest=digest)


def outline(request: InboundRequest) -> Outline:
    """One event for each recipient; none for what is no notice of SES."""
    return Outline(len(parse(request, SourceSettings()).observations))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One observation per recipient."""
    envelope = _envelope(request)
    try:
        message = bodies.read_event((text_of(envelope.get("Message")) or "").encode(errors="replace"))
    except Unreadable:  # a plain sentence, as SNS sends to try a topic
        return Parsed(())
    name = first_text(message.get("eventType"), message.get("notificationType"))
    if envelope.get("Type") != _NOTIFICATION or name is None:
        return Parsed(())
    if name == _RECEIVED:
        return Parsed((_answer(message, envelope),))
    return Parsed(tuple(_observations(envelope, message, name)))


def _envelope(request: InboundRequest) -> Mapping[str, object]:
    return bodies.read_event(bodies.utf8(request.body))


def _envelope_or_nothing(request: InboundRequest) -> Mapping[str, object]:
    try:
        return _envelope(request)
    except AppError:
        return {}


def _observations(envelope: Mapping[str, object], message: Mapping[str, object], name: str) -> Iterator[Observation]:
    mail = mapping_of(message.get("mail"))
    said = mapping_of(message.get(_detail_name(name)))
    raw = orjson.dumps(message, option=orjson.OPT_SORT_KEYS)
    for index, (address, reason) in enumerate(_recipients(name, said, mail)):
        event = MailEvent(
            name=name,
            kind=KINDS.get(name),
            is_status=name in STATUSES,
            event_id=f"{text_of(envelope.get('MessageId'))}\x1f{address or ''}",
            recipient=address,
            timestamp=moment_of(envelope.get("Timestamp")),
            message=text_of(mail.get("messageId")),
            subject=text_of(mapping_of(mail.get("commonHeaders")).get("subject")),
            link=text_of(said.get("link")),
            user_agent=text_of(said.get("userAgent")),
            reason=first_text(
                reason,
                said.get("complaintFeedbackType"),
                said.get("reason"),
                said.get("errorMessage"),
                said.get("smtpResponse"),
            ),
            is_hard=text_of(said.get("bounceType")) == "Permanent",
            metadata=_tags(mapping_of(mail.get("tags"))),
        )
        yield mail_observation(event, raw=raw, index=index)


def _answer(message: Mapping[str, object], envelope: Mapping[str, object]) -> Observation:
    """A mail that came in; what the notice says of its headers counts where the content was not sent along."""
    mail, action = mapping_of(message.get("mail")), mapping_of(mapping_of(message.get("receipt")).get("action"))
    content = text_of(message.get("content")) or ""
    raw = decoded_base64(content) if action.get("encoding") == "BASE64" else content.encode(errors="replace")
    read, common = mail_of(raw or b""), mapping_of(mail.get("commonHeaders"))
    rows = mail.get("headers")
    listed = [mapping_of(one) for one in rows] if isinstance(rows, list) else []
    told = {name.lower(): value for one in listed if (name := text_of(one.get("name"))) and (value := one.get("value"))}
    headers: dict[str, object] = {"message-id": common.get("messageId"), **told, **read.headers}
    destination = mail.get("destination")
    return reply_observation(
        headers,
        name=_RECEIVED,
        from_address=first_text(headers.get("from"), mail.get("source")),
        to_address=destination[0] if isinstance(destination, list) and destination else None,
        subject=first_text(headers.get("subject"), common.get("subject")),
        text=read.text,
        timestamp=moment_of(mail.get("timestamp")),
        raw=(text_of(envelope.get("MessageId")) or "").encode(errors="replace"),
    )


def _detail_name(name: str) -> str:
    """Where a message says more of its event: `Bounce` under `bounce`, `Rendering Failure` under `failure`."""
    return "failure" if name == "Rendering Failure" else name[:1].lower() + name[1:]


def _recipients(
    name: str, said: Mapping[str, object], mail: Mapping[str, object]
) -> list[tuple[str | None, str | None]]:
    """(address, diagnosis) of everybody it is about; of opens and the like everybody the mail went to."""
    listed = said.get(_RECIPIENTS[name][1]) if name in _RECIPIENTS else None
    everybody = listed if isinstance(listed, list) and listed else mail.get("destination")
    found: list[tuple[str | None, str | None]] = []
    for one in everybody[:_RECIPIENTS_MAX] if isinstance(everybody, list) else []:
        about = mapping_of(one)
        found.append((mail_address(about.get("emailAddress") or one), text_of(about.get("diagnosticCode"))))
    return list(dict.fromkeys(found)) or [(None, None)]


def _tags(tags: Mapping[str, object]) -> dict[str, object]:
    """The sender's own tags, those of SES itself left out; each with its first value."""
    return {
        name: values[0]
        for name, values in tags.items()
        if not name.startswith("ses:") and isinstance(values, list) and values
    }
