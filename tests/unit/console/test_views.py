"""Funnel, agreement, parked, rights, races, reasons, owners, resuming, guessing: the pages' pure parts."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.console.commands.act import body_of
from services.console.domain.agreement import agreement_page, condition_sentence, in_force, span_sentence
from services.console.domain.board import BoardFilter, board_of
from services.console.domain.durations import day_text
from services.console.domain.folding import fold_agreement
from services.console.domain.funnel import funnel_of, interval, rate_text
from services.console.domain.guessing import SHUT_AFTER, SHUT_SECONDS, wait_seconds
from services.console.domain.owners import OWNERS, owner_of
from services.console.domain.parked import groups_of, parked_item
from services.console.domain.queue import queue_item, queue_of
from services.console.domain.races import lost_race_sentence
from services.console.domain.reasons import missing_field
from services.console.domain.resume import Resume, resume_from
from services.console.domain.rights import PAGES, Role, Viewer, home_of, may_open, reach_of, sees_handoff
from services.console.domain.words import label, line_sentence, plural, points_text, spoken
from services.console.pages.rendering import initials_of, zone_of
from shared.errors import NotFound
from tests.support.builders.console import NOW, agreement_published, handoff_row, lead_row, named, user_row

AGREEMENT = fold_agreement(agreement_published())
STATIC = Path(__file__).resolve().parents[3] / "services" / "console" / "static"
VENDORED = {  # what was released: htmx.org 4.0.1
    "htmx-4.0.1.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "hx-sse-4.0.1.min.js": "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
}


def test_vendored_files_are_as_released_and_carry_their_licence() -> None:
    found = {file.name: sha256(file.read_bytes()).hexdigest() for file in (STATIC / "vendor").glob("*.js")}
    assert found == VENDORED
    assert "Zero-Clause BSD" in (STATIC / "vendor" / "htmx-LICENSE").read_text()


def test_the_funnel_says_nothing_of_fewer_than_five_and_an_interval_below_thirty() -> None:
    funnel = funnel_of({"steps": [{"name": n, "count": c} for n, c in (("known", 400), ("a", 20), ("b", 4), ("c", 2))]})
    assert [step.rate for step in funnel.steps] == ["", "5 %", "20 %", "\u2013"]
    assert [bool(step.interval) for step in funnel.steps] == [False, False, True, False]
    assert funnel.steps[0].bar_width == 620
    assert funnel_of({}).is_empty
    assert rate_text(1, 4) == "\u2013"


def test_wilsons_interval_is_the_published_one() -> None:
    low, high = interval(9, 24)
    assert (round(low, 3), round(high, 3)) == (0.212, 0.573)
    assert interval(0, 10)[0] == 0.0


def test_the_whole_default_agreement_is_on_the_page() -> None:
    page = agreement_page(AGREEMENT)
    titles = [section.title for section in page.sections]
    assert titles[:2] == ["Who agrees", "Qualified: default"]
    assert {"To whom", "By when", "Reasons", "What both teams promise", "What we look at together"} <= set(titles)
    cells = " | ".join(cell for s in page.sections for b in s.blocks for row in b.rows for cell in row)
    for wanted in ("5 minutes of open time", "24 hours", "Asked for a demo", "+30", "Competitor or student", "90%"):
        assert wanted in cells
    assert "65 points" in page.sections[1].intro


def test_conditions_and_spans_read_as_sentences() -> None:
    tree = {"all": [{"fact": "country", "op": "in", "value": ["DE", "AT"]}, {"not": {"fact": "tier", "value": "list"}}]}
    assert condition_sentence(tree) == "country is one of DE, AT and not (tier is list)"
    assert condition_sentence(None) == "always"
    assert condition_sentence({}) == "always"
    assert span_sentence({"minutes": 1}) == "1 minute of open time"
    assert span_sentence({"wall_days": 30}) == "30 days"
    assert span_sentence({}) == ""


def test_the_version_in_force_is_the_highest_that_has_begun() -> None:
    later = fold_agreement(agreement_published(version=2))
    future = [AGREEMENT, later]
    assert in_force(future, now=NOW) is later
    assert in_force([], now=NOW) is None
    assert in_force([AGREEMENT], now=AGREEMENT.effective_from - timedelta(seconds=1)) is None


def test_parked_events_are_grouped_and_a_deliverys_body_is_not_shown() -> None:
    values = {"id": "1", "consumer": "scoring", "reason": "schema", "payload": "{}", "parked_at": NOW.isoformat()}
    items = [
        parked_item("scoring", {**values, "topic": "baton.activities"}),
        parked_item("scoring", {**values, "topic": "baton.activities", "parked_at": None}),
        parked_item("ingest", {**values, "topic": "baton.deliveries", "payload": "anna@example.org"}),
    ]
    groups = groups_of(items)
    assert [len(group.items) for group in groups] == [2, 1]
    assert items[0].body == "{}"
    assert items[2].body == ""


@pytest.mark.parametrize("role", list(Role))
def test_every_role_starts_on_a_page_it_has(role: Role) -> None:
    start = next(page for page in PAGES if page.path == home_of(role))
    assert may_open(start.name, role)
    assert not may_open("nothing", role)


def test_rows_are_seen_by_owner_team_or_role() -> None:
    mine, theirs = named("team", "mine"), named("team", "theirs")
    rep = user_row("Priya Nair", team_id=mine)
    owned = handoff_row(owner_id=rep.user_id)
    free = handoff_row("free", owner_id=None)
    users = {rep.user_id: rep}
    seen = {
        (Role.REP, rep.user_id, mine): (True, False),
        (Role.REP, named("user", "other"), mine): (False, False),
        (Role.MANAGER, named("user", "boss"), mine): (True, True),
        (Role.MANAGER, named("user", "boss"), theirs): (False, True),
        (Role.MANAGER, named("user", "boss"), None): (False, False),  # manages nobody
        (Role.MANAGER, rep.user_id, None): (True, False),
        (Role.MARKETER, named("user", "mark"), None): (True, True),
        (Role.REVOPS, named("user", "rev"), None): (True, True),
    }
    for (role, user_id, team), wanted in seen.items():
        viewer = Viewer(user_id, role, team)
        assert (sees_handoff(viewer, owned, users), sees_handoff(viewer, free, users)) == wanted, role
        reach = reach_of(viewer, users.values())  # the store's rule is the same
        assert (reach.owner_ids is None or rep.user_id in reach.owner_ids, reach.has_unowned) == wanted, role
    stranger = handoff_row("stranger", owner_id=named("user", "of nobody"))
    assert not sees_handoff(Viewer(named("user", "boss"), Role.MANAGER, mine), stranger, users)


def test_a_lost_race_is_one_sentence_with_who_what_and_when() -> None:
    priya, jonas = user_row("Priya Nair"), user_row("Jonas Weber")
    users, zone = {one.user_id: one for one in (priya, jonas)}, ZoneInfo("Europe/Berlin")

    def told(**changes: object) -> str:
        row = handoff_row(last_at=NOW, **{"last_name": "accepted", **changes})
        return lost_race_sentence(row, users, me=priya.user_id, zone=zone)

    assert told(last_actor_id=jonas.user_id) == "Jonas Weber accepted this lead at 11:00."
    assert told(last_actor_id=priya.user_id) == "You accepted this lead in another window at 11:00."
    assert told(last_name="assigned", owner_id=jonas.user_id) == "Baton gave this lead to Jonas Weber at 11:00."
    assert told(last_name="closed", last_actor="crm") == "The CRM closed this handoff at 11:00."
    assert told(last_name="strange") == "Baton changed this lead at 11:00."
    assert told(last_actor_id=named("user", "gone")) == "another rep accepted this lead at 11:00."
    newer = {"token": 9, "state": "accepted", "owner_id": str(jonas.user_id)}
    sentence = lost_race_sentence(handoff_row(), users, me=priya.user_id, zone=zone, current=newer)
    assert sentence == "Somebody was faster: this lead is accepted now, held by Jonas Weber."
    odd = {"token": 9, "state": "queued", "owner_id": "no id"}
    assert lost_race_sentence(handoff_row(), users, me=priya.user_id, zone=zone, current=odd).endswith("queued now.")
    assert lost_race_sentence(None, users, me=priya.user_id, zone=zone).startswith("This lead changed")


def test_a_reason_asks_for_what_was_agreed() -> None:
    assert missing_field("accept", {}, AGREEMENT) == ""
    assert missing_field("reject", {}, AGREEMENT) == "Choose a reason."
    assert missing_field("reject", {"reason_code": "no_need"}, AGREEMENT) == ""
    assert "say from when" in missing_field("reject", {"reason_code": "bad_timing"}, AGREEMENT)
    assert missing_field("reject", {"reason_code": "bad_timing", "until_on": "2026-09-01"}, AGREEMENT) == ""
    assert "add a note" in missing_field("dispose", {"disposition": "recycle", "reason_code": "other"}, AGREEMENT)
    assert missing_field("dispose", {"disposition": "opportunity"}, AGREEMENT) == ""
    assert missing_field("reject", {"reason_code": "new_code"}, None) == ""


def test_every_forwarded_prefix_has_one_owner() -> None:
    assert {owner_of(f"{prefix}/1/x") for prefix in OWNERS} == {"ingest", "scoring", "handoff", "feedback"}
    assert owner_of("users") is None
    assert owner_of("") is None
    assert body_of("return", {}) == {"disposition": "return"}
    assert body_of("reject", {"reason_code": "price", "text": "", "csrf": "x"}) == {"reason_code": "price"}
    with pytest.raises(NotFound):
        body_of("explode", {})


@pytest.mark.parametrize(
    ("last_seen", "wanted"),
    [
        ("1", Resume(10_000, is_stale=True)),
        ("5000", Resume(5_000, is_stale=False)),
        ("4999", Resume(10_000, is_stale=True)),
        ("10000", Resume(10_000, is_stale=False)),
        ("15000", Resume(10_000, is_stale=True)),
        ("abc", Resume(10_000, is_stale=False)),
        ("-1", Resume(10_000, is_stale=False)),
        ("", Resume(10_000, is_stale=False)),
        (str(2**63), Resume(10_000, is_stale=True)),
        ("9" * 40, Resume(10_000, is_stale=False)),
        ("\u0663", Resume(10_000, is_stale=False)),
    ],
)
def test_case_25_where_a_stream_goes_on(last_seen: str, wanted: Resume) -> None:
    assert resume_from(last_seen, current=10_000, kept=5_000) == wanted


def test_guesses_wait_twice_as_long_each_time_and_then_meet_a_shut_door() -> None:
    waits = [wait_seconds(failures, since_last=0) for failures in range(SHUT_AFTER + 2)]
    assert waits[:5] == [0] * 5
    assert waits[5:10] == [1, 2, 4, 8, 16]
    assert waits[10:] == [SHUT_SECONDS, SHUT_SECONDS]
    assert wait_seconds(7, since_last=4.0) == 0


def test_words_of_closed_sets_and_of_what_nobody_listed() -> None:
    assert label("reason", "bad_timing") == "Not now"
    assert label("reason", "brand_new_reason") == "Brand new reason"
    assert spoken("a_b") == "A b"
    assert [points_text(n) for n in (20, 0, -5)] == ["+20", "0", "\u22125"]
    assert [plural(n, "lead") for n in (1, 2)] == ["1 lead", "2 leads"]
    assert line_sentence("page_view:case_study") == "Read a case study"
    assert line_sentence("staff_band=201-1000") == "Company of 201-1000 people"
    assert line_sentence("department=human_resources") == "Works in human resources"
    assert line_sentence("something_new") == "Something new"
    assert line_sentence("clamp:points") == "Kept between 0 and 100"
    assert line_sentence("") == "Other"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("model:title_level=vp", "Job level is VP, by outcomes so far"),
        ("model:title_level", "Title level is not known, by outcomes so far"),
        ("model:count.page_view=7", "Page view, 7 times, by outcomes so far"),
        ("model:count.page_view", "No page view, by outcomes so far"),
        ("model:days_since.email_click=3", "Email click 3 days ago, by outcomes so far"),
        ("model:weight.page_view:blog@30d=0.8", "Page view blog lately, by outcomes so far"),
        ("model:start=31", "Where every lead starts. Each 20 points double the odds of a win: 31 in 100 here"),
        ("model:chance=31", "By outcomes so far, 31 in 100 leads with such a score are won"),
    ],
)
def test_what_a_model_adds_reads_as_a_sentence(line: str, sentence: str) -> None:
    assert line_sentence(line) == sentence


def test_initials_and_zones() -> None:
    assert [initials_of(name) for name in ("Anna Berg", "Cher", "", "Ana Maria Lopez")] == ["AB", "C", "\u00b7", "AL"]
    assert str(zone_of("Europe/Berlin")) == "Europe/Berlin"
    assert str(zone_of("Not/Azone")) == "UTC"


def test_a_clause_nobody_taught_this_page_is_still_shown() -> None:
    document = {
        "agreement": {},
        "brand_new_clause": "every Friday",
        "parties": {"sales": {"signs": "head of sales", "owes": ["an answer"]}},
        "reports": [{"name": "loop_review", "numbers": ["pipeline_minor"]}],
        "commitments": [{"team": "sales", "measure": "meetings"}],
        "routing": {"handoff_scope": "person", "rules": [{"rule": "pool", "pool": "default"}]},
        "reasons": {"odd": {"why_not": {"needs": "text"}, "plain": "nurture"}},
        "qualification": [{"product": "plain"}],
    }
    page = agreement_page(replace(AGREEMENT, document=document))
    assert page.sections[-1].title == "Further clauses"
    assert page.sections[-1].blocks[0].rows == (("Brand new clause", "every Friday"),)
    routing = next(section for section in page.sections if section.anchor == "routing")
    assert "the person" in routing.intro
    assert agreement_page(replace(AGREEMENT, document={})).sections == ()


def test_an_unknown_owner_has_a_name_and_a_filter_hides_by_owner_and_state() -> None:
    items = [
        queue_item(handoff_row("one", owner_id=named("user", "gone")), lead_row(), None, now=NOW),
        queue_item(handoff_row("two", state="working", owner_id=None), lead_row(), None, now=NOW),
    ]
    board = board_of(items, users={}, chosen=BoardFilter())
    assert {line.name[:4] for line in board.reps} == {"Rep ", "No o"}
    assert not board.columns[0].items
    assert BoardFilter().is_set is False
    assert board_of(items, users={}, chosen=BoardFilter(owner_id=named("user", "gone"))).total == 1
    assert board_of(items, users={}, chosen=BoardFilter(state="working")).hidden == 1
    assert queue_of(items).to_accept == 1


def test_a_day_reads_as_people_write_it() -> None:
    assert day_text(NOW) == "Wed 10 Jun"


def test_detours_may_come_as_a_mapping_or_not_at_all() -> None:
    assert funnel_of({"detours": {"lost": 3}}).detours == (("lost", "Lost", 3),)
    assert funnel_of({"detours": 7}).detours == ()
    assert funnel_of({"steps": [{"name": "known", "count": 0}]}).is_empty
