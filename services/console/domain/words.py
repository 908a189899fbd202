"""The words of the screens: one catalog of labels for every closed set that events carry, and the sentences of reasons.

A value the catalog does not know is shown as it is written, underscores as spaces: a new kind must not break a page.
"""

import re

__all__ = ["DASH", "label", "line_sentence", "plural", "points_text", "spoken"]

DASH = "\u2013"  # stands where there is no value, and in ranges
_MINUS = "\u2212"

_LABELS: dict[str, dict[str, str]] = {
    "state": {
        "qualified": "Being routed",
        "queued": "In a queue",
        "assigned": "Waiting for accept",
        "accepted": "Accepted",
        "working": "Working",
        "opportunity": "Opportunity",
        "nurture": "Back to Marketing",
        "won": "Won",
        "lost": "Lost",
        "disqualified": "Disqualified",
        "suppressed": "Suppressed",
        "merged": "Merged",
    },
    "proof": {
        "key": "Brings a key of ours",
        "signature": "Signs what it sends",
        "shared_secret": "Sends a secret along",
        "address": "Known by its address",
    },
    "tier": {"hand_raiser": "Hand-raiser", "scored": "Scored", "list": "List"},
    "clock": {
        "route": "Route",
        "queue": "Take from queue",
        "accept": "Accept",
        "touch": "First touch",
        "dispose": "Disposition",
        "stale": "Progress",
        "resume": "Resumes",
        "enrol": "Enrol",
        "cooloff": "Cool-off",
        "relaxed_accept": "Accept",
        "pull_back": "Pull-back",
    },
    "reason": {
        "unreachable": "Cannot be reached",
        "bad_data": "Contact data is wrong",
        "no_need": "No need",
        "no_budget": "No budget",
        "no_fit": "Does not fit",
        "bad_timing": "Not now",
        "duplicate": "Duplicate",
        "existing_opportunity": "Already an opportunity",
        "already_customer": "Already a customer",
        "competitor_or_student": "Competitor or student",
        "wrong_territory_or_rep": "Wrong territory or rep",
        "do_not_contact": "Must not be contacted",
        "other": "Other",
        "no_answer_after_6": "No answer after six tries",
        "price": "Price",
        "competitor_won": "Competitor won",
        "no_decision": "No decision",
        "feature_missing": "Feature missing",
        "waiting_for_lead": "Waiting for the lead",
        "lead_away": "Lead is away",
        "internal": "Waiting for us",
    },
    "route": {
        "reroute": "goes to another rep",
        "nurture": "goes back to Marketing",
        "enrich": "goes to Marketing to complete its data",
        "merge": "is proposed for a merge",
        "disqualify": "is disqualified",
        "suppress": "is suppressed: nobody contacts this person again",
    },
    "need": {"until_on": "A date", "sub_reason": "A closer reason", "text": "A note"},
    "exclusion": {
        "unknown": "Not set up as a rep",
        "away": "Away",
        "absence": "Absent by calendar",
        "inactive": "Not active",
        "tried": "Had this lead before",
        "skill": "Lacks a skill or language asked for",
        "full": "At capacity",
        "cap": "Has its new leads of 30 days",
    },
    "cause": {"marketing": "Incomplete data", "system": "System delay", "rep": "Not answered in time"},
    "activity": {
        "page_view": "Viewed a page",
        "pricing_viewed": "Viewed pricing",
        "form_submit": "Sent a form",
        "download": "Downloaded",
        "email_open": "Opened a mail",
        "email_click": "Clicked in a mail",
        "email_delivered": "Mail delivered",
        "email_bounce": "Mail bounced",
        "email_spam": "Marked a mail as spam",
        "email_unsubscribe": "Unsubscribed",
        "demo_requested": "Asked for a demo",
        "meeting_requested": "Asked for a meeting",
        "trial_started": "Started a trial",
        "webinar_registered": "Registered for a webinar",
        "webinar_attended": "Attended a webinar",
        "call_connected": "Call, answered",
        "call_attempted": "Call, not answered",
        "meeting_held": "Meeting",
        "site_visit": "Visit",
        "email_sent": "Mail",
        "email_replied": "Replied to a mail",
        "email_subscribe": "Subscribed",
        "trial_used": "Used the trial",
        "field_event_registered": "Registered for a field event",
        "field_event_attended": "Came to a field event",
        "ad_lead": "Sent the form of an ad",
        "custom": "Did something else",
    },
    "outcome": {
        "accepted": "Accepted by Sales",
        "rejected": "Rejected by Sales",
        "opportunity": "Became an opportunity",
        "won": "Won",
        "lost": "Lost",
        "churned": "Churned",
    },
    "consent": {"granted": "Granted", "unknown": "Unknown", "withdrawn": "Withdrawn"},
    "purpose": {"profiling": "Scoring", "contact": "Contact", "sharing": "Sharing"},
    "role": {
        "rep": "Rep",
        "manager": "Manager",
        "marketer": "Marketer",
        "revops": "Revenue operations",
        "admin": "Administrator",
    },
    "title_level": {"c_level": "C-level", "vp": "VP", "director": "Director", "manager": "Manager"},
    "step": {
        "known": "Known",
        "engaged": "Engaged",
        "mql": "MQL",
        "marketing_qualified": "MQL",
        "sal": "Accepted (SAL)",
        "accepted": "Accepted (SAL)",
        "sales_accepted": "Accepted (SAL)",
        "sales_qualified": "Sales-qualified",
        "opportunity": "Opportunity",
        "won": "Won",
        "customer": "Won",
    },
    "rung": {
        "message_rep": "message the rep",
        "mail_rep": "mail the rep",
        "flag_manager": "flag to the manager",
        "mail_manager": "mail the manager",
        "reassign": "reassign",
        "mail_executive_and_reassign": "mail the executive and reassign",
    },
}

