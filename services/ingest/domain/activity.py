"""Decides what an observation is as an activity: its kind, channel, true time, source of traffic and page content.

It knows the closed set of kinds and the tables of one source, not who did it. Invariants: the kind is of the closed
set; a public browser key adds only the kinds it may; occurred_at is never more than FUTURE_MAX ahead (SENDERS
sections 4, 5).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from services.ingest.domain.observation import Observation, Touch

__all__ = [
    "BROWSER_KINDS",
    "CHANNELS",
    "DEFAULT_NAMES",
    "DEFAULT_PAGES",
    "Placed",
    "Timed",
    "channel_of",
    "clicked_source",
    "content_of",
    "kind_of",
    "occurred",
    "placed",
]

SKEW_MIN: Final = timedelta(minutes=5)  # less is delivery time, not a wrong clock
SKEW_MAX: Final = timedelta(hours=48)  # more is no clock error that could be undone
FUTURE_MAX: Final = timedelta(minutes=5)
_YEAR_MIN, _YEAR_MAX = 1990, 2100  # outside, a time is a placeholder or an overflow

CHANNELS: Final[Mapping[str, str]] = {
    "page_view": "web",
    "pricing_viewed": "web",
    "download": "web",
    "webinar_registered": "web",
    "webinar_attended": "web",
    "custom": "web",
    "form_submit": "form",
    "demo_requested": "form",
    "meeting_requested": "form",
    "ad_lead": "form",
    "email_sent": "email",
    "email_delivered": "email",
    "email_open": "email",
    "email_click": "email",
    "email_bounce": "email",
    "email_subscribe": "email",
    "email_unsubscribe": "email",
    "email_spam": "email",
    "email_replied": "email",
    "call_connected": "call",
    "call_attempted": "call",
    "meeting_held": "call",
    "field_event_registered": "field_event",
    "field_event_attended": "field_event",
    "site_visit": "field_event",
    "trial_started": "product",
    "trial_used": "product",
}
"""The closed set of kinds (DOMAIN section 3), each with its channel."""

BROWSER_KINDS: Final = frozenset(
    {
        "page_view",
        "pricing_viewed",
        "form_submit",
        "download",
        "trial_started",
        "trial_used",
        "demo_requested",
        "meeting_requested",
        "webinar_registered",
        "custom",
    }
)

DEFAULT_NAMES: Final[Mapping[str, str]] = {
    "form submitted": "form_submit",
    "lead captured": "form_submit",
    "* downloaded": "download",
    "trial started": "trial_started",
    "trial used": "trial_used",
    "webinar registered": "webinar_registered",
    "webinar attended": "webinar_attended",
    "demo requested": "demo_requested",
    "meeting requested": "meeting_requested",
    "meeting booked": "meeting_requested",
    "email opened": "email_open",
    "email link clicked": "email_click",
    "link clicked": "email_click",
    "call completed": "call_connected",
}
"""Names of tracked events in lower-case words to kinds; a leading `*` stands for any words."""

DEFAULT_PAGES: Final[Sequence[tuple[str, str]]] = (
    ("/pricing*", "pricing"),
    ("*/pricing*", "pricing"),
    ("*roi*calculator*", "roi_calculator"),
    ("*/case-stud*", "case_study"),
    ("*/customers/*", "case_study"),
    ("*/compar*", "comparison"),
    ("*-vs-*", "comparison"),
    ("*/review*", "review"),
    ("*white*paper*", "white_paper"),
    ("*/blog*", "blog"),
    ("*/careers*", "careers"),
    ("*/jobs*", "careers"),
    ("*/contact*", "contact_sales"),
)
"""Path patterns (`*` = anything) to content, first match wins; a source may put its own before them."""

_CLICK_IDS: Final[Mapping[str, str]] = {
    "gclid": "google",
    "gbraid": "google",
    "wbraid": "google",
    "dclid": "google",
    "msclkid": "bing",
    "fbclid": "facebook",
    "li_fat_id": "linkedin",
    "twclid": "twitter",
    "ttclid": "tiktok",
}
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True, slots=True)
class Timed:
    """When it happened, and why that differs from what was said: absent, corrected, future, or ""."""

    occurred_at: datetime
    flag: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where an activity came from: nothing of it names a person (the path without query, hosts without paths)."""

    traffic_source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    referrer_host: str | None = None
    page_path: str | None = None
    first_page: str | None = None
    content: str | None = None
    link_host: str | None = None


def occurred(timestamp: datetime | None, *, sent_at: datetime | None, received_at: datetime) -> Timed:
    """The timestamp + (received_at - sent_at) when that difference is 5 min or more, bounded to 48 h either way.

    An absent or impossible timestamp, and one more than 5 min ahead after that, is received_at. Source: SENDERS
    section 4.
    """
    if not _is_possible(timestamp):
        return Timed(received_at, "absent")
    assert timestamp is not None, "a possible time is there"
    flag = ""
    if _is_possible(sent_at):
        assert sent_at is not None, "a possible time is there"
        skew = received_at - sent_at
        if abs(skew) >= SKEW_MIN:
            timestamp += max(-SKEW_MAX, min(SKEW_MAX, skew))
            flag = "corrected"
    if timestamp > received_at + FUTURE_MAX:
        return Timed(received_at, "future")
    return Timed(timestamp.astimezone(UTC), flag)


