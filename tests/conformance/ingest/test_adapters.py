"""One suite for all senders, found by discovery: samples, every kind and status, mutated bodies, the same ids again."""

import json
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.adapters import ADAPTERS
from services.ingest.domain.activity import CHANNELS
from services.ingest.domain.observation import Operation
from services.ingest.domain.source import SourceSettings
from shared.errors import AppError
from shared.senders import InboundRequest, Reply
from tests.conformance.ingest.adapter_samples import samples, senders, shown
from tests.conformance.ingest.signing import NOW

IDENTITY = frozenset({Operation.IDENTIFY, Operation.GROUP, Operation.ALIAS, Operation.ERASE})
FIELDS = st.sampled_from(("event", "type", "data", "payload", "email", "timestamp", "id", "msg", "events", "msys"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("sender", senders())
def test_each_sample_says_what_is_expected_and_the_same_ids_again(sender: str) -> None:
    found = list(samples(sender))
    assert found, "a sender without samples is not understood"
    for case, request, source, expected in found:
        parsed = ADAPTERS[sender].parse(request, source)
        assert json.loads(json.dumps(shown(parsed), default=str)) == expected, case
        assert ADAPTERS[sender].parse(request, source) == parsed
        outline = ADAPTERS[sender].outline(request)
        assert outline.events == len(parsed.observations) + len(parsed.refusals), case


@pytest.mark.parametrize("sender", senders())
def test_every_kind_of_the_table_is_sampled_and_of_the_closed_set(sender: str) -> None:
    adapter = ADAPTERS[sender]
    seen = [one for _, request, source, _ in samples(sender) for one in adapter.parse(request, source).observations]
    assert set(adapter.KINDS.values()) <= set(CHANNELS) | IDENTITY
    assert set(adapter.KINDS.values()) <= {one.kind for one in seen} | {one.operation for one in seen}
    if adapter.PROOF != "key":  # the tables of collection senders are rules, those of webhooks are names
        assert set(adapter.KINDS) <= {one.name for one in seen}, "an observation keeps the sender's name of its kind"
        assert set(adapter.STATUSES) <= {one.name for one in seen if one.operation is Operation.STATUS}


@pytest.mark.parametrize("sender", senders())
def test_a_sender_is_closed_without_a_proof(sender: str) -> None:
    for _, request, _, _ in samples(sender):
        for secret in ("", "secret", "?" * 500):
            assert not ADAPTERS[sender].verify(request, secret, NOW)


@pytest.mark.parametrize("sender", senders())
def test_what_people_read_of_a_sender_is_there(sender: str) -> None:
    adapter = ADAPTERS[sender]
    assert adapter.TITLE
    assert adapter.SETUP
    assert all(name == name.lower() for name in adapter.KEPT_HEADERS)
    assert adapter.__doc__
    if adapter.PROOF != "key":
        assert any("{url}" in step for step in adapter.SETUP), "a person must be told where the address goes"


@pytest.mark.parametrize("sender", senders())
@settings(max_examples=60)
@given(data=st.data())
def test_a_mutated_body_raises_nothing_but_the_documented_errors(sender: str, data: st.DataObject) -> None:
    request, source = data.draw(st.sampled_from([(one.request, one.settings) for one in samples(sender)]))
    at = data.draw(st.integers(0, len(request.body)))
    cut = data.draw(st.integers(0, 40))
    body = request.body[:at] + data.draw(st.binary(max_size=8)) + request.body[at + cut :]
    mutated = request._replace(body=body)
    adapter = ADAPTERS[sender]
    assert _status(adapter.outline, mutated) in {200, 400, 413}
    assert _status(partial(adapter.parse, settings=source), mutated) in {200, 400, 413}
    assert _status(partial(adapter.parse, settings=SourceSettings()), mutated) in {200, 400, 413}
    adapter.hint(mutated)
    assert isinstance(adapter.handshake(mutated, ["secret"]), Reply | None)


@pytest.mark.parametrize("sender", senders())
@settings(max_examples=60)
@given(body=JSON)
def test_any_json_at_all_raises_nothing_but_the_documented_errors(sender: str, body: object) -> None:
    adapter = ADAPTERS[sender]
    request = InboundRequest("POST", f"/webhooks/{sender}/x", "", {}, json.dumps(body).encode(), "")
    assert _status(adapter.outline, request) in {200, 400, 413}
    assert _status(partial(adapter.parse, settings=SourceSettings()), request) in {200, 400, 413}


def _status(read: Callable[[InboundRequest], object], request: InboundRequest) -> int:
    try:
        read(request)
    except AppError as error:
        return error.status
    return 200
