"""Bodies, fields, files and proofs: one rule per test."""

import gzip
import io
import json
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.ingest.domain import body as bodies
from services.ingest.domain.csv_columns import Plan
from services.ingest.domain.csv_file import cut, records, row_id
from services.ingest.domain.fields import (
    company_of,
    consents_of,
    flag_of,
    mapping_of,
    moment_of,
    number_of,
    profile_of,
    text_of,
    unix_moment,
    zoned_moment,
)
from services.ingest.domain.source import settings_of
from shared.errors import AppError, Refused, TooLarge, Unreadable
from shared.senders import (
    basic_credentials,
    bearer_token,
    decoded_base64,
    is_ecdsa_p256_signed,
    is_fresh,
)


def problem(raw: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        bodies.read_event(raw)
    return caught.value.problem


def test_gzip_is_one_layer_and_one_member_within_its_bounds() -> None:
    assert bodies.gunzipped(gzip.compress(b"{}")) == b"{}"
    for broken in (
        b"\x1f\x8b",
        gzip.compress(b"{}")[:-1],
        gzip.compress(b"{}") * 2,
        gzip.compress(gzip.compress(b"{}")),
        b"{}",
    ):
        with pytest.raises(Unreadable):
            bodies.gunzipped(broken)
    with pytest.raises(TooLarge):
        bodies.gunzipped(gzip.compress(b"0" * 2_000_000))
    with pytest.raises(TooLarge):
        bodies.gunzipped(gzip.compress(json.dumps(list(range(300_000))).encode()), bytes_max=1_000_000)


def test_a_byte_order_mark_is_dropped_and_other_charsets_are_refused() -> None:
    assert bodies.utf8(b"\xef\xbb\xbf{}") == b"{}"
    with pytest.raises(Unreadable):
        bodies.utf8("{}".encode("utf-16"))


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b'{"a":NaN,"b":-Infinity,"c":1e999}', {"a": None, "b": None, "c": None}),
        (b'{"a\\u0000b":"c\\u0000d"}', {"ab": "cd"}),
        (b'{"a":"\\ud800x","b":"\\ud83d\\ude00"}', {"a": "\ufffdx", "b": "\U0001f600"}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"__proto__":{"x":1}}', {"__proto__": {"x": 1}}),
        (b'{"a":9223372036854775807}', {"a": 2**63 - 1}),
        (b'{"a":1.5e300,"b":[true,null,0.1]}', {"a": 1.5e300, "b": [True, None, 0.1]}),
    ],
)
def test_what_has_a_repair_is_repaired(sent: bytes, read: object) -> None:
    assert bodies.read_event(sent) == read


def test_what_has_none_refuses_the_event_by_name() -> None:
    assert problem(b'{"a":9223372036854775808}') == "integer_too_large"
    assert problem(b'{"a":' + b"[" * 32 + b"]" * 32 + b"}") == "too_deep"
    assert problem(b"[" * 100_000) == "too_deep"
    assert problem(json.dumps({"a": [{str(n): 1} for n in range(10_001)]}).encode()) == "too_many_keys"
    assert problem(json.dumps({"a": "x" * 300_000}).encode()) == "text_too_long"
    assert problem(b'{"a":"' + b"x" * 1_100_000 + b'"}') == "event_too_large"
    assert problem(b"7") == "not_an_object"
    assert problem(b"{") == "not_json"
    assert bodies.read_event(b'{"a":' + b"[" * 31 + b"]" * 31 + b"}")


def test_a_batch_is_split_without_losing_neighbours_of_what_only_the_slow_reader_reads() -> None:
    split = bodies.split_batch(b'{"batch":[{"a":NaN},{"b":1}],"sentAt":"x","context":{"c":1}}')
    assert [json.loads(raw) for raw in split.events] == [{"a": None}, {"b": 1}]
    assert (split.field("sentAt"), split.field("context")) == ("x", {"c": 1})
    fast = bodies.split_batch(b'{"batch":[{"b":1}],"context":{"c":9223372036854775808}}')
    assert [fast.field(name) for name in ("sentAt", "writeKey", "context")] == [None, None, None]
    for wrong in (b"[]", b'{"batch":{}}', b'{"batch":[NaN}', b'{"a":1}'):
        with pytest.raises(Unreadable):
            bodies.split_batch(wrong)
    assert bodies.split_array(b'[{"a":NaN},2]') == (b'{"a":null}', b"2")
    with pytest.raises(Unreadable):
        bodies.split_array(b'{"a":1}')


