"""What marketing and sales asked to see: each of it is made by a sender that people really connect."""

import pytest

from services.ingest.adapters import ADAPTERS
from services.ingest.domain.activity import CHANNELS, DEFAULT_NAMES, content_of

SAY_ANYTHING = frozenset({"generic", "cloudevents"})  # a program of one's own can say every kind
FILES = frozenset({"csv_leads", "csv_activities"})
ASKED_FOR = {
    "total and first pages": ("page_view", "pricing_viewed"),
    "downloads": ("download",),
    "forms": ("form_submit",),
    "trial use": ("trial_started", "trial_used"),
    "discovery call asked for": ("meeting_requested", "demo_requested"),
    "mails received": ("email_delivered",),
    "mails opened": ("email_open",),
    "mails clicked": ("email_click",),
    "mails answered": ("email_replied",),
    "calls": ("call_connected", "call_attempted"),
    "webinars": ("webinar_registered", "webinar_attended"),
    "field events": ("field_event_registered", "field_event_attended"),
    "ad leads": ("ad_lead",),
}
BY_HAND_TOO = {"meetings held": "meeting_held", "visits": "site_visit"}
"""What no tool reports by itself: it comes by file, or from a program of one's own."""


def makers(kind: str) -> set[str]:
    """The senders that make a kind by their own table, or by the default table of names of tracked events."""
    own = {name for name, one in ADAPTERS.items() if kind in one.KINDS.values()} - SAY_ANYTHING
    tracked = {"segment"} if kind in DEFAULT_NAMES.values() else set()
    page = {"segment"} if kind == "pricing_viewed" else set()  # a page view, by its path
    return own | tracked | page


@pytest.mark.parametrize("asked", ASKED_FOR)
def test_each_kind_that_was_asked_for_comes_from_a_tool(asked: str) -> None:
    for kind in ASKED_FOR[asked]:
        assert makers(kind) - FILES, kind


@pytest.mark.parametrize("asked", BY_HAND_TOO)
def test_what_no_tool_reports_comes_by_file_and_from_programs(asked: str) -> None:
    kind = BY_HAND_TOO[asked]
    assert makers(kind) & FILES
    assert all(kind in ADAPTERS[name].KINDS.values() for name in SAY_ANYTHING)


def test_every_kind_of_the_closed_set_is_made_by_somebody() -> None:
    assert [kind for kind in CHANNELS if not makers(kind)] == []


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/compare/us-and-them", "comparison"),
        ("/blog-acme-vs-us-2026", "comparison"),
        ("/reviews", "review"),
        ("/en/review/acme", "review"),
        ("/preview", None),
        ("/pricing/eu", "pricing"),
    ],
)
def test_review_and_comparison_pages_are_told_by_their_path(path: str, content: str | None) -> None:
    assert content_of(path, ()) == content
