"""What is looked for in a body that nobody could read."""

import re

import pytest

from services.ingest.domain.keys import Key, KeyKind
from services.ingest.domain.traces import traces_of

EMAIL = Key(KeyKind.EMAIL, "kim@acme.example")


def _is_found(key: Key, escaped: str) -> bool:
    return any(one.text in escaped and re.search(one.pattern, escaped) for one in traces_of([key]))


@pytest.mark.parametrize(
    "body",
    [
        "kim@acme.example",
        '{"email":"kim@acme.example"}',
        "who=kim%40acme.example",
        "%22kim%40acme.example",
        r"\\nkim@acme.example",
        r"\\u0022kim@acme.example",
        r"\000kim@acme.example\303",
    ],
)
def test_an_address_is_found_however_it_is_wrapped(body: str) -> None:
    assert _is_found(EMAIL, body)


@pytest.mark.parametrize(
    "body", ["joakim@acme.example", "kim@acme.examples", "kim@acmexexample", "", "2kim@acme.example"]
)
def test_a_longer_or_other_word_is_none(body: str) -> None:
    assert not _is_found(EMAIL, body)


def test_a_phone_is_looked_for_by_its_digits_and_a_letter_by_its_octets() -> None:
    assert _is_found(Key(KeyKind.PHONE, "+493012345678"), "tel=%2b493012345678")
    assert [one.text for one in traces_of([Key(KeyKind.USER, "JÖRG\\1")])] == [r"j%c3%96rg%5c1", r"j\303\226rg\\1"]


def test_what_is_short_or_names_a_row_of_a_crm_is_not_looked_for() -> None:
    assert traces_of([Key(KeyKind.USER, "12345"), Key(KeyKind.CRM, "crm\x1f00312345678")]) == ()
