"""Mails through a real SMTP server: delivered, refused for now, refused for good, away."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

import pytest

from services.handoff.domain.dispatch import Outcome
from services.handoff.outbound.mail import Card, Person, SmtpServer, render, send
from tests.integration.handoff_routing.smtp import Inbox

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