def test_odd_forms_of_fields_count_as_absent() -> None:
    odd: tuple[object, ...] = ("a ", "", 7, True, 1.5, None, {})
    assert [text_of(one) for one in odd] == ["a", None, "7", None, None, None, None]
    numbers: tuple[object, ...] = (7, 7.9, "12", "-3", "x", True, "9" * 20, None)
    assert [number_of(one) for one in numbers] == [7, 7, 12, -3, None, None, None, None]
    assert [flag_of(one) for one in (True, "yes", "0", 1, "maybe", None)] == [True, True, False, True, None, None]
    assert mapping_of([]) == {}
    assert (
        moment_of("2026-06-10T12:00:00Z")
        == moment_of("2026-06-10T14:00:00+02:00")
        == datetime(2026, 6, 10, 12, tzinfo=UTC)
    )
    assert moment_of("2026-06-10") == datetime(2026, 6, 10, tzinfo=UTC)
    times: tuple[object, ...] = (5, "", "soon", {}, "292277026596-01-01")
    assert [moment_of(one) for one in times] == [None] * 5
    assert unix_moment("1781085600") == datetime(2026, 6, 10, 10, tzinfo=UTC)
    assert [unix_moment(one) for one in (0, -1, 10**12, "x")] == [None] * 4


def test_traits_are_read_by_our_names() -> None:
    traits = {
        "firstName": "Kim",
        "last_name": "Park",
        "company": {"name": "Acme", "size": 3},
        "address": {"country": "DE"},
    }
    assert profile_of(traits) == {"name": "Kim Park", "company": "Acme", "country": "DE"}
    company = company_of({"company": "Acme", "employees": "300", "is_target": "yes", "industry": "steel"})
    assert (company.name, company.employees, company.is_target, company.industry) == ("Acme", 300, True, "steel")
    assert company_of({"company": {"external_system": "crm", "external_id": 7}}).external == ("crm", "7")
    assert [one.purpose for one in consents_of({"consent": "Granted"}, is_own_act=True)] == ["profiling", "contact"]
    assert [
        one.purpose for one in consents_of({"consent": "granted", "consent_purpose": "sharing"}, is_own_act=True)
    ] == ["sharing"]
    assert consents_of({"consent": "maybe"}, is_own_act=True) == ()


def test_settings_of_another_form_are_left_out() -> None:
    found = settings_of(
        {
            "origins": ["HTTPS://www.Example.test/", {}],
            "pages": [{"path": "/p", "content": "pricing"}, {"path": "/q"}, 3],
            "names": {"Big Event": "demo_requested"},
            "consent": "granted",
        }
    )
    assert found.origins == {"https://www.example.test"}
    assert (found.pages, found.names, found.consent) == (
        (("/p", "pricing"),),
        {"big event": "demo_requested"},
        "granted",
    )
    assert settings_of({"pages": 3, "origins": "x"}) == settings_of({})


def test_a_file_is_cut_by_records_and_each_piece_has_the_header() -> None:
    text = 'E-Mail;Note\r\na@x.example;"one\ntwo"\r\n\r\nb@x.example;"say ""hi"""\r\nc@x.example;\r\n'
    pieces = list(cut(io.StringIO(text, newline=""), Plan("leads"), rows_max=2))
    assert [(piece.first, len(piece.rows)) for piece in pieces] == [(1, 2), (3, 1)]
    read = [record for piece in pieces for record in records(piece.text, first=piece.first)]
    assert [(one.number, one.cells["note"]) for one in read] == [(1, "one\ntwo"), (2, 'say "hi"'), (3, "")]
    assert list(read[0].cells) == ["email", "note"]


