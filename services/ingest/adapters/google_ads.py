"""Google Ads lead forms, delivered by webhook.

Source: Google's public documentation of the lead form webhook. The key is not a signature: it stands in the body. Ids
are 64 bits wide and kept exactly. A test lead is answered like any other and makes no lead.
"""

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import fingerprint_of, flag_of, mapping_of, moment_of, text_of
from services.ingest.domain.forms import company_in, message_in, person_in, traits_in
from services.ingest.domain.observation import Observation, Operation, Parsed, Texts, Touch
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_same

SENDER: str = "google_ads"
TITLE: str = "Google Ads lead forms"
SETUP: tuple[str, ...] = (
    "In Google Ads: the lead form asset, Export leads from Google Ads, Webhook integration.",
    "Paste {url} as Webhook URL, invent a long random Key, and give Baton the same key.",
    "Press Send test data: it is answered, and makes no lead.",
)
PROOF: Proof = "shared_secret"
REPLY: Reply = Reply(200, b"{}", "application/json")
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {"lead": "ad_lead"}
STATUSES: tuple[str, ...] = ("test lead",)
_IDS: Final = ("campaign_id", "adgroup_id", "creative_id", "form_id", "asset_group_id", "gcl_id")


def hint(request: InboundRequest) -> str | None:
    """The address in the form."""
    try:
        return person_in(_answers(_event(request))).email
    except Unreadable:
        return None


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the scheme has no time
    """The key in the body is the configured one."""
    try:
        key = _event(request).get("google_key")
    except Unreadable:
        return False
    return isinstance(key, str) and is_same(key, secret)


def outline(request: InboundRequest) -> Outline:
    """One lead."""
    _event(request)
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One lead."""
    event = _event(request)
    is_test = flag_of(event.get("is_test")) is True
    answers = _answers(event)
    ids = {name: text for name in _IDS if (text := text_of(event.get(name)))}
    found = Observation(
        operation=Operation.STATUS if is_test else Operation.ACTIVITY,
        event_id=text_of(event.get("lead_id")),
        kind=None if is_test else KINDS["lead"],
        name="test lead" if is_test else "lead",
        person=person_in(answers),
        timestamp=moment_of(event.get("lead_submit_time")),
        traits=traits_in(answers),
        company=company_in(answers),
        touch=Touch(traffic_source="google", medium="cpc", campaign=ids.get("campaign_id"), asset=ids.get("form_id")),
        texts=Texts(text=message_in(answers), answers=answers),
        properties=ids,
        fingerprint=fingerprint_of(request.body),
    )
    return Parsed((found,))


def _event(request: InboundRequest) -> Mapping[str, object]:
    return bodies.read_event(bodies.utf8(request.body))


def _answers(event: Mapping[str, object]) -> dict[str, object]:
    """Answers by the id of their column: its name is in the language of the form."""
    columns = event.get("user_column_data")
    rows = [mapping_of(one) for one in columns] if isinstance(columns, list) else []
    found: dict[str, object] = {}
    for row in rows:
        label = text_of(row.get("column_id")) or text_of(row.get("column_name"))
        value = text_of(row.get("string_value"))
        if label is not None and value is not None:
            found.setdefault(label, value)
    return found
