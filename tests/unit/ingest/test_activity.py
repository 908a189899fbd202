"""Kinds, times, traffic sources and content: one rule per test."""

from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.domain.activity import BROWSER_KINDS, CHANNELS, channel_of, content_of, kind_of, occurred, placed
from services.ingest.domain.observation import Observation, Operation, Touch
from shared.contracts.kinds import ActivityKind, Channel

AT = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def tracked(name: str | None = None, kind: str | None = None) -> Observation:
    return Observation(Operation.ACTIVITY, name=name, kind=kind)


def test_the_closed_set_of_kinds_is_the_contracts() -> None:
    assert set(CHANNELS) == {kind.value for kind in ActivityKind}
    assert {channel_of(kind) for kind in CHANNELS} == {channel.value for channel in Channel}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Form Submitted", "form_submit"),
        ("lead_captured", "form_submit"),
        ("Whitepaper Downloaded", "download"),
        ("whitePaperDownloaded", "download"),
        ("Downloaded", "custom"),
        ("Trial Started", "trial_started"),
        ("Meeting Booked", "meeting_requested"),
        ("Email Link Clicked", "email_click"),
        ("Call Completed", "call_connected"),
        ("!!!", "custom"),
        (None, "custom"),
    ],
)
def test_names_of_tracked_events_are_words_in_a_table(name: str | None, kind: str) -> None:
    assert kind_of(tracked(name), names={}, verified_by="server_key", content=None) == kind


def test_a_sources_own_table_goes_before_the_default_one() -> None:
    names = {"form submitted": "demo_requested", "* downloaded": "custom", "odd": "no such kind"}
    assert kind_of(tracked("Form Submitted"), names=names, verified_by="server_key", content=None) == "demo_requested"
    assert kind_of(tracked("Guide Downloaded"), names=names, verified_by="server_key", content=None) == "custom"
    assert kind_of(tracked("Odd"), names=names, verified_by="server_key", content=None) == "custom"


@pytest.mark.parametrize("kind", sorted(set(CHANNELS) - BROWSER_KINDS))
def test_a_public_key_adds_only_what_it_may(kind: str) -> None:
    assert kind_of(tracked(kind=kind), names={}, verified_by="browser_key", content=None) == "custom"
    assert kind_of(tracked(kind=kind), names={}, verified_by="signature", content=None) == kind


def test_a_view_of_a_pricing_page_is_a_kind_of_its_own() -> None:
    assert (
        kind_of(tracked(kind="page_view"), names={}, verified_by="browser_key", content="pricing") == "pricing_viewed"
    )
    assert kind_of(tracked(kind="download"), names={}, verified_by="browser_key", content="pricing") == "download"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/pricing", "pricing"),
        ("/en/pricing/enterprise", "pricing"),
        ("/tools/roi-savings-calculator", "roi_calculator"),
        ("/case-studies/acme", "case_study"),
        ("/us-vs-them", "comparison"),
        ("/resources/White-Paper-2026.pdf", "white_paper"),
        ("/blog/2026/x", "blog"),
        ("/careers", "careers"),
        ("/contact-sales", "contact_sales"),
        ("/about", None),
        ("", None),
        (None, None),
    ],
)
def test_a_page_is_worth_what_its_path_says(path: str | None, content: str | None) -> None:
    assert content_of(path, ()) == content


def test_a_sources_pages_go_before_the_default_ones() -> None:
    assert content_of("/pricing", (("/pricing", "other"),)) == "other"
    assert content_of("/preise", (("/preise", "pricing"),)) == "pricing"
    assert content_of("/ab", (("/a*b*b", "x"), ("*zz*", "y"), ("/a*c", "z"))) is None


@pytest.mark.parametrize(
    ("timestamp", "sent_at", "expected", "flag"),
    [
        (None, None, AT, "absent"),
        (AT - HOUR, None, AT - HOUR, ""),
        (AT - HOUR, AT - timedelta(minutes=4, seconds=59), AT - HOUR, ""),
        (AT - HOUR, AT - timedelta(minutes=5), AT - HOUR + timedelta(minutes=5), "corrected"),
        (AT + 2 * HOUR, AT + 2 * HOUR, AT, "corrected"),
        (AT - timedelta(days=9), AT - timedelta(days=9), AT - timedelta(days=7), "corrected"),
        (AT + timedelta(minutes=5), None, AT + timedelta(minutes=5), ""),
        (AT + timedelta(minutes=6), None, AT, "future"),
        (AT + timedelta(days=3650), AT + timedelta(days=3650), AT, "future"),
        (datetime(1, 1, 1, tzinfo=UTC), None, AT, "absent"),
        (datetime(9999, 12, 31, tzinfo=UTC), None, AT, "absent"),
        (AT - HOUR, datetime(1, 1, 1, tzinfo=UTC), AT - HOUR, ""),
    ],
)
def test_a_wrong_clock_is_corrected_and_delivery_time_is_not(
    timestamp: datetime | None, sent_at: datetime | None, expected: datetime, flag: str
) -> None:
    timed = occurred(timestamp, sent_at=sent_at, received_at=AT)
    assert (timed.occurred_at, timed.flag) == (expected, flag)


def test_a_time_without_zone_is_no_time() -> None:
    assert occurred(datetime(2026, 6, 1), sent_at=None, received_at=AT).flag == "absent"  # noqa: DTZ001


@pytest.mark.parametrize(
    ("touch", "source", "medium", "campaign"),
    [
        (Touch(url="https://e.test/?utm_source=ads&utm_medium=cpc&utm_campaign=june"), "ads", "cpc", "june"),
        (Touch(url="https://e.test/?utm_source=ads", traffic_source="mail", medium="email"), "ads", "email", None),
        (Touch(url="https://e.test/", traffic_source="mail", campaign="q4"), "mail", None, "q4"),
        (Touch(url="https://e.test/?gclid=AbC"), "google", "cpc", None),
        (Touch(url="https://e.test/?li_fat_id=1&utm_medium=social"), "linkedin", "social", None),
        (Touch(url="https://e.test/", referrer="https://search.example/q?x"), "search.example", "referral", None),
        (Touch(url="https://e.test/", referrer="https://e.test/other"), None, None, None),
        (Touch(url="https://e.test/"), "direct", None, None),
        (Touch(url="/only/a/path"), "direct", None, None),
        (Touch(), None, None, None),
        (Touch(url="https://[broken"), None, None, None),
        (Touch(url="javascript:alert(1)"), None, None, None),
    ],
)
def test_the_url_goes_before_what_is_said_before_the_referrer_before_direct(
    touch: Touch, source: str | None, medium: str | None, campaign: str | None
) -> None:
    place = placed(touch, pages=())
    assert (place.traffic_source, place.medium, place.campaign) == (source, medium, campaign)


def test_a_place_keeps_the_path_and_hosts_but_no_query() -> None:
    place = placed(
        Touch(
            url="https://e.test/pricing?email=kim@acme.example",
            referrer="https://a.test/?q=kim",
            link="https://l.test/x?y",
        ),
        pages=(),
    )
    assert (place.page_path, place.referrer_host, place.link_host, place.content) == (
        "/pricing",
        "a.test",
        "l.test",
        "pricing",
    )
    assert place.first_page == "/pricing"
    assert "kim" not in str(place)
    assert placed(Touch(asset="sla-white-paper.pdf"), pages=()).content == "white_paper"
