"""What published requests of forms, calendars, ads and CRMs become: kinds, addresses, times, ids kept exactly."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from services.ingest.adapters import ADAPTERS
from services.ingest.domain.observation import Observation, Operation
from services.ingest.domain.source import SourceSettings
from tests.conformance.ingest.signing import URL, request_to
from tests.support.material import material


def published(name: str, part: str = "vectors") -> list[dict[str, Any]]:
    file = material(f"vectors/{name}.json")
    found: list[dict[str, Any]] = [] if file is None else json.loads(file.read_text())[part]
    return found


def read(sender: str, body: object, settings: SourceSettings | None = None) -> Sequence[Observation]:
    raw = body if isinstance(body, str) else json.dumps(body)
    request = request_to(URL.format(sender=sender), {}, raw.encode())
    return ADAPTERS[sender].parse(request, settings or SourceSettings()).observations


def test_meta_names_the_leads_that_are_stated_and_no_more() -> None:
    for vector in published("meta_leadgen"):
        if "expected_leads" in vector:
            asked = [one for one in read("meta", vector["body"]) if one.operation is Operation.FETCH]
            assert [one.event_id for one in asked] == [f"fetch\x1f{lead}" for lead in vector["expected_leads"]]
            assert all(
                one.fetch is not None and one.fetch.url.startswith("https://graph.facebook.com/v") for one in asked
            )


def test_google_keeps_ids_beyond_53_bits_exactly_and_makes_no_lead_of_a_test() -> None:
    for vector in published("google_ads_lead_form"):
        (found,) = read("google_ads", vector["body"])
        said = json.loads(vector["body"])
        assert found.operation is (Operation.STATUS if said["is_test"] else Operation.ACTIVITY), vector["name"]
        assert found.properties["form_id"] == str(said["form_id"])
        assert found.touch.campaign == str(said["campaign_id"])
        assert found.event_id == said["lead_id"]


def test_typeform_reads_answers_by_reference_in_any_order_and_utm_from_hidden_fields() -> None:
    for vector in published("typeform"):
        if vector["valid"]:
            (found,) = read("typeform", vector["body"])
            hidden = json.loads(vector["body"])["form_response"]["hidden"]
            assert (found.kind, found.person.email in {"laura@acme.example", "grace@acme.example"}) == (
                "form_submit",
                True,
            )
            assert (found.touch.traffic_source, found.touch.campaign) == (hidden["utm_source"], hidden["utm_campaign"])


def test_calendars_and_webinars_have_their_kinds() -> None:
    for vector in published("calendly"):
        (found,) = read("calendly", vector["body"])
        assert (found.kind, found.person.email) == ("meeting_requested", "jane@example.com")
        assert found.timestamp == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    kinds = {json.loads(one["body"])["event"]: read("zoom", one["body"])[0].kind for one in published("zoom")}
    if kinds:
        assert kinds == {
            "webinar.registration_created": "webinar_registered",
            "webinar.participant_joined": "webinar_attended",
            "endpoint.url_validation": None,
        }


def test_intercom_identifies_contacts_and_makes_nothing_of_a_ping() -> None:
    for vector in published("intercom"):
        (found,) = read("intercom", vector["body"])
        is_ping = json.loads(vector["body"])["topic"] == "ping"
        assert found.operation is (Operation.STATUS if is_ping else Operation.IDENTIFY)
        assert found.person.email == (None if is_ping else "jane@acme.example")


def test_hubspot_reads_arrays_and_leaves_deals_to_the_connection() -> None:
    expected = {"contact.creation": Operation.IDENTIFY, "contact.propertyChange": Operation.STATUS}
    for vector in published("hubspot"):
        if vector["valid"] and vector["body"].startswith("["):
            (found,) = read("hubspot", vector["body"])
            assert found.operation is expected.get(found.name or "", Operation.STATUS)
            assert "attempt" not in (found.event_id or "")


def test_marketo_reads_times_in_the_zone_of_the_source_and_empty_texts_as_absent() -> None:
    settings = SourceSettings(time_zone="America/New_York", options={"kind": "form_submit"})
    found = [read("marketo", case["body"], settings)[0] for case in published("marketo", "cases")]
    if found:
        assert [one.kind for one in found] == ["form_submit", "form_submit"]
        assert [one.person.email for one in found] == ["hulk@acme.example", "vision@acme.example"]
        assert found[0].timestamp == datetime(2018, 3, 7, 19, 28, 16, tzinfo=UTC)
        assert (found[1].traits, found[1].company.name) == ({"email": "vision@acme.example"}, None)


def test_eventbrite_asks_for_what_is_at_its_own_host_and_refuses_the_traps() -> None:
    for case in published("eventbrite", "cases"):
        found = read("eventbrite", case["body"])
        is_own = case["body"]["api_url"].startswith("https://www.eventbriteapi.com/v3/")
        assert [one.operation for one in found] == ([Operation.FETCH] if is_own else [])


def test_linkedin_asks_for_each_created_response_at_its_own_host() -> None:
    for vector in published("linkedin"):
        if "body" in vector:
            (found,) = read("linkedin", vector["body"])
            said = json.loads(vector["body"])
            assert (found.operation is Operation.FETCH) == (said["leadAction"] == "CREATED")
            if found.fetch is not None:
                assert found.fetch.url.startswith("https://api.linkedin.com/rest/leadFormResponses/")
                assert said["leadGenFormResponse"].rpartition(":")[2] in found.fetch.url
