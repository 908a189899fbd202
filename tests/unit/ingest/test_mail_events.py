"""What mail senders have in common: addresses, tags, ids of parts, and which of the mails that come in are answers."""

import pytest

from services.ingest.domain.mail import id_of_parts, mail_address, mail_message, raw_events, tags_of
from services.ingest.domain.reply import is_automatic, unquoted
from shared.errors import Unreadable


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("Kim <kim@acme.example>", "kim@acme.example"),
        ("kim@acme.example", "kim@acme.example"),
        ('"Lee, Kim" <kim@acme.example>', "kim@acme.example"),
        ("", None),
        (None, None),
        ({"a": 1}, None),
        ("(a) kim@acme.example (b)", "kim@acme.example"),
        ("(" * 1_000 + "a@b.c", None),
        ("(" * 900 + "a@b.c", None),
        ("x" * 1_000 + " <kim@acme.example>", None),
    ],
)
def test_an_address_is_read_with_or_without_a_name(value: object, address: str | None) -> None:
    assert mail_address(value) == address


@pytest.mark.parametrize("part", ["(", ")", "<", "a:", '"', "[", "\\", "@", "a@", "a,", ":", ";", "a<", "(\\", "<@:"])
def test_no_text_of_a_stranger_is_more_than_no_address(part: str) -> None:
    for count in (20, 100, 499, 1_000, 100_000):
        assert isinstance(mail_address(part * count + "a@b.c"), str | None)


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ("one", ("one",)),
        (["a", "", 1, None, {"x": 1}], ("a", "1")),
        ('["a","b"]', ("a", "b")),
        ("[broken", ("[broken",)),
        (None, ()),
        ({"a": 1}, ()),
    ],
)
def test_tags_come_as_a_text_a_list_or_the_json_of_a_list(value: object, tags: tuple[str, ...]) -> None:
    assert tags_of(value) == tags


def test_ids_of_parts_differ_where_their_parts_do() -> None:
    assert id_of_parts("a", "b", None) != id_of_parts("a", None, "b")
    assert id_of_parts("a\x1fb", None) != id_of_parts("a", "c")
    assert id_of_parts(None, "", {}) is None


def test_a_message_id_has_no_brackets() -> None:
    assert mail_message("<a@b>") == mail_message(" a@b ") == "a@b"
    assert mail_message("<>") is None
    assert mail_message(None) is None


def test_a_body_is_one_event_a_list_or_a_list_under_a_name() -> None:
    assert raw_events(b' {"a":1}') == (b' {"a":1}',)
    assert raw_events(b'[{"a":1},2]') == (b'{"a":1}', b"2")
    assert raw_events(b'{"events":[{"a":1}]}', inside="events") == (b'{"a":1}',)
    assert raw_events(b'{"events":[{"a":NaN}]}', inside="events") == (b'{"a":null}',)
    for body in (b"", b"1", b'{"events":{}}', b'{"events":null}', b"{}", b"[", b"\xff"):
        with pytest.raises(Unreadable):
            raw_events(body, inside="events")
    with pytest.raises(Unreadable):
        raw_events(b"1")


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Yes.\n\nOn Wed, 10 Jun 2026 at 10:00, Sales wrote:\n> Offer", "Yes."),
        ("Ja.\r\n\r\nAm 10.06.2026 um 10:00 schrieb Sales:\r\n> Angebot", "Ja."),
        ("Fine.\n-----Original Message-----\nFrom: Sales", "Fine."),
        ("> only quoted", None),
        ("From where?\nNo quote", "From where?\nNo quote"),
        ("Call me\nFrom: Sales <sales@example.test>\nSent: today", "Call me"),
    ],
)
def test_a_reply_is_kept_without_what_it_quotes(text: str, own: str | None) -> None:
    assert unquoted(text) == own


@pytest.mark.parametrize(
    ("headers", "subject", "automatic"),
    [
        ({}, "Re: Offer", False),
        ({"auto-submitted": "no"}, "Re: Offer", False),
        ({"auto-submitted": "auto-replied"}, "Re: Offer", True),
        ({"precedence": "auto_reply"}, None, True),
        ({"x-autoreply": "yes"}, None, True),
        ({}, "Out of Office: Offer", True),
        ({}, "Automatische Antwort: Angebot", True),
    ],
)
def test_an_automatic_answer_is_known_by_its_headers_or_its_subject(
    headers: dict[str, object], subject: str | None, *, automatic: bool
) -> None:
    assert is_automatic(headers, subject) is automatic
