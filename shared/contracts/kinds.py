"""Closed sets of words that several contracts share; readers map an unknown value of an open one to `other`."""

from enum import StrEnum

__all__ = [
    "ActivityKind",
    "Actor",
    "Channel",
    "Consent",
    "ConsentPurpose",
    "Direction",
    "HandoffState",
    "Policy",
    "Team",
    "Tier",
    "VerifiedBy",
]


class ActivityKind(StrEnum):
    """The sort of an activity (DOMAIN section 3)."""

    PAGE_VIEW = "page_view"
    FORM_SUBMIT = "form_submit"
    EMAIL_SENT = "email_sent"
    EMAIL_DELIVERED = "email_delivered"
    EMAIL_OPEN = "email_open"
    EMAIL_CLICK = "email_click"
    EMAIL_BOUNCE = "email_bounce"
    EMAIL_SUBSCRIBE = "email_subscribe"
    EMAIL_UNSUBSCRIBE = "email_unsubscribe"
    EMAIL_SPAM = "email_spam"
    DOWNLOAD = "download"
    WEBINAR_REGISTERED = "webinar_registered"
    WEBINAR_ATTENDED = "webinar_attended"
    TRIAL_STARTED = "trial_started"
    TRIAL_USED = "trial_used"
    MEETING_REQUESTED = "meeting_requested"
    DEMO_REQUESTED = "demo_requested"
    PRICING_VIEWED = "pricing_viewed"
    CALL_CONNECTED = "call_connected"
    CALL_ATTEMPTED = "call_attempted"
    EMAIL_REPLIED = "email_replied"
    MEETING_HELD = "meeting_held"
    FIELD_EVENT_REGISTERED = "field_event_registered"
    FIELD_EVENT_ATTENDED = "field_event_attended"
    SITE_VISIT = "site_visit"
    AD_LEAD = "ad_lead"
    CUSTOM = "custom"


class Direction(StrEnum):
    """Which team an activity belongs to: done by the person towards us, or by Sales towards the person."""

    MARKETING = "marketing"
    SALES = "sales"


class Channel(StrEnum):
    """Where an activity took place."""

    WEB = "web"
    EMAIL = "email"
    FORM = "form"
    CALL = "call"
    FIELD_EVENT = "field_event"
    PRODUCT = "product"


class VerifiedBy(StrEnum):
    """How a delivery proved where it came from."""

    BROWSER_KEY = "browser_key"
    SERVER_KEY = "server_key"
    SIGNATURE = "signature"
    SHARED_SECRET = "shared_secret"  # noqa: S105 - a word, not a secret
    ADDRESS = "address"


class ConsentPurpose(StrEnum):
    """What the permission is for."""

    PROFILING = "profiling"
    CONTACT = "contact"
    SHARING = "sharing"


class Consent(StrEnum):
    """The state of a permission."""

    GRANTED = "granted"
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"


class Tier(StrEnum):
    """The class a handoff falls in; agreements may name more, these ship."""

    HAND_RAISER = "hand_raiser"
    LIST = "list"
    SCORED = "scored"


class Policy(StrEnum):
    """Why a lead is handed off."""

    QUALIFIED = "qualified"
    HAND_RAISER = "hand_raiser"
    EXPLORED = "explored"
    MANUAL = "manual"
    NONE = "none"


class HandoffState(StrEnum):
    """Position in the handoff machine (DOMAIN section 5.2)."""

    QUALIFIED = "qualified"
    QUEUED = "queued"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    WORKING = "working"
    OPPORTUNITY = "opportunity"
    NURTURE = "nurture"
    WON = "won"
    LOST = "lost"
    DISQUALIFIED = "disqualified"
    SUPPRESSED = "suppressed"
    MERGED = "merged"


class Actor(StrEnum):
    """Who did something to a handoff."""

    REP = "rep"
    MANAGER = "manager"
    MARKETER = "marketer"
    SYSTEM = "system"
    CRM = "crm"


class Team(StrEnum):
    """The two parties of the agreement."""

    MARKETING = "marketing"
    SALES = "sales"
