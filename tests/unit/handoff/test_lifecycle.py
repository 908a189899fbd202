"""The table of DOMAIN 5.3, row by row: from which state, under which guard, to which state, saying what."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from services.handoff.domain.lifecycle import ClockKind, ClockState, State, Verdict, broken, decide, inputs
from services.handoff.domain.lifecycle.effects import (
    Ask,
    AssignmentEnded,
    ClockEnded,
    ClockRetracted,
    Effect,
    Escalate,
    Notify,
    StopAll,
)
from services.handoff.domain.lifecycle.states import Clock, ReasonRoute, RouteWord
from shared.ids import HandoffId, LeadId
from tests.unit.handoff.machine import (
    ANNA,
    BERT,
    DECISION,
    LEAD,
    MANAGER,
    POLICY,
    announced,
    in_state,
    opening,
    reason,
    run,
)

OTHER = LeadId(UUID(int=12))
DEAL, SECOND_DEAL = UUID(int=31), UUID(int=32)
ALL = (
    "qualified", "queued", "assigned", "accepted", "paused", "working", "opportunity", "won", "lost", "nurture",
    "disqualified", "suppressed", "merged",
)  # fmt: skip
OK = [
    ("qualified", inputs.Route(rep_id=ANNA, decision_id=DECISION), "assigned", ["assigned"]),
    ("queued", inputs.Route(rep_id=ANNA, decision_id=DECISION), "assigned", ["assigned"]),
    ("qualified", inputs.NoRoute(queue="unrouted", reason="unrouted"), "queued", ["queued"]),
    ("queued", inputs.Pull(rep_id=BERT), "accepted", ["accepted"]),
    ("assigned", inputs.Accept(by=ANNA), "accepted", ["accepted"]),
    ("assigned", inputs.Reject(by=ANNA, reason=reason("no_need")), "nurture", ["rejected", "closed"]),
    ("assigned", inputs.Reject(by=ANNA, reason=reason("bad_data")), "nurture", ["rejected", "closed"]),
    ("assigned", inputs.Reject(by=ANNA, reason=reason("duplicate")), "disqualified", ["rejected", "closed"]),
    ("assigned", inputs.Reject(by=ANNA, reason=reason("do_not_contact")), "suppressed", ["rejected", "closed"]),
    ("assigned", inputs.Reject(by=ANNA, reason=reason("existing_opportunity")), "qualified", ["rejected"]),
    ("assigned", inputs.Touch(), "working", ["accepted", "touched"]),
    ("accepted", inputs.Touch(), "working", ["touched"]),
    ("paused", inputs.Touch(), "working", ["touched"]),
    ("working", inputs.Touch(), "working", ["touched"]),
    ("opportunity", inputs.Touch(), "opportunity", ["touched"]),
    ("won", inputs.Touch(), "won", ["touched"]),
    ("lost", inputs.Touch(), "lost", ["touched"]),
    ("working", inputs.Dispose(by=ANNA, how="opportunity"), "opportunity", ["disposed"]),
    ("accepted", inputs.Dispose(by=ANNA, how="return"), "qualified", ["disposed"]),
    ("working", inputs.Dispose(by=ANNA, how="return"), "qualified", ["disposed"]),
    (
        "working",
        inputs.Dispose(by=ANNA, how="recycle", reason=reason("bad_timing", until_on=date(2026, 9, 1))),
        "nurture",
        ["disposed", "closed"],
    ),
    (
        "working",
        inputs.Dispose(by=ANNA, how="disqualify", reason=reason("no_fit", sub_reason="size")),
        "disqualified",
        ["disposed", "closed"],
    ),
    (
        "working",
        inputs.Dispose(by=ANNA, how="disqualify", reason=reason("existing_opportunity")),
        "disqualified",
        ["disposed", "closed"],
    ),
    ("working", inputs.Dispose(by=None, how="opportunity"), "opportunity", ["disposed"]),
    ("accepted", inputs.Dispose(by=None, how="opportunity"), "opportunity", ["disposed"]),
    ("assigned", inputs.Dispose(by=None, how="opportunity"), "opportunity", ["disposed"]),
    ("accepted", inputs.Pause(by=ANNA, reason_code="internal"), "accepted", ["paused"]),
    ("working", inputs.Pause(by=ANNA, reason_code="internal"), "working", ["paused"]),
    ("paused", inputs.Resume(by=ANNA), "accepted", ["resumed"]),
    *[
        (state, inputs.Reassign(rep_id=BERT, actor=MANAGER), "assigned", ["assigned"])
        for state in ("qualified", "queued", "assigned", "accepted", "paused", "working")
    ],
    ("assigned", inputs.RepOff(rep_id=ANNA), "qualified", []),
    ("accepted", inputs.RepOff(rep_id=ANNA), "accepted", []),
    *[(state, inputs.Revoke(reason="demoted"), "nurture", ["closed"]) for state in ("qualified", "queued", "assigned")],
    ("opportunity", inputs.CrmResult(result="won", version=1), "won", ["closed"]),
    ("opportunity", inputs.CrmResult(result="lost", version=1), "lost", ["closed"]),
    ("opportunity", inputs.CrmResult(result="open", version=1), "opportunity", ["rescheduled"]),
    ("won", inputs.CrmResult(result="open", version=2), "opportunity", ["disposed"]),
    ("lost", inputs.CrmResult(result="open", version=2), "opportunity", ["disposed"]),
    ("won", inputs.CrmResult(result="lost", version=2), "lost", ["closed"]),
    ("won", inputs.CrmResult(result="won", version=2), "won", []),
    ("won", inputs.CrmResult(result="lost", version=1, deal_id=DEAL), "won", []),
    ("lost", inputs.CrmResult(result="won", version=1, deal_id=DEAL), "won", ["closed"]),
    ("lost", inputs.CrmResult(result="open", version=1, deal_id=DEAL), "opportunity", ["disposed"]),
    ("won", inputs.CrmResult(result="moved", version=2), "working", ["disposed"]),
    *[(state, inputs.Withdraw(), "suppressed", ["closed"]) for state in ALL if state not in {"suppressed", "merged"}],
    *[
        (state, inputs.Merge(into=HandoffId(UUID(int=99)), root_lead_id=OTHER), "merged", ["closed"])
        for state in ("qualified", "queued", "assigned", "accepted", "paused", "working", "opportunity")
    ],
    ("merged", inputs.Split(root_lead_id=LEAD, scope_id=LEAD), "qualified", ["opened"]),
    ("nurture", inputs.Enrol(), "nurture", ["rescheduled"]),
    ("nurture", inputs.Supersede(), "nurture", []),
    ("assigned", inputs.Repoint(root_lead_id=OTHER, scope_id=OTHER), "assigned", []),
    ("assigned", inputs.Attach(decision_id=DECISION, priority=90), "assigned", ["attached"]),
    ("assigned", inputs.Reschedule(why="calendar"), "assigned", ["rescheduled"]),
]
REFUSED = [
    ("assigned", inputs.Accept(by=BERT), "invalid", "not_owner"),
    ("accepted", inputs.Accept(by=ANNA), "invalid", "not_in_accepted"),
    ("won", inputs.Accept(by=ANNA), "invalid", "closed"),
    ("assigned", inputs.Reject(by=ANNA, reason=None), "invalid", "reason_missing"),
    ("assigned", inputs.Reject(by=ANNA, reason=reason("because")), "invalid", "reason_unknown"),
    ("assigned", inputs.Reject(by=ANNA, reason=reason("no_fit")), "invalid", "sub_reason_missing"),
    ("assigned", inputs.Reject(by=ANNA, reason=reason("bad_timing")), "invalid", "until_on_missing"),
    ("assigned", inputs.Reject(by=ANNA, reason=reason("other")), "invalid", "text_missing"),
    ("queued", inputs.Reject(by=ANNA, reason=reason("no_need")), "invalid", "not_in_queued"),
    ("qualified", inputs.Route(rep_id=ANNA, decision_id=DECISION, is_on=False), "invalid", "rep_off"),
    ("qualified", inputs.Route(rep_id=ANNA, decision_id=DECISION, has_room=False), "invalid", "rep_full"),
    ("assigned", inputs.Route(rep_id=ANNA, decision_id=DECISION), "stale", "not_waiting"),
    ("queued", inputs.NoRoute(queue="unrouted", reason="unrouted"), "stale", "not_qualified"),
    ("assigned", inputs.Pull(rep_id=BERT), "stale", "not_queued"),
    ("queued", inputs.Pull(rep_id=BERT, is_on=False), "invalid", "rep_off"),
    ("queued", inputs.Pull(rep_id=BERT, has_room=False), "invalid", "rep_full"),
    ("opportunity", inputs.Reassign(rep_id=BERT), "invalid", "not_in_opportunity"),
    ("assigned", inputs.Reassign(rep_id=BERT, is_on=False), "invalid", "rep_off"),
    ("assigned", inputs.Reassign(rep_id=ANNA), "invalid", "already_owner"),
    ("assigned", inputs.RepOff(rep_id=BERT), "stale", "not_owner"),
    ("accepted", inputs.Revoke(reason="demoted"), "invalid", "after_acceptance"),
    ("won", inputs.Revoke(reason="demoted"), "stale", "closed"),
    ("accepted", inputs.Dispose(by=ANNA, how="opportunity"), "invalid", "not_in_accepted"),
    ("working", inputs.Dispose(by=BERT, how="opportunity"), "invalid", "not_owner"),
    ("working", inputs.Dispose(by=ANNA, how="recycle"), "invalid", "reason_missing"),
    (
        "working",
        inputs.Dispose(by=ANNA, how="disqualify", reason=reason("no_need")),
        "invalid",
        "reason_does_not_disqualify",
    ),
    ("queued", inputs.Dispose(by=None, how="opportunity"), "stale", "no_place_for_a_deal"),
    ("working", inputs.Pause(by=BERT, reason_code="internal"), "invalid", "not_owner"),
    ("working", inputs.Pause(by=ANNA, reason_code="lunch"), "invalid", "reason_unknown"),
    (
        "working",
        inputs.Pause(by=ANNA, reason_code="internal", is_within_limit=False),
        "invalid",
        "pause_too_long",
    ),
    ("paused", inputs.Pause(by=ANNA, reason_code="internal"), "invalid", "already_paused"),
    ("working", inputs.Resume(by=ANNA), "invalid", "not_paused"),
    ("paused", inputs.Resume(by=BERT), "invalid", "not_owner"),
    ("queued", inputs.Touch(token=2), "invalid", "not_in_queued"),
    ("queued", inputs.Touch(), "stale", "not_owned"),
    ("nurture", inputs.Touch(), "stale", "not_owned"),
    ("assigned", inputs.Touch(is_owners_side=False), "invalid", "not_owner"),
    ("won", inputs.CrmResult(result="won", version=1), "stale", "older_version"),
    ("opportunity", inputs.CrmResult(result="moved", version=1, deal_id=DEAL), "stale", "no_such_deal"),
    ("working", inputs.CrmResult(result="won", version=1), "stale", "no_opportunity"),
    ("suppressed", inputs.Withdraw(), "stale", "already_ended"),
    ("won", inputs.Merge(into=HandoffId(UUID(int=99)), root_lead_id=OTHER), "stale", "closed"),
    ("assigned", inputs.Split(root_lead_id=LEAD, scope_id=LEAD), "stale", "not_merged"),
    ("merged", inputs.Split(root_lead_id=LEAD, scope_id=LEAD, is_scope_free=False), "stale", "scope_taken"),
    ("assigned", inputs.Repoint(root_lead_id=LEAD, scope_id=LEAD), "stale", "already_so"),
    ("assigned", inputs.Enrol(), "stale", "nothing_to_enrol"),
    ("assigned", inputs.Supersede(), "stale", "not_closed"),
    ("won", inputs.Attach(decision_id=DECISION), "stale", "closed"),
    ("won", inputs.Reschedule(why="calendar"), "stale", "no_clock"),
    ("assigned", inputs.LateEvidence(number=1), "stale", "nothing_to_retract"),
    ("assigned", inputs.Fire(number=99, level=0), "stale", "clock_ended"),
    ("assigned", inputs.Accept(by=ANNA, token=1), "stale", "token_gone"),
]


@pytest.mark.parametrize(("state", "event", "to", "says"), OK)
def test_what_is_allowed_leads_where_the_table_says(state: str, event: inputs.Input, to: str, says: list[str]) -> None:
    before = in_state(state)
    decision = decide(before, event, POLICY)
    assert (decision.verdict, decision.why) == (Verdict.OK, "")
    assert decision.handoff is not None
    assert decision.handoff.state == to
    assert announced(decision) == says
    assert broken(decision.handoff) == []
    assert decision.handoff.token > before.token or to == before.state


@pytest.mark.parametrize(("state", "event", "verdict", "why"), REFUSED)
def test_what_is_refused_changes_nothing(state: str, event: inputs.Input, verdict: str, why: str) -> None:
    before = in_state(state)
    decision = decide(before, event, POLICY)
    assert (decision.verdict, decision.why) == (verdict, why)
    assert decision.handoff is before
    assert decision.effects == ()


def test_nothing_but_a_qualification_makes_a_handoff() -> None:
    assert decide(None, inputs.Accept(by=ANNA), POLICY).why == "no_such_handoff"


@pytest.mark.parametrize(
    ("state", "is_hand_raiser", "why"),
    [
        ("nurture", False, ""),
        ("suppressed", False, ""),
        ("lost", True, ""),
        ("won", True, ""),
        ("lost", False, "final_lost"),
        ("disqualified", True, "final_disqualified"),
        ("assigned", False, "already_open"),
    ],
)
def test_who_qualifies_again_opens_the_next_cycle(state: str, *, is_hand_raiser: bool, why: str) -> None:
    event = inputs.Qualify(opening=opening(2, is_hand_raiser=is_hand_raiser), cycles_this_year=1)
    decision = decide(in_state(state), event, POLICY)
    assert decision.why == why
    assert (decision.verdict is Verdict.OK) == (why == "")


def test_a_cycle_needs_consent_a_free_number_and_cycles_left() -> None:
    closed = in_state("nurture")
    assert decide(closed, inputs.Qualify(opening=opening(1)), POLICY).why == "cycle_exists"
    assert decide(closed, inputs.Qualify(opening=opening(2), has_consent=False), POLICY).why == "no_consent"
    assert decide(closed, inputs.Qualify(opening=opening(2), cycles_this_year=4), POLICY).why == "cycles_used_up"


def test_a_rep_that_had_it_is_not_routed_again_but_may_be_given_it() -> None:
    again = run(in_state("assigned"), inputs.Reject(by=ANNA, reason=reason("existing_opportunity")))
    assert decide(again, inputs.Route(rep_id=ANNA, decision_id=DECISION), POLICY).why == "rep_tried"
    assert run(again, inputs.Reassign(rep_id=ANNA)).owner_id == ANNA


def test_used_up_attempts_wait_in_overflow() -> None:
    policy = replace(POLICY, assignments_max=1)
    decision = decide(in_state("assigned"), inputs.Reject(by=ANNA, reason=reason("existing_opportunity")), policy)
    assert decision.handoff is not None
    assert (decision.handoff.state, decision.handoff.queue) == (State.QUEUED, "overflow")


def test_every_rung_fires_once_and_the_last_one_reroutes() -> None:
    handoff = in_state("assigned")
    clock = handoff.clocks[0]
    rungs = POLICY.rungs[ClockKind.ACCEPT]
    for level, do in enumerate(rungs):
        event = inputs.Fire(token=handoff.token, number=clock.number, level=level)
        decision = decide(handoff, event, POLICY)
        assert [effect.do for effect in decision.effects if isinstance(effect, Escalate)] == [do]
        assert decision.handoff is not None
        assert decide(decision.handoff, event, POLICY).verdict is Verdict.STALE
        handoff = decision.handoff
    assert (handoff.state, handoff.tried) == (State.QUALIFIED, (ANNA,))


def _ended(effects: tuple[Effect, ...]) -> dict[ClockKind, ClockState]:
    return {effect.clock.kind: effect.state for effect in effects if isinstance(effect, ClockEnded)}


@pytest.mark.parametrize(
    ("state", "kind", "to"),
    [
        ("qualified", ClockKind.ROUTE, "queued"),
        ("queued", ClockKind.QUEUE, "queued"),
        ("accepted", ClockKind.TOUCH, "qualified"),
        ("working", ClockKind.DISPOSE, "working"),
        ("working", ClockKind.PULL_BACK, "nurture"),
        ("opportunity", ClockKind.STALE, "opportunity"),
        ("nurture", ClockKind.ENROL, "nurture"),
    ],
)
def test_a_missed_promise_has_its_consequence(state: str, kind: ClockKind, to: str) -> None:
    handoff = in_state(state)
    clock = next(each for each in handoff.clocks if each.kind is kind)
    last = len(POLICY.rungs[kind]) - 1
    decision = decide(handoff, inputs.Fire(token=handoff.token, number=clock.number, level=last), POLICY)
    assert decision.handoff is not None
    assert decision.handoff.state == to
    assert _ended(decision.effects)[kind] is ClockState.BREACHED
    assert broken(decision.handoff) == []


def test_an_unserved_queue_climbs_to_the_executive_and_stays_there() -> None:
    handoff = in_state("queued")
    said = []
    for _ in range(4):
        clock = handoff.clocks[0]
        decision = decide(handoff, inputs.Fire(token=handoff.token, number=clock.number, level=0), POLICY)
        said += [effect.do for effect in decision.effects if isinstance(effect, Escalate)]
        assert decision.handoff is not None
        handoff = decision.handoff
    assert said == ["mail_queue_owner", "mail_manager", "mail_executive", "mail_executive"]


def test_the_end_of_a_rest_is_no_miss() -> None:
    paused = in_state("paused")
    decision = decide(paused, inputs.Fire(token=paused.token, number=paused.clocks[0].number, level=0), POLICY)
    assert announced(decision) == ["resumed"]
    assert decision.handoff is not None
    assert [(each.kind, each.carries) for each in decision.handoff.clocks] == [(ClockKind.TOUCH, 3)]
    lost = in_state("lost")
    after = run(lost, inputs.Fire(token=lost.token, number=lost.clocks[0].number, level=0))
    assert (after.state, after.result) == (State.NURTURE, "lost")


def test_a_ladder_may_end_in_a_pull_back() -> None:
    policy = replace(POLICY, rungs={**POLICY.rungs, ClockKind.ACCEPT: ("pull_back",)})
    handoff = in_state("assigned")
    decision = decide(handoff, inputs.Fire(token=handoff.token, number=handoff.clocks[0].number, level=0), policy)
    assert decision.handoff is not None
    assert (decision.handoff.state, decision.handoff.result) == (State.NURTURE, "pulled_back")


def test_a_second_pause_is_refused() -> None:
    resumed = run(in_state("paused"), inputs.Resume(by=ANNA))
    assert decide(resumed, inputs.Pause(by=ANNA, reason_code="internal"), POLICY).why == "pauses_used_up"


def test_a_touch_after_the_due_instant_leaves_the_breach() -> None:
    handoff = in_state("accepted")
    decision = decide(handoff, inputs.Touch(is_in_time=False), POLICY)
    assert _ended(decision.effects) == {ClockKind.TOUCH: ClockState.BREACHED}
    assert decision.handoff is not None
    assert decision.handoff.state is State.WORKING


@pytest.mark.parametrize(
    ("state", "event", "kind"),
    [
        ("assigned", inputs.Accept(by=ANNA), ClockKind.ACCEPT),
        ("assigned", inputs.Reject(by=ANNA, reason=reason("no_need")), ClockKind.ACCEPT),
        ("queued", inputs.Pull(rep_id=BERT), ClockKind.QUEUE),
        ("accepted", inputs.Dispose(by=None, how="opportunity"), ClockKind.TOUCH),
        ("working", inputs.Dispose(by=ANNA, how="opportunity"), ClockKind.DISPOSE),
        ("nurture", inputs.Enrol(), ClockKind.ENROL),
    ],
)
def test_an_act_after_the_due_instant_does_its_work_and_leaves_the_breach(
    state: str, event: inputs.Step, kind: ClockKind
) -> None:
    handoff = in_state(state)
    in_time = decide(handoff, event, POLICY)
    late = decide(handoff, replace(event, missed=tuple(each.number for each in handoff.clocks)), POLICY)
    assert in_time.handoff is not None
    assert late.handoff is not None
    assert _ended(in_time.effects)[kind] is ClockState.MET
    assert _ended(late.effects)[kind] is ClockState.BREACHED
    assert late.handoff.state is in_time.handoff.state
    assert announced(late) == announced(in_time)
    assert broken(late.handoff) == []


@pytest.mark.parametrize(
    ("state", "event", "kind"),
    [
        ("assigned", inputs.Reassign(rep_id=BERT), ClockKind.ACCEPT),
        ("accepted", inputs.Reassign(rep_id=BERT), ClockKind.TOUCH),
        ("working", inputs.Reassign(rep_id=BERT), ClockKind.DISPOSE),
        ("accepted", inputs.Pause(by=ANNA, reason_code="internal"), ClockKind.TOUCH),
        ("working", inputs.Pause(by=ANNA, reason_code="internal"), ClockKind.DISPOSE),
    ],
)
def test_a_promise_missed_already_is_not_taken_out_of_the_world_by_a_pause_or_another_owner(
    state: str, event: inputs.Step, kind: ClockKind
) -> None:
    handoff = in_state(state)
    in_time = decide(handoff, event, POLICY)
    late = decide(handoff, replace(event, missed=tuple(each.number for each in handoff.clocks)), POLICY)
    assert late.handoff is not None
    assert _ended(in_time.effects)[kind] is ClockState.VOID
    assert _ended(late.effects)[kind] is ClockState.BREACHED
    assert announced(late) == announced(in_time)
    assert kind not in {each.kind for each in late.handoff.carried}
    assert broken(late.handoff) == []


def test_after_a_pause_that_came_too_late_the_touch_is_promised_anew() -> None:
    accepted = in_state("accepted")
    number = accepted.clocks[0].number
    paused = run(accepted, inputs.Pause(by=ANNA, reason_code="internal", missed=(number,)))
    assert paused.missed_touches == (number,)
    resumed = run(paused, inputs.Resume(by=ANNA))
    assert [(each.kind, each.carries, each.level) for each in resumed.clocks] == [(ClockKind.TOUCH, None, 0)]
    assert broken(resumed) == []


@pytest.mark.parametrize("event", [inputs.Withdraw(), inputs.Revoke(reason="demoted"), inputs.RepOff(rep_id=ANNA)])
def test_what_nobody_of_sales_chose_ends_a_missed_promise_without_a_miss(event: inputs.Step) -> None:
    handoff = in_state("assigned")
    decision = decide(handoff, replace(event, missed=(handoff.clocks[0].number,)), POLICY)
    assert _ended(decision.effects)[ClockKind.ACCEPT] is ClockState.VOID


def test_a_touch_missed_by_an_act_that_came_too_late_may_still_be_learned() -> None:
    handoff = in_state("accepted")
    number = handoff.clocks[0].number
    won = run(handoff, inputs.Dispose(by=None, how="opportunity", missed=(number,)))
    assert announced(decide(won, inputs.LateEvidence(number=number), POLICY)) == ["retracted", "touched"]


def test_late_evidence_takes_a_missed_touch_back_once() -> None:
    accepted = in_state("accepted")
    number = accepted.clocks[0].number
    last = len(POLICY.rungs[ClockKind.TOUCH]) - 1
    missed = run(accepted, inputs.Fire(token=accepted.token, number=number, level=last))
    decision = decide(missed, inputs.LateEvidence(number=number), POLICY)
    assert [effect for effect in decision.effects if isinstance(effect, ClockRetracted)] == [ClockRetracted(number)]
    assert announced(decision) == ["retracted", "touched"]
    assert decision.handoff is not None
    assert decide(decision.handoff, inputs.LateEvidence(number=number), POLICY).verdict is Verdict.STALE


def test_reasons_ask_others_for_what_follows() -> None:
    asked = {
        code: [
            effect.what
            for effect in decide(in_state("assigned"), _rejected(code), POLICY).effects
            if isinstance(effect, Ask)
        ]
        for code in ("bad_data", "duplicate", "do_not_contact", "no_need")
    }
    assert asked == {"bad_data": ["enrich"], "duplicate": ["merge"], "do_not_contact": ["suppress"], "no_need": []}


def _rejected(code: str) -> inputs.Reject:
    return inputs.Reject(by=ANNA, reason=reason(code))


def test_a_lost_deal_may_suppress() -> None:
    policy = replace(POLICY, lost={"stop_writing": ReasonRoute(RouteWord.SUPPRESS)})
    event = inputs.CrmResult(result="lost", version=1, reason_code="stop_writing")
    decision = decide(in_state("opportunity"), event, policy)
    assert decision.handoff is not None
    assert (decision.handoff.state, decision.handoff.clocks) == (State.SUPPRESSED, ())


def test_an_older_version_is_told_from_a_newer_one_that_said_the_same() -> None:
    handoff = run(
        in_state("opportunity"),
        inputs.CrmResult(result="won", version=1, deal_id=DEAL),
        inputs.CrmResult(result="won", version=3, deal_id=DEAL),
    )
    late = decide(handoff, inputs.CrmResult(result="lost", version=2, deal_id=DEAL), POLICY)
    assert (late.verdict, late.why) == (Verdict.STALE, "older_version")


def test_a_low_version_of_a_second_deal_is_news() -> None:
    handoff = run(in_state("opportunity"), inputs.CrmResult(result="lost", version=9, deal_id=DEAL))
    won = run(handoff, inputs.CrmResult(result="won", version=1, deal_id=SECOND_DEAL))
    assert (won.state, len(won.deals)) == (State.WON, 2)


def test_closing_stops_what_is_pending_and_ends_the_assignment() -> None:
    decision = decide(in_state("assigned"), inputs.Withdraw(), POLICY)
    assert [type(effect) for effect in decision.effects if isinstance(effect, StopAll | AssignmentEnded)] == [
        AssignmentEnded,
        StopAll,
    ]


def test_a_manager_is_told_of_a_rep_that_left_accepted_work() -> None:
    decision = decide(in_state("working"), inputs.RepOff(rep_id=ANNA), POLICY)
    assert [effect.whom for effect in decision.effects if isinstance(effect, Notify)] == ["manager"]


def test_a_broken_handoff_is_named() -> None:
    handoff = in_state("assigned")
    assert broken(replace(handoff, owner_id=None)) == ["owned_state_has_one_owner"]
    assert broken(replace(handoff, clocks=())) == ["open_state_is_watched"]
    assert broken(replace(handoff, clocks=(Clock(9, ClockKind.TOUCH, 1),))) == [
        "clock_has_the_token",
        "clocks_fit_the_state",
        "clock_numbers_are_new",
    ]
