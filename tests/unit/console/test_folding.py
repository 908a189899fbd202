"""Events fold into rows by their versions: repeats, delays and any order give the same row."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from services.console.domain.folding import (
    fold_account_link,
    fold_account_score,
    fold_handoff,
    fold_lead,
    fold_opportunity,
    lead_ids_of,
)
from services.console.domain.records import HandoffRow, LeadRow
from shared.contracts.envelope import Event
from shared.contracts.handoffs import (
    HandoffAccepted,
    HandoffEscalated,
    HandoffOpened,
    HandoffPaused,
    HandoffRejected,
    HandoffRetracted,
    HandoffTouched,
)
from shared.contracts.leads import LeadConsentChanged, LeadErased, LeadLinked, LeadMerged, LeadSplit
from shared.contracts.outcomes import ConnectorAdvanced, OpportunityChanged
from shared.contracts.scores import AccountReason, AccountScored, LeadDemoted
from tests.support.builders.console import (
    NOW,
    event,
    handoff_event,
    identified,
    lead_row,
    named,
    qualified,
    scored,
)

ANNA = named("lead", "anna")


def folded(*events: Event[Any]) -> LeadRow:
    row = lead_row()
    for one in events:
        row = fold_lead(row, one)
    return row


def consent(version: int, value: str, *, purpose: str = "contact") -> LeadConsentChanged:
    return LeadConsentChanged.model_validate(
        {
            "lead_id": ANNA,
            "consent_version": version,
            "purpose": purpose,
            "consent": value,
            "is_allowed": value == "granted",
        }
    )


def merged(version: int, into: str) -> LeadMerged:
    return LeadMerged(
        lead_id=ANNA,
        into_lead_id=named("lead", into),
        root_lead_id=named("lead", into),
        identity_version=version,
        reason="crm_id",
    )


def test_any_order_of_a_leads_events_gives_the_same_row() -> None:
    events = [
        event(identified(version=1, country="FR")),
        event(identified(version=2, country="SE")),
        event(scored(version=1, score=40)),
        event(qualified(version=2, score=80)),
        event(consent(1, "granted")),
        event(consent(2, "withdrawn")),
    ]
    rows = {repr(folded(*order)) for order in permutations(events)}
    assert len(rows) == 1
    row = folded(*events)
    assert (row.traits["country"], row.score, row.number) == ("SE", 80, 1)
    assert (row.consents["contact"].consent, row.consents["contact"].is_allowed) == ("withdrawn", False)


def test_the_decision_with_the_highest_number_stands() -> None:
    first, second = qualified(version=2), qualified(version=9, number=2, score=90)
    demoted = LeadDemoted.model_validate({**qualified(version=7, score=30).model_dump(), "is_qualified": False})
    row = folded(event(second), event(first), event(demoted))
    assert (row.number, row.decision["score"], row.score) == (2, 90, 90)


def test_a_merge_points_and_a_split_clears_by_version() -> None:
    split = LeadSplit(
        lead_id=ANNA, from_lead_id=named("lead", "a"), root_lead_id=ANNA, identity_version=2, reason="command"
    )
    assert folded(event(merged(1, "a"))).parent_id == named("lead", "a")
    assert folded(event(merged(1, "a")), event(split)).parent_id is None
    assert folded(event(split), event(merged(1, "a"))).parent_id is None
    other = replace(lead_row("a"), parent_id=None)
    assert fold_lead(other, event(merged(1, "a"))) is other


def test_an_erased_lead_keeps_no_outside_ids() -> None:
    row = folded(event(identified(external=[{"system": "hubspot", "id": "7"}])))
    assert row.external == (("hubspot", "7"),)
    erased = fold_lead(row, event(LeadErased(lead_id=ANNA, lead_ids=[ANNA])))
    assert (erased.is_erased, erased.external) == (True, ())


def test_the_newest_link_of_a_lead_counts() -> None:
    def link(version: int, account: str, **more: str) -> LeadLinked:
        return LeadLinked.model_validate(
            {"lead_id": ANNA, "account_id": named("account", account), "link_version": version, "by": "domain", **more}
        )

    row = folded(event(link(2, "new")), event(link(1, "old")))
    assert row.account_id == named("account", "new")
    account = fold_account_link(None, link(1, "new", domain="nordwind.test", account_name="Nordwind"))
    account = fold_account_link(account, link(2, "new", industry="logistics"))
    assert account.traits == {"domain": "nordwind.test", "name": "Nordwind", "industry": "logistics"}


def test_a_lower_version_of_an_accounts_score_is_ignored() -> None:
    def score(version: int, points: int) -> AccountScored:
        return AccountScored(
            account_id=named("account", "one"),
            score_version=version,
            score=points,
            fit=10,
            engagement=10,
            people=3,
            engaged_people=2,
            is_qualified=False,
            reasons=[AccountReason(lead_id=ANNA, points=points)],
            agreement_id="default",
            agreement_version=1,
        )

    row = fold_account_score(fold_account_score(None, score(2, 60)), score(1, 10))
    assert (row.score, row.engaged_people) == (60, 2)


def test_a_lower_version_of_a_deal_is_ignored() -> None:
    def deal(version: int, result: str) -> OpportunityChanged:
        return OpportunityChanged(
            opportunity_id=named("deal", 1),
            lead_id=ANNA,
            system="hubspot",
            external_id="1",
            crm_status=result,
            result=result,
            occurred_at=NOW,
            recorded_at=NOW,
            object_version=version,
        )

    assert fold_opportunity(fold_opportunity(None, deal(2, "won")), deal(1, "open")).result == "won"


def test_any_order_of_a_handoffs_events_ends_in_the_latest_state() -> None:
    owner = named("user", "priya")
    events = [
        event(handoff_event(seq=1, token=1, owner=owner)),
        event(
            handoff_event(HandoffAccepted, seq=2, token=2, state="accepted", owner=owner), at=NOW + timedelta(hours=1)
        ),
        event(
            handoff_event(HandoffTouched, seq=3, token=3, state="working", owner=owner, touched_at=NOW),
            at=NOW + timedelta(hours=2),
        ),
    ]
    for order in permutations(events):
        row: HandoffRow | None = None
        for one in order:
            row = fold_handoff(row, one)
        assert row is not None
        assert (row.state, row.seq, row.last_name) == ("working", 3, "touched")


def test_the_first_touch_is_the_earliest_however_late_we_learned_of_it() -> None:
    row: HandoffRow | None = None
    for seq, ago in ((2, 1), (3, 4), (4, 2)):
        touched_at = NOW - timedelta(hours=ago)
        row = fold_handoff(
            row, event(handoff_event(HandoffTouched, seq=seq, token=2, state="working", touched_at=touched_at))
        )
    assert row is not None
    assert row.touched_at == NOW - timedelta(hours=4)


def test_what_single_events_add_to_a_handoff() -> None:
    owner = named("user", "priya")

    def after(model: type[Any], **more: Any) -> HandoffRow:  # noqa: ANN401
        first = fold_handoff(None, event(handoff_event(seq=1, owner=owner)))
        assert first is not None
        row = fold_handoff(first, event(handoff_event(model, seq=2, token=1, owner=owner, **more)))
        assert row is not None
        return row

    clock = named("clock", "accept")
    assert after(HandoffRejected, reason_code="no_need").reason_code == "no_need"
    assert after(HandoffPaused, reason_code="internal", until_at=NOW).paused_until == NOW
    rung = after(HandoffEscalated, clock_id=clock, level=2, cause="rep").escalations
    assert [(one.kind, one.level) for one in rung] == [("accept", 2)]
    assert after(HandoffRetracted, clock_id=clock, level=2, cause="rep").escalations == ()
    same_state = after(HandoffEscalated, clock_id=clock, level=1, cause="rep")
    assert same_state.state_at == NOW


def test_other_events_change_neither_lead_nor_handoff() -> None:
    other = event(ConnectorAdvanced(connector_id="crm", watermark_at=NOW))
    row = lead_row()
    assert fold_lead(row, other) is row
    assert fold_handoff(None, other) is None
    assert lead_ids_of(other) == ()


def test_merges_and_erasures_name_all_rows_they_touch() -> None:
    assert lead_ids_of(event(merged(1, "bo"))) == (ANNA, named("lead", "bo"), named("lead", "bo"))
    erased = event(LeadErased(lead_id=ANNA, lead_ids=[ANNA, named("lead", "x")]))
    assert lead_ids_of(erased)[1:] == (ANNA, named("lead", "x"))


def test_a_handoff_opened_late_keeps_its_earlier_opening() -> None:
    opened = handoff_event(HandoffOpened, seq=2, policy="qualified", state="qualified")
    row = fold_handoff(None, event(handoff_event(seq=1)))
    later = fold_handoff(row, event(opened, at=NOW + timedelta(hours=1)))
    assert later is not None
    assert later.opened_at == NOW


@pytest.mark.parametrize("payload", [identified(), scored(), handoff_event(), consent(1, "granted")])
def test_an_event_of_a_lead_names_its_row(payload: Any) -> None:  # noqa: ANN401
    assert lead_ids_of(event(payload)) == (ANNA,)