def test_a_file_without_a_proper_header_is_refused() -> None:
    for text in ("", "a,a\r\n1,2\r\n", ",".join(f"c{n}" for n in range(201)) + "\r\nx\r\n"):
        with pytest.raises(Refused):
            list(cut(io.StringIO(text, newline=""), Plan("leads")))
    for text in ('a,b\r\n1,"open\r\n', 'a\r\n"x"y\r\n'):
        with pytest.raises(Unreadable):
            list(cut(io.StringIO(text, newline=""), Plan("leads")))
    with pytest.raises(AppError):
        list(records('a\r\n"x"y\r\n', first=1))


def test_a_row_is_known_by_its_id_or_its_content() -> None:
    assert row_id({"id": "7", "a": "x"}) == row_id({"id": "7", "a": "y"})
    assert row_id({"a": "x", "b": ""}) == row_id({"a": "x"})
    assert row_id({"a": "x", "b": "y"}) == row_id({"b": "y", "a": "x"}) != row_id({"a": "y", "b": "x"})


# ------------------------------------------------------------------ proofs
def test_a_proof_that_is_malformed_is_no_proof() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    foreign = ed25519.Ed25519PrivateKey.generate().public_key()
    other = b64encode(foreign.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    assert not is_ecdsa_p256_signed(b"x", "AAAA", public_key=public)
    assert not is_ecdsa_p256_signed(b"x", "AAAA", public_key=other)
    assert not is_ecdsa_p256_signed(b"x", "AAAA", public_key="AAAA")
    assert not is_ecdsa_p256_signed(b"x", "ä", public_key=public)
    assert [decoded_base64(one) for one in ("QQ==", "QR==", "Q", "QQ", "Q Q=", "ä")] == [
        b"A",
        None,
        None,
        None,
        None,
        None,
    ]


def test_times_keys_and_headers_are_read_strictly() -> None:
    assert [is_fresh(one, 1000.0) for one in ("1000", "700", "699", "1300", "1301", "1e3", "", "\uff11\uff10")] == [
        True, True, False, True, False, False, False, False,
    ]  # fmt: skip
    assert basic_credentials("Basic " + b64encode(b"key:").decode()) == ("key", "")
    for malformed in (
        "Basic ?",
        "Basic " + b64encode(b"key").decode(),
        "Basic " + b64encode(b"\xff:").decode(),
        "Bearer x",
    ):
        assert basic_credentials(malformed) is None
    assert [bearer_token(one) for one in ("Bearer x", "bearer x", "Bearer", "Basic x")] == ["x", "x", None, None]


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        (b" ", "is empty"),
        (b"<html>", "looks like XML or HTML"),
        (b"--boundary", "looks like a form"),
        (b"a=1&b=2", "looks like a form"),
        (b'{"a": ', "is not JSON, or is cut off"),
    ],
)
def test_what_is_no_json_is_named_as_what_it_seems_to_be(raw: bytes, seen: str) -> None:
    assert f"The body {seen}" in bodies.not_json(raw)


@pytest.mark.parametrize("depth", [40, 900, 1000, 1100, 5000, 100_000])
@pytest.mark.parametrize("read", [bodies.split_batch, bodies.split_object, bodies.split_array, bodies.read_event])
def test_what_is_nested_too_deeply_for_any_reader_is_refused_or_left_raw(
    read: Callable[[bytes], object], depth: int
) -> None:
    nested = b"[" * depth + b"]" * depth
    for body in (nested, b'{"batch":[' + nested + b"]}", b'{"a":' + nested + b"}", b'[{"a":' + nested + b"}]"):
        with suppress(Unreadable):
            read(body)


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "\u00e9", "Europe/Berlin\n", "../x", "\x00", "Europe", "a" * 300, "", None]
)
def test_a_time_in_a_zone_that_there_is_not_is_read_in_utc(zone: str | None) -> None:
    assert zoned_moment("2026-06-10T12:00:00", zone) == datetime(2026, 6, 10, 12, tzinfo=UTC)
