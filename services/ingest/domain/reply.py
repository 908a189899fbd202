"""Makes an observation of a mail that came in: somebody replied, or a machine did (SENDERS section 8).

Pure. The text is kept without what it quotes; an automatic answer is a machine's activity.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from services.ingest.domain.fields import fingerprint_of, text_of
from services.ingest.domain.mail import first_text, mail_address, mail_message
from services.ingest.domain.observation import Observation, Operation, Person, Texts, Touch

__all__ = ["is_automatic", "reply_observation", "unquoted"]

_QUOTE_STARTS: Final = re.compile(
    r"^(?:>|-{2,} ?(?:original message|forwarded message|ursprüngliche nachricht)|_{10,}|on .{1,300} wrote:|"
    r"am .{1,300} schrieb .{0,200}:|from: .{1,300}|von: .{1,300})",
    re.IGNORECASE,
)
_AUTOMATIC_SUBJECTS: Final = (
    "out of office",
    "automatic reply",
    "auto:",
    "autoreply",
    "automatische antwort",
    "abwesen",
)
_TEXT_CHARACTERS_MAX: Final = 20_000


def reply_observation(
    headers: Mapping[str, object],
    *,
    name: str,
    from_address: object,
    to_address: object,
    subject: object,
    text: object,
    timestamp: datetime | None,
    raw: bytes,
    index: int = 0,
) -> Observation:
    """What a mail says; header names in lower case.

    Its Message-ID is its id, In-Reply-To (else the last of References) the mail it answers.
    """
    own_id, references = mail_message(headers.get("message-id")), (text_of(headers.get("references")) or "").split()
    answered = mail_message(headers.get("in-reply-to")) or mail_message(references[-1] if references else None)
    said = text_of(text)
    return Observation(
        operation=Operation.ACTIVITY,
        event_id=own_id,
        kind="email_replied",
        name=name,
        person=Person(email=mail_address(from_address)),
        timestamp=timestamp,
        touch=Touch(
            message=answered or own_id,
            machine_reason="auto_reply" if is_automatic(headers, subject) else None,
        ),
        texts=Texts(
            recipient=mail_address(to_address), subject=text_of(subject), text=unquoted(said) if said else None
        ),
        index=index,
        fingerprint=fingerprint_of(raw),
    )


def is_automatic(headers: Mapping[str, object], subject: object) -> bool:
    """Whether software wrote it: RFC 3834's Auto-Submitted, the older headers beside it, or the usual subjects."""
    submitted = (text_of(headers.get("auto-submitted")) or "no").lower()
    precedence = (text_of(headers.get("precedence")) or "").lower()
    other = first_text(
        headers.get("x-autoreply"), headers.get("x-autorespond"), headers.get("x-auto-response-suppress")
    )
    lowered = (text_of(subject) or "").lower()
    return (
        not submitted.startswith("no")
        or precedence in {"auto_reply", "bulk", "junk"}
        or other is not None
        or lowered.startswith(_AUTOMATIC_SUBJECTS)
    )


def unquoted(text: str) -> str | None:
    """The text down to what it quotes; None when nothing is left."""
    lines = []
    for line in text[:_TEXT_CHARACTERS_MAX].splitlines():
        if _QUOTE_STARTS.match(line.strip()):
            break
        lines.append(line)
    return "\n".join(lines).strip() or None
