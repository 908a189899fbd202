"""Headers as the door reads them: by name, doubled ones joined, and nothing slips from a value into a name."""

import pytest

from services.ingest.collector.answers import Refused
from services.ingest.collector.wire import headers_of


def test_headers_are_read_by_name_and_doubled_ones_are_joined() -> None:
    raw = [(b"a", b"1"), (b"b", b"\xe4"), (b"a", b"2"), (b"c", b"")]
    assert headers_of({"headers": raw}) == {"a": "1, 2", "b": "\xe4", "c": ""}
    assert headers_of({"headers": raw[1:]}) == {"b": "\xe4", "a": "2", "c": ""}
    assert headers_of({"headers": []}) == {}


@pytest.mark.parametrize("value", [b"x\nauthorization\nBearer stolen", b"\n", b"a\nb", b"a\nb\nc"])
def test_a_line_break_in_a_value_makes_no_header(value: bytes) -> None:
    raw = [(b"a", value), (b"b", b"2")]
    assert headers_of({"headers": raw}) == {"a": value.decode(), "b": "2"}


def test_too_many_or_too_long_headers_are_refused() -> None:
    headers_of({"headers": [(b"n%d" % n, b"") for n in range(100)]})
    for raw in ([(b"n%d" % n, b"") for n in range(101)], [(b"a", b"x" * 16 * 1024)]):
        with pytest.raises(Refused) as caught:
            headers_of({"headers": raw})
        assert caught.value.status_code == 431
