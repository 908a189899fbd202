"""Decides how likely a person, not software, did something: `human` from 0 to 1, with the rule that said so.

Machine activities are marked, never dropped, and below one half worth nothing. The rules are data, first match of a
table wins, the lowest verdict counts. Invariant: the final verdicts on a mail's activities depend on the set of them,
not on their order of arrival (SENDERS section 5).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

__all__ = ["MailActivity", "Verdict", "at_first_sight", "judged", "user_agent_family"]

OPEN_AFTER_DELIVERY: Final = timedelta(seconds=2)  # nobody opens that fast; privacy proxies and gateways do
SCAN_WINDOW: Final = timedelta(seconds=10)
SCAN_LINKS_MIN: Final = 3  # links of one mail within SCAN_WINDOW: a gateway follows them all


@dataclass(frozen=True, slots=True)
class Verdict:
    """The probability that a person did it, and the rule that lowered it ("" when none did)."""

    human: float = 1.0
    reason: str = ""

    def lower(self, other: "Verdict") -> "Verdict":
        """The verdict with the smaller probability; equal ones keep this."""
        return other if other.human < self.human else self


_PERSON: Final = Verdict()
_OWN_FLAG_PREFIX: Final = "sender:"

# (part of the user agent in lower case, reason, human); a proxy may open for a person, a crawler never does.
_AGENTS: Final[Sequence[tuple[str, str, float]]] = (
    ("googleimageproxy", "mail_proxy", 0.6),  # loads images when a person opens: a person, most likely
    ("yahoomailproxy", "mail_proxy", 0.6),
    ("barracuda", "gateway", 0.0),
    ("proofpoint", "gateway", 0.0),
    ("mimecast", "gateway", 0.0),
    ("safelinks", "gateway", 0.0),
    ("mailscanner", "gateway", 0.0),
    ("headlesschrome", "crawler", 0.0),
    ("phantomjs", "crawler", 0.0),
    ("bingpreview", "crawler", 0.0),
    ("facebookexternalhit", "crawler", 0.0),
    ("slackbot", "crawler", 0.0),
    ("googlebot", "crawler", 0.0),
    ("bingbot", "crawler", 0.0),
    ("crawler", "crawler", 0.0),
    ("spider", "crawler", 0.0),
    ("python-requests", "script", 0.0),
    ("curl/", "script", 0.0),
    ("wget/", "script", 0.0),
    ("go-http-client", "script", 0.0),
)
_FAMILIES: Final[Sequence[tuple[str, str]]] = (
    ("edg/", "edge"),
    ("firefox", "firefox"),
    ("chrome", "chrome"),
    ("safari", "safari"),
    ("outlook", "outlook"),
    ("thunderbird", "thunderbird"),
)
_AGENTS_REMEMBERED: Final = 1024  # people use few browsers, and each name is looked up in all of the tables
_AGENT_KINDS: Final = frozenset({"email_open", "email_click", "page_view", "pricing_viewed", "download"})


@dataclass(frozen=True, slots=True)
class MailActivity:
    """One delivery, open or click of one mail to one person; `link` is a hash of the clicked address."""

    activity_id: UUID
    lead_id: UUID
    message_key: str
    kind: str
    occurred_at: datetime
    link: str
    verdict: Verdict


def at_first_sight(kind: str, *, machine_reason: str | None, user_agent: str | None) -> Verdict:
    """The verdict on one activity alone: the sender's own flag first, then the table of user agents."""
    if machine_reason is not None:
        return Verdict(0.0, f"{_OWN_FLAG_PREFIX}{machine_reason}")
    return _verdict_on(user_agent) if user_agent and kind in _AGENT_KINDS else _PERSON


@lru_cache(_AGENTS_REMEMBERED)
def _verdict_on(user_agent: str) -> Verdict:
    lowered = user_agent.lower()
    return next((Verdict(human, reason) for part, reason, human in _AGENTS if part in lowered), _PERSON)


@lru_cache(_AGENTS_REMEMBERED)
def user_agent_family(user_agent: str | None) -> str | None:
    """The family of a user agent, all that is kept of it."""
    if not user_agent:
        return None
    lowered = user_agent.lower()
    known = next((reason for part, reason, _ in _AGENTS if part in lowered), None)
    return known or next((family for part, family in _FAMILIES if part in lowered), "other")


def judged(activities: Iterable[MailActivity]) -> dict[UUID, Verdict]:
    """The verdict on each activity of one mail to one person, all of them seen together: one entry per id.

    Marks opens within OPEN_AFTER_DELIVERY of a delivery, and all clicks of a run of SCAN_LINKS_MIN different links
    within SCAN_WINDOW; never raises a verdict.
    """
    ordered = sorted(activities, key=lambda one: (one.occurred_at, one.activity_id))
    verdicts = {one.activity_id: one.verdict for one in ordered}
    delivered = [one.occurred_at for one in ordered if one.kind == "email_delivered"]
    for one in ordered:
        is_instant = any(timedelta(0) <= one.occurred_at - at <= OPEN_AFTER_DELIVERY for at in delivered)
        if one.kind == "email_open" and is_instant:
            verdicts[one.activity_id] = verdicts[one.activity_id].lower(Verdict(0.1, "open_at_delivery"))
    clicks = [one for one in ordered if one.kind == "email_click"]
    for index, first in enumerate(clicks):
        run = [one for one in clicks[index:] if one.occurred_at - first.occurred_at <= SCAN_WINDOW]
        if len({one.link for one in run}) >= SCAN_LINKS_MIN:
            for one in run:
                verdicts[one.activity_id] = verdicts[one.activity_id].lower(Verdict(0.0, "link_scan"))
    return verdicts
