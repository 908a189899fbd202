"""The twelve cases of consent (SECURITY section 8): said, asked for contact himself, Sec-GPC, from door to endpoints.

What somebody asked for without consent is kept as this person's; nobody is scored or sent anywhere by it.
"""

from itertools import product

import pytest

from services.handoff.domain.endpoints import Subscription, wants
from shared.contracts.leads import LeadConsentChanged
from shared.ids import EndpointId, new_id
from tests.integration.ingest.stage import IngestStage, identify, of_type, page, track

CASES = list(product(("granted", "unknown", "withdrawn"), (False, True), (False, True)))
ASSIGNED = "baton.handoff.assigned.v1"


@pytest.mark.parametrize(("said", "has_asked", "is_gpc"), CASES)
async def test_what_may_be_done_with_a_person(stage: IngestStage, said: str, *, has_asked: bool, is_gpc: bool) -> None:
    traits = {"email": "kim@acme.example"} | ({} if said == "unknown" else {"consent": said})
    source_id = stage.silent_source_id
    events = await stage.send(identify(userId="kim", traits=traits), source_id=source_id, is_gpc=is_gpc)
    act = track("Demo Requested", userId="kim") if has_asked else page("https://www.example.test/x", userId="kim")
    done = await stage.send(act, source_id=source_id, is_gpc=is_gpc)

    permissions: dict[str, LeadConsentChanged] = {}
    for one in of_type(events + done, "lead.consent_changed"):
        permissions[one.purpose.value] = one
    allowed = {purpose: one.is_allowed for purpose, one in permissions.items()}
    assert permissions["profiling"].consent == said
    assert allowed["profiling"] is (said == "granted"), "scored"
    # Always counted; after a withdrawal only what the person asked for is tied to the person.
    is_tied = said != "withdrawn" or has_asked
    assert bool(of_type(done, "activity.recorded")) is is_tied
    tied, counted = (await stage.rows("select sum(activities), sum(counted) from delivery_result"))[0]
    assert (counted, tied) == ((0, 1) if is_tied else (1, 0))
    own, sharing = (Subscription(EndpointId(new_id()), is_sharing=is_sharing) for is_sharing in (False, True))
    is_sent = said == "granted"
    assert wants(own, ASSIGNED, {}, pool=None, consents=allowed) is is_sent
    assert wants(sharing, ASSIGNED, {}, pool=None, consents=allowed) is (is_sent and not is_gpc)
