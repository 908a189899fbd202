"""Mails to reps, managers and queue owners: who it is, why now, by when, and one link; nothing is decided in a mail.

The card's facts travel in the dispatch without personal data; names are asked of ingest at each attempt and enter here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from html import escape
from typing import Protocol
from uuid import UUID

from aiosmtplib import SMTP, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from services.handoff.domain.dispatch import Answer, Outcome

__all__ = ["Card", "MailServer", "Person", "SmtpServer", "render", "send"]

TIMEOUT_SECONDS = 20.0
_REASONS_SHOWN = 3
_SUBJECT_MAX = 200

# What happened, as the first line says it; a name the table lacks still makes a readable mail.
_SUBJECTS: Mapping[str, str] = {
    "assigned": "New lead for you: {who}",
    "message_rep": "Waiting for you: {who}",
    "mail_rep": "Reminder: {who} is waiting",
    "flag_manager": "About to miss a promise: {who}",
    "mail_manager": "Promise at risk: {who}",
    "mail_executive_and_reassign": "Promise missed: {who}",
    "reassign": "Moved on: {who}",
    "reassigned": "No longer yours: {who}",
    "rep_off": "A rep is off with open work: {who}",
    "queued": "Waiting in your queue: {who}",
    "pull_back": "Goes back to Marketing: {who}",
    "endpoint_failing": "A webhook endpoint has been failing for a day",
    "endpoint_disabled": "A webhook endpoint was switched off",
}


@dataclass(frozen=True, slots=True)
class Person:
    """The names of one lead, as ingest gave them for this attempt; empty texts when it knows none."""

    name: str = ""
    company: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """What a mail is about, as stored in the dispatch: no names. due is a text in the reader's time zone."""

    what: str
    link: str
    reasons: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    due: str | None = None
    next_step: str | None = None


class MailServer(Protocol):
    """Takes one mail; raises nothing for what the server or the network does."""

    async def deliver(self, message: EmailMessage) -> Answer:
        """Hand the mail over once."""


def render(card: Card, *, person: Person | None, to: str, sender: str, message_id: UUID, sent_at: str) -> EmailMessage:
    """The mail: plain text and HTML with the same words. message_id is the dispatch's: equal over all attempts.

    person is None when the mail is about no lead. Raises ValueError when `to` or `sender` is no address; the caller
    ends the dispatch with that reason.
    """
    who = "" if person is None else _one_line(person.name) or "name not available"
    message = EmailMessage()
    message["subject"] = _one_line(_SUBJECTS.get(card.what, "News of {who}").format(who=who))[:_SUBJECT_MAX]
    message["from"] = _address(sender)
    message["to"] = _address(to)
    message["date"] = sent_at
    message["message-id"] = f"<{message_id}@baton>"
    message["auto-submitted"] = "auto-generated"  # so that no absence mail answers it
    lines = _lines(card, person, who)
    message.set_content("\n".join(f"{label}: {text}" if label else text for label, text in lines) + "\n")
    message.add_alternative(_html(lines, card.link), subtype="html")
    return message


async def send(message: EmailMessage, server: MailServer) -> Answer:
    """One attempt."""
    return await server.deliver(message)


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The operator's mail server. One connection per mail: a rep gets a handful a day."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    use_tls: bool = False  # TLS from the first byte
    start_tls: bool | None = None  # None: when the server offers it

    async def deliver(self, message: EmailMessage) -> Answer:
        """Hand the mail over; a 4xx or 5xx of the server and a silent one are answers, not errors."""
        try:
            async with SMTP(
                hostname=self.host,
                port=self.port,
                username=self.username,
                password=self.password,
                use_tls=self.use_tls,
                start_tls=self.start_tls,
                timeout=TIMEOUT_SECONDS,
            ) as client:
                await client.send_message(message)
        except SMTPRecipientsRefused as error:
            return _refused(error.recipients[0])
        except SMTPResponseException as error:
            return _refused(error)
        except (SMTPException, OSError, TimeoutError) as error:
            return Answer(Outcome.UNANSWERED, error=type(error).__name__)
        return Answer(Outcome.DELIVERED, status=250)


def _refused(error: SMTPResponseException) -> Answer:
    """4xx may pass on another attempt; 5xx never will (RFC 5321 4.2.1)."""
    outcome = Outcome.NOT_SENT if error.code >= 500 else Outcome.REFUSED
    return Answer(outcome, status=error.code, body=error.message.encode())


def _lines(card: Card, person: Person | None, who: str) -> list[tuple[str, str]]:
    lines = []
    if person is not None:
        at = f" at {_one_line(person.company)}" if person.company else ""
        title = f", {_one_line(person.title)}" if person.title else ""
        lines.append(("", f"{who}{title}{at}"))
    if card.due:
        lines.append(("By", card.due))
    if card.reasons:
        lines.append(("Why now", "; ".join(card.reasons[:_REASONS_SHOWN])))
    lines += [(label, _one_line(text)) for label, text in card.details.items()]
    if card.next_step:
        lines.append(("Next step", card.next_step))
    lines.append(("Open", card.link))
    return lines


def _html(lines: Sequence[tuple[str, str]], link: str) -> str:
    rows = []
    for label, text in lines:
        shown = f'<a href="{escape(link)}">Open it in Baton</a>' if label == "Open" else escape(text)
        head = f'<strong style="color:#44546a">{escape(label)}</strong><br>' if label else ""
        size = "16px" if label else "20px"
        rows.append(f'<p style="margin:0 0 12px;font-size:{size}">{head}{shown}</p>')
    body = "\n".join(rows)
    return (
        '<!doctype html><html lang="en"><body style="font-family:system-ui,sans-serif;color:#1b2430;'
        f'background:#fff;max-width:560px;margin:24px">\n{body}\n</body></html>\n'
    )


def _address(text: str) -> Address:
    local, at, domain = _one_line(text).rpartition("@")
    if not (local and at and domain) or text != _one_line(text):
        raise ValueError("is no mail address")
    return Address(username=local, domain=domain)


def _one_line(text: str) -> str:
    """The text without line breaks and control characters: a name may not add a header."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