def kind_of(observation: Observation, *, names: Mapping[str, str], verified_by: str, content: str | None) -> str:
    """The kind by the adapter, else by the source's table of names, else by the default one, else `custom`."""
    kind = observation.kind or _named(observation.name, names) or _named(observation.name, DEFAULT_NAMES) or "custom"
    if kind not in CHANNELS:
        kind = "custom"
    if verified_by == "browser_key" and kind not in BROWSER_KINDS:
        kind = "custom"
    return "pricing_viewed" if kind == "page_view" and content == "pricing" else kind


def channel_of(kind: str) -> str:
    """The channel of a kind of the closed set."""
    return CHANNELS[kind]


def content_of(path: str | None, pages: tuple[tuple[str, str], ...]) -> str | None:
    """What a page is worth: the first pattern of the source's table, then of the default one, that fits the path."""
    return _content_of(path, pages) if path else None


@lru_cache(maxsize=4096)  # a site has few pages and many views
def _content_of(path: str, pages: tuple[tuple[str, str], ...]) -> str | None:
    lowered = path.lower()
    for pattern, content in (*pages, *DEFAULT_PAGES):
        if _fits(lowered, pattern.lower()):
            return content
    return None


def placed(touch: Touch, *, pages: tuple[tuple[str, str], ...]) -> Placed:
    """The marketing triple and the page: URL first, then what the sender says, then the referrer, then direct.

    A web visit with neither is `direct`, never left open: an empty first touch would later be filled by an ad click.
    """
    host, path, query = _url_parts(touch.url)
    referrer_host = _url_parts(touch.referrer)[0]
    if referrer_host is not None and referrer_host == host:
        referrer_host = None
    traffic_source = query.get("utm_source") or touch.traffic_source
    medium = query.get("utm_medium") or touch.medium
    campaign = query.get("utm_campaign") or touch.campaign
    clicked = clicked_source(query)
    if traffic_source is None and clicked is not None:
        traffic_source, medium = clicked, medium or "cpc"
    is_entry = traffic_source is not None or referrer_host is not None or (path is not None and not touch.referrer)
    if traffic_source is None and referrer_host is not None:
        traffic_source, medium = referrer_host, medium or "referral"
    if traffic_source is None and path is not None and not touch.referrer:
        traffic_source = "direct"
    content = content_of(path, pages) or content_of(touch.asset, pages)
    return Placed(
        traffic_source=traffic_source,
        medium=medium,
        campaign=campaign,
        referrer_host=referrer_host,
        page_path=path,
        first_page=path if is_entry else None,
        content=content,
        link_host=_url_parts(touch.link)[0],
    )


def clicked_source(values: Mapping[str, object]) -> str | None:
    """The network whose click id stands among these values: who came by a paid click came from there."""
    if not values:  # most addresses have no query
        return None
    return next((source for name, source in _CLICK_IDS.items() if values.get(name)), None)


def _is_possible(moment: datetime | None) -> bool:
    return moment is not None and moment.tzinfo is not None and _YEAR_MIN <= moment.year <= _YEAR_MAX


def _named(name: str | None, table: Mapping[str, str]) -> str | None:
    if not name or not table:
        return None
    words = _words(name)
    if words in table:
        return table[words]
    for pattern, kind in table.items():
        if pattern.startswith("* ") and words.endswith(pattern[1:]):
            return kind
    return None


@lru_cache(maxsize=4096)
def _words(name: str) -> str:
    """The name of an event in lower-case words."""
    return " ".join(_WORD.findall(name)).lower() or name.lower()


def _fits(text: str, pattern: str) -> bool:
    """Whether a pattern with `*` fits the whole text; no other sign is special, so no pattern can be slow."""
    parts = pattern.split("*")
    if len(parts) == 1:
        return text == pattern
    first, last = parts[0], parts[-1]
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at = len(first)
    for part in parts[1:-1]:
        found = text.find(part, at, len(text) - len(last))
        if found < 0:
            return False
        at = found + len(part)
    return True


@lru_cache(maxsize=4096)
def _url_parts(url: str | None) -> tuple[str | None, str | None, Mapping[str, str]]:
    """(host, path, query) of a web address; an unreadable one says nothing."""
    if not url:
        return None, None, {}
    try:
        parts = urlsplit(url)
        host = parts.hostname
        query = dict(parse_qsl(parts.query, max_num_fields=200))
    except ValueError:
        return None, None, {}
    if parts.scheme not in {"", "http", "https"}:
        return None, None, {}
    return host, parts.path or ("/" if host else None), query
