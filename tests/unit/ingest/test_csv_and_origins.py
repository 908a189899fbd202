"""What is wrong with a CSV, by the record where it began; what is a web origin, and in which one spelling."""

import io

import pytest

from services.ingest.domain.csv_columns import Plan
from services.ingest.domain.csv_file import checked, cut
from services.ingest.domain.source import origin_of
from shared.errors import Refused, Unreadable

LEADS = Plan("leads")
ORIGINS = {
    "https://www.example.com": "https://www.example.com",
    "HTTPS://WWW.Example.com/": "https://www.example.com",
    " https://app.example.com ": "https://app.example.com",
    "http://localhost:3000": "http://localhost:3000",
    "https://example.com:443": "https://example.com",
    "http://example.com:80": "http://example.com",
    "https://example.com:8443": "https://example.com:8443",
    "https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
    "http://192.0.2.7:8080": "http://192.0.2.7:8080",
    "http://[::1]:3000": "http://[::1]:3000",
}
NO_ORIGINS = (
    "", "www.example.com", "example", "//example.com", "https://", "https:example.com", "ftp://example.com",
    "https://example.com/shop", "https://example.com/?a=1", "https://example.com#x", "https://example.com//",
    "https://kim@example.com", "https://kim:pw@example.com", "https://example.com:", "https://example.com:0",
    "https://example.com:65536", "https://example.com:8x", "https://*.example.com", "*", "null", "https://ex ample.com",
    "https://example..com", "https://-example.com", "https://b\u00fccher.example", "https://example.com\\x",
    "https://example.com\nhttps://evil.example", "javascript://example.com", "http://[::1", "http://[zz]",
    "http://999.1.1.1", "https://" + "a" * 300 + ".example", "https://a,https://b",
)  # fmt: skip


@pytest.mark.parametrize("text", ORIGINS)
def test_an_origin_is_scheme_host_and_port_as_browsers_send_it(text: str) -> None:
    assert origin_of(text) == ORIGINS[text]


@pytest.mark.parametrize("text", NO_ORIGINS)
def test_what_is_more_or_less_than_an_origin_is_none(text: str) -> None:
    assert origin_of(text) is None


@pytest.mark.parametrize("rows_before", [0, 1, 499, 500, 1200])
@pytest.mark.parametrize(
    "rest", ["", "a@x.example,after\r\n", 'a@x.example,"closed"\r\n' * 3, "a@x.example,x\r\n" * 9000]
)
def test_a_quote_that_is_never_closed_is_named_by_its_record(rows_before: int, rest: str) -> None:
    text = "email,note\r\n\r\n" + 'a@x.example,"two\nlines"\r\n' * rows_before + 'b@x.example,"open\r\n' + rest
    with pytest.raises(Unreadable) as caught:
        checked(io.StringIO(text, newline=""), LEADS)
    record, line = rows_before + 1, 2 * rows_before + 3
    assert f"Record {record} " in caught.value.detail
    assert f"line {line}" in caught.value.detail
    assert "quote" in caught.value.detail
    assert [one.pointer for one in caught.value.errors] == [f"/records/{record}"]


def test_a_quote_left_open_in_the_header_is_named_as_such() -> None:
    with pytest.raises(Unreadable, match="header"):
        checked(io.StringIO('"email,note\r\na@x.example,b\r\n', newline=""), LEADS)


def test_a_checked_file_is_whole_and_counted() -> None:
    text = 'email\r\n\r\na@x.example\r\n"b@x.example"\r\n'
    assert checked(io.StringIO(text, newline=""), LEADS) == 2
    assert sum(len(piece.rows) for piece in cut(io.StringIO(text, newline=""), LEADS)) == 2
    with pytest.raises(Refused):
        checked(io.StringIO("", newline=""), LEADS)