# Sentences for the lines of a score: the last part of a line's key that is listed here names it.
_LINE_SENTENCES: dict[str, str] = {
    "title_level": "Job level is {value}",
    "is_target_industry": "Works in a target industry",
    "staff_band": "Company of {value} people",
    "department": "Works in {value}",
    "mail_domain_kind": "Writes from a {value} mail address",
    "is_competitor": "Works for a competitor",
    "demo_requested": "Asked for a demo",
    "meeting_requested": "Asked for a meeting",
    "trial_started": "Started a trial",
    "contact_sales": "Asked to talk to Sales",
    "pricing_viewed": "Looked at pricing",
    "roi_calculator": "Used the ROI calculator",
    "case_study": "Read a case study",
    "comparison": "Read a comparison",
    "review": "Read a review",
    "blog": "Reads the blog",
    "careers": "Looked at careers",
    "webinar_attended": "Attended a webinar",
    "webinar_registered": "Registered for a webinar",
    "white_paper": "Downloaded a white paper",
    "email_click": "Clicked in a mail",
    "email_open": "Opened a mail",
    "email_bounce": "A mail bounced",
    "email_spam": "Marked a mail as spam",
    "email_unsubscribe": "Unsubscribed",
    "clamp": "Kept between 0 and 100",
    "field_event_attended": "Came to an event",
    "email_replied": "Replied to a mail",
    "industry": "Industry is {value}",
    "country": "Country is {value}",
    "cap": "Held to the limit of the group",
    "floor": "Held to the lowest score",
    "breadth": "Several people of the company are active",
}
_SEPARATORS = re.compile(r"[.:=/ ]+")
# Lines by which a fitted model adds what it found in outcomes: of all leads, of a fact, or of acts, by their measure.
_OF_MODEL = "model:"
_OF_ALL_LEADS = {
    "start": "Where every lead starts. Each 20 points double the odds of a win: {value} in 100 here",
    "chance": "By outcomes so far, {value} in 100 leads with such a score are won",
}
_MEASURES = {"count": "{acts}, {value} times", "days_since": "{acts} {value} days ago", "weight": "{acts} lately"}


def label(group: str, value: object) -> str:
    """The screen's word for a value of a closed set; of an unknown one its own words."""
    text = str(value)
    return _LABELS.get(group, {}).get(text) or spoken(text)


def spoken(text: str) -> str:
    """A code as words: `wrong_territory` reads "Wrong territory"."""
    words = text.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def line_sentence(line: str) -> str:
    """One line of a score as a sentence a rep reads: "Job level is VP"."""
    if line.startswith(_OF_MODEL):
        return _learned_sentence(line.removeprefix(_OF_MODEL))
    parts = [part for part in _SEPARATORS.split(line) if part]
    for index in range(len(parts) - 1, -1, -1):
        sentence = _LINE_SENTENCES.get(parts[index])
        if sentence is not None:
            value = " ".join(parts[index + 1 :])
            known = _LABELS.get(parts[index], {}).get(value)
            return sentence.format(value=known or value.replace("_", " ")).strip()
    return spoken(" ".join(parts)) if parts else "Other"


def _learned_sentence(what: str) -> str:
    """`title_level=vp`, `count.page_view=7`: what such leads were worth by outcomes, said so; without "=" not known."""
    fact, is_known, value = what.partition("=")
    if fact in _OF_ALL_LEADS:
        return _OF_ALL_LEADS[fact].format(value=value)
    measure, is_of_acts, acts = fact.partition(".")
    if is_of_acts:
        kind = acts.partition("@")[0].replace(":", " ")
        form = _MEASURES.get(measure, "{acts}: {value}") if is_known else "No {acts}"
        text = form.format(acts=spoken(kind) if is_known else kind.replace("_", " "), value=value)
    else:
        text = line_sentence(what) if is_known else f"{spoken(fact)} is not known"
    return f"{text}, by outcomes so far"


def points_text(points: int) -> str:
    """Signed points with a real minus sign instead of a hyphen: "+20", "0"."""
    if points > 0:
        return f"+{points}"
    return f"{_MINUS}{-points}" if points < 0 else "0"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: "1 lead", "3 leads"."""
    return f"{count:,} {one if count == 1 else (many or one + 's')}"
