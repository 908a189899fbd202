"""Decides how a line of a score reads: one short sentence a rep understands in ten seconds, with its signed points."""

__all__ = ["sentence_of"]

_ATTRIBUTES = {
    "title_level": "Title level is {value}",
    "is_target_industry": "Works in a target industry",
    "staff_band": "Company has {value} staff",
    "department": "Works in {value}",
    "mail_domain_kind": "Mail address is {value}",
    "is_competitor": "Works for a competitor",
    "industry": "Industry is {value}",
    "country": "Country is {value}",
}
_KINDS = {
    "demo_requested": "Asked for a demo",
    "meeting_requested": "Asked for a meeting",
    "trial_started": "Started a trial",
    "pricing_viewed": "Looked at prices",
    "webinar_attended": "Attended a webinar",
    "webinar_registered": "Registered for a webinar",
    "download": "Downloaded {content}",
    "form_submit": "Sent the form {content}",
    "page_view": "Read a page about {content}",
    "email_click": "Clicked in a mail",
    "email_bounce": "Mail came back",
    "email_spam": "Reported a mail as spam",
    "email_unsubscribe": "Unsubscribed from mails",
    "field_event_attended": "Came to an event",
    "email_replied": "Replied to a mail",
}
_PARTS = {
    "cap": "Most that {what} can give",
    "floor": "Most that {what} points can take",
    "model": "Model: {what}",
}


def sentence_of(line: str, points: int) -> str:
    """The sentence of one line, `pricing_viewed` +20 as `Looked at prices (+20)`."""
    return f"{_text_of(line)} ({points:+d})"


def _text_of(line: str) -> str:
    if line == "clamp":
        return "Kept between 0 and 100"
    name, is_attribute, value = line.partition("=")
    if is_attribute:
        return _ATTRIBUTES.get(name, f"{_plain(name)} is {{value}}").format(value=_plain(value))
    head, _, rest = line.partition(":")
    if head in _PARTS:
        return _PARTS[head].format(what=_plain(rest))
    return _KINDS.get(head, f"{_plain(head)} {{content}}").format(content=_plain(rest)).strip()


def _plain(name: str) -> str:
    return name.replace("_", " ")
