"""Bodies of vendors that come with their answer beside a signature or as forms: Customer.io, Mailchimp Marketing."""

import json

from services.ingest.adapters import customerio, mailchimp
from services.ingest.domain.observation import Observation, Operation
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest
from tests.support.material import material

_STATUS = {"status only, no activity", "campaign status, no person"}


def test_the_reporting_webhooks_of_customerio_are_of_the_stated_kinds() -> None:
    file = material("vectors/customerio.json")
    if file is None:
        return
    stated = [one for one in json.loads(file.read_text())["vectors"] if "canonical" in one]
    assert len(stated) >= 14
    for vector in stated:
        request = InboundRequest("POST", "/webhooks/customerio/x", "", {}, vector["body"].encode())
        (found,) = customerio.parse(request, SourceSettings()).observations
        _check(found, vector["canonical"], vector["name"])
        assert found.event_id == json.loads(vector["body"])["event_id"]
        assert found.person.email == "test@example.com", vector["name"]


def test_the_forms_of_mailchimp_are_of_the_stated_kinds() -> None:
    file = material("vectors/mailchimp_marketing.json")
    if file is None:
        return
    for case in json.loads(file.read_text())["cases"]:
        headers = {"content-type": case["content_type"]}
        request = InboundRequest("POST", "/webhooks/mailchimp/x", "", headers, case["body"].encode())
        (found,) = mailchimp.parse(request, SourceSettings(time_zone="America/New_York")).observations
        _check(found, case["canonical"], case["body"])
        assert found.timestamp is not None
        assert found.timestamp.hour in {1, 2}, "21:35 and 22:15 in New York"
        is_of_campaign = case["canonical"] in _STATUS
        assert (found.person.email is None) == is_of_campaign


def _check(found: Observation, canonical: str, case: str) -> None:
    if canonical in _STATUS:
        assert (found.operation, found.kind) == (Operation.STATUS, None), case
    elif canonical == "identity change":
        assert found.operation is Operation.ALIAS, case
    else:
        assert (found.operation, found.kind) == (Operation.ACTIVITY, canonical), case
