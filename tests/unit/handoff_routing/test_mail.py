"""Mails: golden text, no header by a name, addresses checked."""

import json
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest

from services.handoff.outbound.mail import Card, Person, render

SAMPLES = Path(__file__).parents[2] / "samples" / "outbound" / "mail"
DISPATCH = UUID("018f0f3e-0000-7000-8000-000000000002")
AT = "Wed, 10 Jun 2026 09:00:00 +0000"
KIM = Person(name="Kim Berg", company="Acme", title="VP Sales")
CARD = Card(
    what="assigned",
    link="https://baton.example/handoffs/1",
    reasons=("asked for a demo", "VP in a target industry", "read the pricing page", "a fourth"),
    details={"Last touches": "pricing page, webinar", "Account": "2 more people engaged"},
    due="Wed 10 Jun, 15:00 (Europe/Berlin)",
    next_step="Call within the hour",
)


def mail(card: Card = CARD, person: Person = KIM, *, to: str = "rep@baton.example") -> EmailMessage:
    return render(card, person=person, to=to, sender="baton@baton.example", message_id=DISPATCH, sent_at=AT)


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


@pytest.mark.parametrize("case", sorted(path.stem for path in SAMPLES.glob("*.json")))
def test_the_mail_is_the_golden_one(case: str) -> None:
    sample = json.loads((SAMPLES / f"{case}.json").read_text())
    message = mail(Card(**{**sample["card"], "reasons": tuple(sample["card"]["reasons"])}), Person(**sample["person"]))
    assert message["subject"] == sample["subject"]
    assert text_of(message).splitlines() == sample["text"]


def test_text_and_html_say_the_same_with_three_reasons() -> None:
    message = mail()
    assert "Why now: asked for a demo; VP in a target industry; read the pricing page\n" in text_of(message)
    html = text_of(message, "html")
    assert "a fourth" not in html
    assert 'href="https://baton.example/handoffs/1"' in html
    assert message["message-id"] == f"<{DISPATCH}@baton>"


def test_a_name_adds_no_header_and_no_markup() -> None:
    person = Person(name="Kim\r\nBcc: all@x.example <script>", company="A\x00cme")
    message = mail(person=person)
    assert message["bcc"] is None
    assert message["subject"] == "New lead for you: Kim Bcc: all@x.example <script>"
    assert "<script>" not in text_of(message, "html")
    assert "A cme" in text_of(message)


def test_without_names_the_mail_says_so() -> None:
    message = mail(Card(what="something_new", link="https://x.example"), Person())
    assert message["subject"] == "News of name not available"
    assert text_of(message) == "name not available\nOpen: https://x.example\n"


def test_a_mail_about_no_lead_names_nobody() -> None:
    message = render(
        Card(what="endpoint_disabled", link="https://x.example", details={"Because": "gone"}),
        person=None,
        to="ops@x.example",
        sender="baton@baton.example",
        message_id=DISPATCH,
        sent_at=AT,
    )
    assert message["subject"] == "A webhook endpoint was switched off"
    assert text_of(message) == "Because: gone\nOpen: https://x.example\n"


@pytest.mark.parametrize("address", ["", "rep", "@x.example", "rep@", "rep@x.example\r\nBcc: a@x.example"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        mail(to=address)
