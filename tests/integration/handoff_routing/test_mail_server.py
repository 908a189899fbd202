"""Mails through a real SMTP server: delivered, refused for now, refused for good, away."""

from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

import pytest
import pytest_asyncio
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.places import free_ports
from services.handoff.domain.dispatch import Outcome
from services.handoff.outbound.mail import Card, Person, SmtpServer, render, send

CARD = Card(what="assigned", link="https://baton.example/handoffs/1", reasons=("asked for a demo",))


def mail(card: Card = CARD, *, to: str = "rep@baton.example") -> EmailMessage:
    return render(
        card,
        person=Person(name="Kim Berg"),
        to=to,
        sender="baton@baton.example",
        message_id=UUID(int=2),
        sent_at="Wed, 10 Jun 2026 09:00:00 +0000",
    )


class Inbox:
    """What a real SMTP server received; it refuses by the name of the recipient."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("unknown@"):
            return "550 no such person"
        if address.startswith("busy@"):
            return "450 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        assert isinstance(envelope.content, bytes)
        self.received.append(envelope.content)
        return "554 refused" if b"spam" in envelope.content else "250 OK"


@pytest_asyncio.fixture
async def smtp() -> AsyncIterator[tuple[SmtpServer, Inbox]]:
    inbox = Inbox()
    (port,) = free_ports(1)
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield SmtpServer("127.0.0.1", port), inbox
    controller.stop()


async def test_a_mail_arrives_at_a_real_server(smtp: tuple[SmtpServer, Inbox]) -> None:
    server, inbox = smtp
    answer = await send(mail(), server)
    assert (answer.outcome, answer.status) == (Outcome.DELIVERED, 250)
    (raw,) = inbox.received
    arrived = message_from_bytes(raw, policy=policy.default)
    assert arrived["subject"] == "New lead for you: Kim Berg"


@pytest.mark.parametrize(
    ("to", "card", "outcome", "status"),
    [
        ("unknown@x.example", CARD, Outcome.NOT_SENT, 550),
        ("busy@x.example", CARD, Outcome.REFUSED, 450),
        ("rep@x.example", Card(what="assigned", link="https://spam.example"), Outcome.NOT_SENT, 554),
    ],
)
async def test_a_refusal_is_an_answer(
    smtp: tuple[SmtpServer, Inbox], to: str, card: Card, outcome: Outcome, status: int
) -> None:
    server, _ = smtp
    answer = await send(mail(card, to=to), server)
    assert (answer.outcome, answer.status) == (outcome, status)


async def test_a_server_that_is_away_is_an_answer() -> None:
    answer = await send(mail(), SmtpServer("127.0.0.1", 1))
    assert (answer.outcome, answer.error) == (Outcome.UNANSWERED, "SMTPConnectError")
