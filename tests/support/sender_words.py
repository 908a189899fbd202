"""The words and groups of the pages about senders: what a kind means, how a proof works, which tools go together.

A group is read off what an adapter understands, so a new sender finds its place by itself.
"""

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters import Adapter
from services.ingest.domain.activity import CHANNELS

__all__ = ["GROUPS", "INDEX_WORDS", "KIND_WORDS", "PROOF_WORDS", "SECRET_WORDS", "group_of"]

KIND_WORDS: Final[Mapping[str, str]] = {
    "page_view": "viewed a page",
    "pricing_viewed": "viewed pricing",
    "download": "downloaded an asset",
    "webinar_registered": "registered for a webinar",
    "webinar_attended": "attended a webinar",
    "custom": "did something else; kept under its own name",
    "form_submit": "sent a form",
    "demo_requested": "asked for a demo: a hand-raiser",
    "meeting_requested": "asked for a meeting: a hand-raiser",
    "ad_lead": "sent the form of an ad",
    "email_sent": "was sent a mail",
    "email_delivered": "had a mail delivered",
    "email_open": "opened a mail",
    "email_click": "clicked in a mail",
    "email_bounce": "had a mail bounce; a hard bounce marks the address",
    "email_subscribe": "subscribed to mails: consent is granted",
    "email_unsubscribe": "unsubscribed from mails: consent is withdrawn",
    "email_spam": "marked a mail as spam: consent is withdrawn",
    "email_replied": "replied to a mail",
    "call_connected": "talked on the phone",
    "call_attempted": "was not reached by phone, or did not reach us",
    "meeting_held": "took part in a meeting",
    "field_event_registered": "registered for a field event",
    "field_event_attended": "came to a field event",
    "site_visit": "visited us, or was visited",
    "trial_started": "started a trial",
    "trial_used": "used the trial",
    "identify": "no activity: identifiers and profile of a lead",
    "group": "no activity: the account a lead belongs to",
    "alias": "no activity: two identifiers are one person",
    "erase": "no activity: the person is erased in Baton, too",
}
"""Every kind of the closed set as what a lead did, and the operations on identities."""

PROOF_WORDS: Final[Mapping[str, str]] = {
    "key": "By the write key that comes with each request. A browser key is public, so it adds less than a server key.",
    "signature": "By a signature that comes with each delivery, checked before anything of it is believed.",
    "shared_secret": "By a secret that the sender shows with each delivery. It is compared in constant time.",
    "address": (
        "By the address alone: its last part is 128 random bits, so treat it like a password. When the source has a "
        "secret as well, each delivery must show that too."
    ),
}

_GIVEN: Final = "Baton takes the secret where the source is made: in the console, or from a file, by `--secret-file`"
SECRET_WORDS: Final[Mapping[str, str]] = {
    "key": "",
    "signature": f"{_GIVEN}.",
    "shared_secret": f"{_GIVEN}. Give none, and it makes one and shows it once.",
    "address": "Should it have a secret too, add one on the page of the source in the console.",
}

INDEX_WORDS: Final[Mapping[str, str]] = {
    "start": (
        "Each page says what to paste where, what is understood, and what is refused. The pages are made from the "
        "adapters in `services/ingest/adapters/` by `make docs`, so they say what the code does. The console shows the "
        "same steps with your own address and key under Connections; so does `baton source create`."
    ),
    "kinds": (
        "The closed set. Everything else that a lead does is kept as `custom` under its own name. A browser key is "
        "public: the kinds it may add say so here, and others come as `custom` from it."
    ),
    "names": (
        "What a library tracks has a name of your own. It is read in lower-case words, first in the table of the "
        "source, then in this one; `*` stands for any words."
    ),
    "refused": (
        "One event that cannot be read is refused alone, and its neighbours in the batch are kept; a body that cannot "
        "be read is refused whole. Refused events are counted, and the source's page in the console shows them with "
        "their reason for a week. What was answered with success is never lost: what cannot be handled later is "
        "parked, shown, and can be replayed."
    ),
    "door": (
        "The front door answers these before anything is kept; 429 and 503 say in `Retry-After` when to send again. "
        "Libraries that wait for a 2xx get one once some of a batch was kept, with a report of the rest."
    ),
}

_LIBRARIES, _FILES, _ANYTHING = "Websites, apps and servers", "Files", "Anything else"
_MAIL, _FORMS, _CALLS = "Mail", "Forms, meetings and lead ads", "Calls"
_EVENTS, _CONTACTS, _AUTOMATION = "Webinars and field events", "Contacts and conversations", "Marketing automation"
GROUPS: Final = (_LIBRARIES, _MAIL, _FORMS, _EVENTS, _CALLS, _AUTOMATION, _CONTACTS, _FILES, _ANYTHING)
"""The kinds of tools, in the order of the index."""


def group_of(adapter: Adapter) -> str:
    """The kind of tool, by what it sends and how: a key and paths, or webhooks of one channel."""
    is_any = set(adapter.KINDS.values()) >= set(CHANNELS)
    if adapter.PROOF == "key" and not is_any and adapter.KINDS:
        return _LIBRARIES
    if adapter.PROOF == "key":
        return _ANYTHING if hasattr(adapter, "PATHS") else _FILES
    if is_any or not adapter.KINDS:
        return _ANYTHING
    if any(kind.startswith(("webinar_", "field_event_")) for kind in adapter.KINDS.values()):
        return _EVENTS
    channels = {CHANNELS[kind] for kind in adapter.KINDS.values() if kind in CHANNELS and kind != "custom"}
    if not channels:
        return _CONTACTS
    return {"email": _MAIL, "form": _FORMS, "call": _CALLS}[channels.pop()] if len(channels) == 1 else _AUTOMATION
