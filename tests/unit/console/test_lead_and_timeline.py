"""Why this score, why this rep, one timeline of both teams."""

from datetime import timedelta
from typing import Any

from services.console.domain.history import history_row
from services.console.domain.lead import score_why, stage_of, why_this_rep
from services.console.domain.records import ConsentRow, Points, TimelineRow
from services.console.domain.timeline import group_title, timeline_of
from services.console.domain.words import label
from shared.contracts.handoffs import (
    HANDOFF_EVENTS,
    HandoffAssigned,
    HandoffEscalated,
    HandoffOpened,
    HandoffPaused,
    HandoffQueued,
    HandoffRejected,
    HandoffRescheduled,
    HandoffTouched,
)
from shared.contracts.leads import LeadConsentChanged
from shared.contracts.outcomes import ConnectorAdvanced, OutcomeRecorded
from shared.contracts.scores import AccountScored
from tests.support.builders.console import (
    NOW,
    activity,
    event,
    handoff_event,
    handoff_row,
    identified,
    lead_row,
    named,
    qualified,
    scored,
    user_row,
)

PRIYA = user_row("Priya Nair")
USERS = {PRIYA.user_id: PRIYA}
RECORD: dict[str, Any] = {
    "result": {"rep_id": str(PRIYA.user_id), "is_rotated": True, "queue": None},
    "rules": {"columns": ["rule", "result", "reason", "pool"], "rows": [["pool", "pool", "nobody else", "default"]]},
    "candidates": {
        "columns": ["rep_id", "pool", "exclusion", "load", "received", "entitled"],
        "rows": [
            [str(PRIYA.user_id), "default", None, 1, 3, 3.5],
            [str(named("user", "other")), "default", "full", 5, 4, 3.5],
            [str(named("user", "third")), "default", None, 0, 4, 3.5],
        ],
    },
    "agreement_version": 2,
}


def row(name: str, **details: Any) -> TimelineRow:  # noqa: ANN401
    return TimelineRow(named("entry", (name, str(details))), named("lead", "anna"), name, NOW, NOW, details)


def text_of(name: str, **details: Any) -> str:  # noqa: ANN401
    (line,) = timeline_of([row(name, **details)], users=USERS)
    return line.text


def test_points_are_said_to_add_up_only_when_they_do() -> None:
    lines = [{"line": "title_level=vp", "points": 50}, {"line": "clamp", "points": -10}]
    whole = score_why({"score": 40, "lines": lines, "agreement_version": 1}, lead_row())
    assert whole is not None
    assert whole.is_whole
    assert [line.points for line in whole.lines] == [50, -10]
    partly = score_why(None, lead_row(score=80, reasons=(Points("title_level=vp", 20),)))
    assert partly is not None
    assert not partly.is_whole
    assert score_why(None, lead_row()) is None


def test_why_this_rep_reads_the_stored_record() -> None:
    handoff = handoff_row(owner_id=PRIYA.user_id)
    why = why_this_rep(RECORD, handoff, USERS)
    assert why is not None
    assert why.picked == "Priya Nair"
    assert [(one.is_picked, one.reason) for one in why.candidates] == [
        (True, ""),
        (False, "At capacity"),
        (False, "It was not this rep's turn"),
    ]
    assert why.rules[0].rule == "Pool"
    assert why.fairness == "Before this lead: 3 received of 3.5 entitled."


def test_without_a_record_the_owner_of_the_last_event_is_named() -> None:
    assert why_this_rep(None, handoff_row(owner_id=None), USERS) is None
    assert why_this_rep(None, None, USERS) is None
    why = why_this_rep(None, handoff_row(owner_id=PRIYA.user_id), USERS)
    assert why is not None
    assert why.picked == "Priya Nair"


def test_a_lead_in_a_queue_has_no_rep_but_a_place() -> None:
    record = {**RECORD, "result": {"rep_id": None, "queue": "no_eligible_rep"}}
    why = why_this_rep(record, handoff_row(owner_id=None), USERS)
    assert why is not None
    assert why.picked == "Waits in no eligible rep"


def test_the_stage_follows_the_newest_handoff_and_else_what_is_known() -> None:
    older, newer = handoff_row("old", state="nurture"), handoff_row("new", state="working", cycle=2)
    assert stage_of(lead_row(), [older, newer]) == "sales_accepted"
    assert stage_of(lead_row(is_known=True), []) == "known"
    assert stage_of(lead_row(is_known=True, is_qualified=True), []) == "marketing_qualified"
    assert stage_of(lead_row(), []) == "anonymous"


def test_every_handoff_event_has_a_line_of_plain_words() -> None:
    for model in HANDOFF_EVENTS:
        name = f"handoff.{model.TYPE.split('.')[2]}"
        assert text_of(name, owner_id=str(PRIYA.user_id), actor="rep", actor_id=str(PRIYA.user_id))
    assert text_of("handoff.assigned", owner_id=str(PRIYA.user_id)) == "Assigned to Priya Nair"
    assert text_of("handoff.rejected", actor="rep", actor_id=str(PRIYA.user_id)) == "Rejected by Priya Nair"
    assert text_of("handoff.queued", queue="overflow") == "Waits in the queue overflow"


