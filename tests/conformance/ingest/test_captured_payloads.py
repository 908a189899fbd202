"""Requests as vendors send them, with the answer they must give: kind, time, address, message, link."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from services.ingest.adapters import ADAPTERS
from services.ingest.domain.observation import Observation, Operation
from tests.conformance.ingest.signing import SIGNINGS, Signing
from tests.support.material import material

CAPTURED = [pytest.param(signing, id=name) for name, signing in SIGNINGS.items() if material(signing.payloads)]


@pytest.mark.parametrize("signing", CAPTURED)
def test_the_captured_events_are_normalised_as_stated(signing: Signing) -> None:
    file = material(signing.payloads)
    assert file is not None
    for case in json.loads(file.read_text())["cases"]:
        request, source = signing.of_case(case)
        parsed = ADAPTERS[signing.sender].parse(request, source)
        assert parsed.refusals == (), case["case"]
        found = list(parsed.observations)
        _check_kind(case, found)
        _check_fields(case, found)
        _check_ids(signing, case.get("expected_anymail", {}), found)
        _check_tags(signing, case.get("expected_anymail", {}), found)
        signing.check_case(case, found)


def _check_kind(case: Mapping[str, Any], found: list[Observation]) -> None:
    if case["canonical"] is None:
        return
    if case["canonical"] == "no activity (status only)":
        assert {one.operation for one in found} == {Operation.STATUS}, case["case"]
    else:
        assert {(one.operation, one.kind) for one in found} == {(Operation.ACTIVITY, case["canonical"])}, case["case"]


def _check_fields(case: Mapping[str, Any], found: list[Observation]) -> None:
    """The first observation, or one of several recipients, has what the case states."""
    stated = case.get("expected_anymail", {})
    if "recipient" in stated:
        assert stated["recipient"] in {one.person.email for one in found}, case["case"]
    if stated.get("click_url") and found[0].kind == "email_click":
        assert {one.touch.link for one in found} == {stated["click_url"]}, case["case"]
    if stated.get("user_agent"):
        assert {one.touch.user_agent for one in found} == {stated["user_agent"]}, case["case"]
    if "expected_time" in case:
        expected = datetime.fromisoformat(case["expected_time"])
        assert {one.timestamp for one in found} == {expected}, case["case"]


def _check_ids(signing: Signing, stated: Mapping[str, Any], found: list[Observation]) -> None:
    if signing.states_messages and stated.get("message_id") is not None:
        assert {one.touch.message for one in found} == {str(stated["message_id"]).strip("<>")}
    if signing.states_event_ids and "event_id" in stated:
        assert all((one.event_id or "").startswith(stated["event_id"]) for one in found)


def _check_tags(signing: Signing, stated: Mapping[str, Any], found: list[Observation]) -> None:
    if not signing.states_tags:
        return
    said = found[0].properties
    assert said.get("tags", "") == ", ".join(stated.get("tags") or ()) or "tags" not in stated
    flat = {name: value for name, value in (stated.get("metadata") or {}).items() if not isinstance(value, dict | list)}
    assert flat.items() <= said.items()
