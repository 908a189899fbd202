"""Decides how a line of a score reads: one short sentence a rep understands in ten seconds, with its signed points."""

__all__ = ["part_sentence_of", "sentence_of"]

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
}
_START = "Where every lead starts; each 20 points double the odds of a win, which makes {value} in 100 here"
_CHANCE = "By outcomes so far, {value} in 100 leads with such a score are won"
_LEARNED = "{text}, by outcomes so far"


def sentence_of(line: str, points: int) -> str:
    """The sentence of one line, `pricing_viewed` +20 as `Looked at prices (+20)`; one that gives no points says so."""
    text = _text_of(line)
    return f"{text} ({points:+d})" if points else text


def part_sentence_of(line: str, points: int) -> str:
    """The sentence of a line stored when a model's lines were the parts of its formula, without what a fact was."""
    head, _, part = line.partition(":")
    return f"Model: {_plain(part)} ({points:+d})" if head == "model" else sentence_of(line, points)


def _text_of(line: str) -> str:
    head, _, rest = line.partition(":")
    if head == "model":
        return _learned(rest)
    if head == "clamp":
        return "Kept between 0 and 100"
    name, is_attribute, value = line.partition("=")
    if is_attribute:
        return _ATTRIBUTES.get(name, f"{_plain(name)} is {{value}}").format(value=_plain(value))
    if head in _PARTS:
        return _PARTS[head].format(what=_plain(rest))
    return _KINDS.get(head, f"{_plain(head)} {{content}}").format(content=_plain(rest)).strip()


def _learned(what: str) -> str:
    """What a model found in outcomes: of a fact (`title_level=vp`), of acts (`count.page_view=7`), or of all leads."""
    fact, is_known, value = what.partition("=")
    if fact in {"start", "chance"}:
        return (_START if fact == "start" else _CHANCE).format(value=value)
    measure, is_of_acts, acts = fact.partition(".")
    if not is_of_acts:
        text = _text_of(what) if is_known else f"{_plain(fact)} is not known"
    elif not is_known:
        text = f"No {_plain(_kind_of(acts))}"
    else:
        text = _MEASURES.get(measure, "{acts}: {value}").format(acts=_plain(_kind_of(acts)), value=value)
    return _LEARNED.format(text=text)


# How facts of acts are measured (`domain/facts.py`, sum_facts); of a weight only that it is there is told.
_MEASURES = {"count": "{acts}, {value} times", "days_since": "{acts} {value} days ago", "weight": "{acts} lately"}


def _kind_of(acts: str) -> str:
    """A kind or a line's key, `page_view:blog@30d`, without its half-life."""
    return acts.partition("@")[0].replace(":", " ")


def _plain(name: str) -> str:
    return name.replace("_", " ")