def test_a_missed_deadline_says_whose_miss_it_was_and_a_reminder_does_not() -> None:
    def line(**details: Any) -> tuple[str, str]:  # noqa: ANN401 - fields of the event
        (shown,) = timeline_of([row("handoff.escalated", **details)], users=USERS)
        return shown.text, shown.detail

    assert line(cause="rep", is_breach=True, level=3) == ("Deadline missed", label("cause", "rep"))
    assert line(cause="rep", level=0) == ("Reminder 1", "")


def test_other_events_read_as_plain_words() -> None:
    assert text_of("activity.recorded", kind="demo_requested", direction="marketing") == "Asked for a demo"
    assert text_of("activity.recorded", kind="call_attempted", direction="sales") == "Call, not answered by Sales"
    assert text_of("lead.qualified", score=80) == "Qualified with 80"
    assert text_of("lead.merged", reason="crm_id") == "Two records found to be one person"
    assert text_of("opportunity.changed", result="won", amount_minor=500_00, currency="EUR") == "Opportunity won"
    assert text_of("outcome.recorded", what="won") == "Won"
    assert text_of("dispute.opened", ground="no_fit") == "Dispute opened"
    assert text_of("lead.somehow_changed") == "Somehow changed"
    for verb in ("scored", "demoted", "identified", "split", "linked", "consent_changed", "erased"):
        assert text_of(f"lead.{verb}", score=1, purpose="contact", consent="granted")
    assert text_of("account.qualified", score=70) == "Account qualified with 70"
    assert text_of("activity.corrected", human_reason="prefetch") == "Activity judged again"


def test_software_and_late_news_are_marked() -> None:
    late = TimelineRow(
        named("entry", "late"),
        named("lead", "anna"),
        "activity.recorded",
        NOW,
        NOW + timedelta(hours=2),
        {"kind": "email_open", "direction": "marketing", "human": 0.1},
    )
    (line,) = timeline_of([late], users={})
    assert (line.is_machine, line.is_late) == (True, True)


def test_the_newest_line_is_first_and_a_group_filters() -> None:
    rows = [
        row("activity.recorded", kind="page_view", direction="marketing"),
        TimelineRow(named("entry", 2), named("lead", "anna"), "handoff.accepted", NOW + timedelta(1), NOW, {}),
    ]
    assert [line.group for line in timeline_of(rows, users={})] == ["sales", "marketing"]
    assert [line.group for line in timeline_of(rows, users={}, group="sales")] == ["sales"]


def test_which_events_make_a_line() -> None:
    anna = lead_row(score=40, profile_version=1, is_known=True)
    owner = PRIYA.user_id
    told = [
        activity(),
        qualified(),
        scored(score=41),
        handoff_event(HandoffAssigned, owner=owner),
        handoff_event(HandoffOpened, policy="qualified"),
        handoff_event(HandoffQueued, reason="overflow", state="queued"),
        handoff_event(HandoffRejected, reason_code="no_need"),
        handoff_event(HandoffTouched, touched_at=NOW),
        handoff_event(HandoffPaused, reason_code="internal", until_at=NOW),
        handoff_event(HandoffEscalated, clock_id=named("clock", "accept"), level=1, cause="rep"),
    ]
    assert all(history_row(event(payload), anna) for payload in told)
    assert history_row(event(scored(score=40)), anna) is None
    assert history_row(event(identified(version=2)), anna) is None
    assert history_row(event(identified()), None) is not None


def test_events_that_tell_nothing_new_make_no_line() -> None:
    anna = lead_row(score=40, profile_version=1, is_known=True, consents={"contact": ConsentRow(1, "granted", True)})
    same = LeadConsentChanged.model_validate(
        {"lead_id": anna.lead_id, "consent_version": 2, "purpose": "contact", "consent": "granted", "is_allowed": True}
    )
    own = OutcomeRecorded(
        outcome_id=named("outcome", 1),
        lead_id=anna.lead_id,
        what="accepted",
        occurred_at=NOW,
        recorded_at=NOW,
        source="handoff",
    )
    account = AccountScored(
        account_id=named("account", 1),
        score_version=1,
        score=1,
        fit=1,
        engagement=1,
        people=1,
        engaged_people=0,
        is_qualified=False,
        reasons=[],
        agreement_id="default",
        agreement_version=1,
    )
    silent = [
        same,
        own,
        account,
        handoff_event(HandoffRescheduled),
        ConnectorAdvanced(connector_id="a", watermark_at=NOW),
    ]
    assert [history_row(event(payload), anna) for payload in silent] == [None] * len(silent)
    assert history_row(event(own.model_copy(update={"source": "hubspot"})), anna) is not None
    assert history_row(event(same), lead_row()) is not None
    assert history_row(event(identified()), lead_row(profile_version=1)) is not None


def test_a_record_with_odd_parts_still_reads() -> None:
    handoff = handoff_row(owner_id=PRIYA.user_id)
    odd = {
        "result": {"rep_id": "somebody", "is_rotated": True},
        "rules": None,
        "candidates": {"columns": ["rep_id"], "rows": [["x"]]},
    }
    why = why_this_rep(odd, handoff, USERS)
    assert why is not None
    assert (why.picked, why.rules, why.fairness) == ("somebody", (), "")
    listed = score_why({"score": 5, "reasons": [["pricing_viewed", 5]], "model_id": "m"}, lead_row())
    assert listed is not None
    assert (listed.lines[0].text, listed.decided_by) == ("Looked at pricing", "Model")
    assert group_title("score") == "Score"
