"""What is shown of clocks, and in which order a rep's queue stands."""

from dataclasses import replace
from datetime import timedelta

from services.console.domain.board import BoardFilter, board_of, cause_of
from services.console.domain.clocks import Urgency, clock_face
from services.console.domain.durations import remaining_text, span_text
from services.console.domain.queue import QueueItem, actions_of, queue_item, queue_of
from services.console.domain.records import EscalationRow, Points
from tests.support.builders.console import NOW, clock_row, handoff_row, lead_row, named, user_row


def item(name: str, *, due_in: timedelta, score: int = 50, **changes: object) -> QueueItem:
    handoff = handoff_row(name, **{"clocks": (clock_row(due_in=due_in),), **changes})
    return queue_item(handoff, lead_row(name, score=score), None, now=NOW)


def test_a_clock_is_at_risk_in_its_last_quarter_and_breached_from_its_deadline() -> None:
    handoff = handoff_row(clocks=(clock_row(due_in=timedelta(hours=4)),))
    moments = {0: "waiting", 179: "waiting", 180: "at_risk", 239: "at_risk", 240: "breached", 300: "breached"}
    for minutes, wanted in moments.items():
        face = clock_face(handoff, now=NOW + timedelta(minutes=minutes))
        assert face is not None
        assert face.urgency == wanted, minutes


def test_the_clock_of_the_act_that_is_waited_for_stands_in_front() -> None:
    handoff = handoff_row(
        state="accepted",
        clocks=(clock_row("stale", due_in=timedelta(minutes=1)), clock_row("touch", due_in=timedelta(hours=1))),
    )
    face = clock_face(handoff, now=NOW)
    assert face is not None
    assert face.name == "First touch"


def test_a_paused_clock_stands_still_and_says_why() -> None:
    handoff = handoff_row(state="working", clocks=(clock_row("resume"), clock_row("dispose")), reason_code="lead_away")
    face = clock_face(handoff, now=NOW + timedelta(days=9))
    assert face is not None
    assert (face.urgency, face.why) == (Urgency.PAUSED, "Lead is away")
    assert actions_of(handoff) == ("resume", "touch", "dispose", "return")


def test_a_pause_that_is_over_leaves_nothing_to_resume() -> None:
    for ended in ("met", "void"):
        handoff = handoff_row(state="working", clocks=(clock_row("resume", state=ended), clock_row("dispose")))
        assert "resume" not in actions_of(handoff), ended
        assert "pause" in actions_of(handoff), ended


def test_clocks_that_ended_are_not_shown() -> None:
    assert clock_face(handoff_row(clocks=(clock_row(state="met"), clock_row(state="void"))), now=NOW) is None


def test_late_ones_come_first_then_the_nearest_deadline_then_paused() -> None:
    paused = item("paused", due_in=timedelta(hours=1), state="working", clocks=(clock_row("resume"),))
    items = [
        item("later", due_in=timedelta(hours=3)),
        paused,
        item("late", due_in=timedelta(hours=-1)),
        item("soon", due_in=timedelta(minutes=5)),
    ]
    order = [one.handoff.handoff_id for one in queue_of(items).items]
    assert order == [named("handoff", name) for name in ("late", "soon", "later", "paused")]


def test_the_opened_lead_is_in_front_unless_it_is_leaving() -> None:
    items = [item("one", due_in=timedelta(hours=1)), item("two", due_in=timedelta(hours=2))]
    two = named("handoff", "two")
    opened = queue_of(items, focus=two).next
    assert opened is not None
    assert opened.handoff.handoff_id == two
    leaving = queue_of(items, focus=two, leaving={two}).next
    assert leaving is not None
    assert leaving.handoff.handoff_id == named("handoff", "one")
    assert queue_of(items, leaving={two, named("handoff", "one")}).next is None


def test_the_three_strongest_reasons_are_sentences() -> None:
    reasons = (
        Points("title_level=vp", 20),
        Points("page_view:blog", 2),
        Points("email_unsubscribe", -20),
        Points("cap:research", -38),
        Points("model:start=31", -44),
        Points("pricing_viewed", 18),
    )
    decision = {"lines": [{"line": "title_level=vp", "points": 19}, {"line": "page_view:careers", "points": -1}]}
    shown = queue_item(handoff_row(), lead_row(reasons=reasons, decision=decision), None, now=NOW).reasons
    assert [(one.text, one.points) for one in shown] == [
        ("Unsubscribed", -20),
        ("Job level is VP", 20),
        ("Looked at pricing", 18),
    ]


def test_the_board_counts_exactly_the_rows_it_shows() -> None:
    jonas = user_row("Jonas Weber")
    items = [
        item("late", due_in=timedelta(hours=-1), owner_id=jonas.user_id),
        item("waiting", due_in=timedelta(hours=3), owner_id=jonas.user_id, tier="hand_raiser"),
        item("queued", due_in=timedelta(hours=3), owner_id=None, state="queued", clocks=(clock_row("queue"),)),
        item("no clock", due_in=timedelta(), clocks=()),
    ]
    board = board_of(items, users={jonas.user_id: jonas}, chosen=BoardFilter())
    assert {column.urgency: len(column.items) for column in board.columns} == {
        "breached": 1,
        "at_risk": 0,
        "waiting": 2,
        "paused": 0,
    }
    assert [(line.name, line.breached, line.held) for line in board.reps] == [
        ("Jonas Weber", 1, 2),
        ("No owner yet", 0, 1),
    ]
    filtered = board_of(items, users={}, chosen=BoardFilter(tier="hand_raiser"))
    assert (filtered.total, filtered.hidden) == (1, 2)


def test_the_cause_of_a_late_clock_is_the_system_when_it_was_late_by_system() -> None:
    late = handoff_row(escalations=(EscalationRow(1, "rep", NOW, "accept", is_late_by_system=True),))
    shown = queue_item(late, lead_row(), None, now=NOW)
    assert cause_of(shown) == "System delay"
    assert cause_of(queue_item(handoff_row(), lead_row(), None, now=NOW)) == ""
    by_rep = replace(late, escalations=(EscalationRow(1, "rep", NOW),))
    assert cause_of(queue_item(by_rep, lead_row(), None, now=NOW)) == "Not answered in time"


def test_spans_read_as_their_two_largest_units() -> None:
    assert [span_text(s) for s in (0, 59, 60, 3_600, 11_400, 360_000)] == [
        "0 s", "59 s", "1 min", "1 h", "3 h 10 min", "4 d 4 h",
    ]  # fmt: skip
    assert [remaining_text(s) for s in (0, 245, 3_599, 3_600, -5, -65, -7_260)] == [
        "0:00", "4:05", "59:59", "1 h", "late by 5 s", "late by 1 min", "late by 2 h 1 min",
    ]  # fmt: skip
