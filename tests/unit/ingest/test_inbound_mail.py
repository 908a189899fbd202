"""Mails that come in: multipart forms, MIME, HTML as text, all of strangers and all cheap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.mime import TEXT_MAX, headers_of, html_text, mail_of, moment_in
from services.ingest.domain.multipart import PARTS_MAX, text_fields
from services.ingest.domain.reply import is_automatic
from shared.errors import Unreadable

TYPE = "multipart/form-data; boundary=b"


def form(*parts: bytes) -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


def part(head: str, content: bytes = b"x") -> bytes:
    return f"Content-Disposition: form-data; {head}\r\n\r\n".encode() + content


def test_texts_are_found_in_order_and_files_are_passed_over() -> None:
    body = form(
        part('name="a"', b"one\r\ntwo"),
        part('name="file"; filename="a.pdf"', b"\x00--b-not\r\n--bb"),
        part('name="a"', "\u00fc".encode("latin-1")),
        b"X-Other: 1\r\nCONTENT-DISPOSITION:form-data; name=c\r\nContent-Type: text/plain\r\n\r\n",
        part('filename="nameless.pdf"'),
    )
    assert text_fields(body, TYPE) == [("a", b"one\r\ntwo"), ("a", b"\xfc"), ("c", b"")]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form(part('name="a"')), "multipart/form-data"),
        (form(part('name="a"')), ""),
        (form(part('name="a"'))[:-6], TYPE),
        (b"", TYPE),
        (b"{}", TYPE),
        (form(*[part('name="a"')] * (PARTS_MAX + 1)), TYPE),
        (form(b"X: " + b"y" * 40_000 + b"\r\n\r\nx"), TYPE),
    ],
)
def test_what_is_no_whole_form_is_unreadable(body: bytes, content_type: str) -> None:
    with pytest.raises(Unreadable):
        text_fields(body, content_type)


@given(body=st.binary(max_size=300), cut=st.integers(0, 200))
def test_no_form_raises_anything_else(body: bytes, cut: int) -> None:
    whole = form(part('name="a"', body), part('name="f"; filename="x"', body))
    for one in (body, whole[:cut], whole[cut:], whole[:cut] + body + whole[cut:]):
        try:
            text_fields(one, TYPE)
        except Unreadable:
            continue


@given(raw=st.binary(max_size=400))
def test_no_mail_and_no_html_raises(raw: bytes) -> None:
    mail_of(raw)
    mail_of(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + raw)
    moment_in(headers_of(b"Date: " + raw.replace(b"\n", b"")))
    html_text(raw.decode("latin-1"))


def test_a_mail_that_is_nested_beyond_use_still_says_who_wrote_it() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2_000))
    mail = mail_of(b"From: kim@acme.example\r\n" + nested + b"\r\n" * 100_000)
    assert (mail.headers["from"], mail.text) == ("kim@acme.example", None)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>two &amp; three</p>", "One\ntwo & three"),
        ("a<br>b<BR/>c", "a\nb\nc"),
        ("<style>p{}</style><script>x</script>seen", "seen"),
        ("<!-- hidden <p> -->seen<!-- never closed", "seen"),
        ('own<div class="gmail_quote"><div>their</div>s</div> words', "own\nwords"),
        ("own<blockquote>their<blockquote>older</blockquote></blockquote> words", "own words"),
        ("1 < 2", "1"),
        ("", None),
        ("<p></p>", None),
    ],
)
def test_html_is_read_as_the_text_that_was_written(html: str, text: str | None) -> None:
    assert html_text(html) == text


def test_html_is_read_to_its_bound() -> None:
    assert html_text("x" * (TEXT_MAX + 50)) == "x" * TEXT_MAX


@pytest.mark.parametrize(
    ("headers", "subject", "is_machine"),
    [
        ({}, "Re: Prices", False),
        ({"auto-submitted": "no"}, "Re: Prices", False),
        ({"auto-submitted": "auto-replied"}, "Re: Prices", True),
        ({"auto-submitted": "auto-generated; owner-email=x"}, None, True),
        ({"x-autoreply": "yes"}, None, True),
        ({"precedence": "auto_reply"}, None, True),
        ({"precedence": "bulk"}, None, True),
        ({}, "Out of Office: Kim", True),
        ({}, "Automatische Antwort: Preise", True),
    ],
)
def test_an_automatic_answer_is_told_by_its_headers_or_subject(
    headers: dict[str, str], subject: str | None, *, is_machine: bool
) -> None:
    assert is_automatic(headers, subject) is is_machine


def test_tags_that_are_never_closed_are_passed_over_once() -> None:
    for letter in "abcdefghijklmnop":  # one pass for each; a pass for each letter would take many minutes
        assert html_text(f"before<{letter * TEXT_MAX}") == "before"
        assert html_text(f"before</{letter * TEXT_MAX}") == "before"
    assert html_text("<p>one</p><P class=x>two<br/>three < four <1> five <b") == "one\ntwo\nthree five"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: message/rfc822\n\n" * 2_000,
        b"Content-Type: text/plain; charset*" + b"9" * 5_000 + b"=utf-8\n\nx",
        b"Content-Type: text/html; x*" + b"9" * 5_000 + b"=a\n\nx",
    ],
)
def test_of_a_mail_that_no_reader_gets_through_the_headers_remain(head: bytes) -> None:
    raw = b"From: kim@acme.example\n" + head
    assert mail_of(raw).headers["from"] == "kim@acme.example"
    assert headers_of(raw)["from"] == "kim@acme.example"


def test_an_absurd_character_number_costs_no_mail() -> None:
    absurd = f"&#{'9' * 5_000};"
    assert html_text(f"<p>one</p>{absurd}") == f"one\n{absurd}"
