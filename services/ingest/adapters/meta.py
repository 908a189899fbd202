"""Meta lead ads (Facebook and Instagram): the webhook names the lead, its answers are fetched from the Graph API.

Source: Meta's public documentation of webhooks, lead ads and the Graph API. Only the SHA-256 signature counts. Changes
without a value and of other fields are kept as status. The host that is asked is the source's (option `api_url`), never
one of the body.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fetching import answered, api_base
from services.ingest.domain.fields import fingerprint_of, flag_of, mapping_of, moment_of, text_of, unix_moment
from services.ingest.domain.forms import company_in, message_in, person_in, traits_in
from services.ingest.domain.observation import Fetch, Observation, Operation, Parsed, Refusal, Texts, Touch
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, Proof, Reply, is_hex_signed, is_same

SENDER: str = "meta"
TITLE: str = "Meta lead ads (Facebook, Instagram)"
SETUP: tuple[str, ...] = (
    "Give Baton as secret the App Secret of your Meta app, one space, and a verify token that you invent.",
    "In the Meta app: Webhooks, Page, Subscribe; paste {url} as Callback URL and the same verify token.",
    "Subscribe to the field leadgen, and connect the page to the app.",
    "Give Baton a page access token with leads_retrieval as API token of the source: leads are fetched with it.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {"leadgen": "ad_lead"}
STATUSES: tuple[str, ...] = ("leadgen without value", "feed")
API_URL: Final = "https://graph.facebook.com"
API_VERSION: Final = "v24.0"
_FIELDS: Final = (
    "id,created_time,ad_id,ad_name,adset_id,adset_name,campaign_id,campaign_name,form_id,is_organic,platform,field_data"
)
_SIGNATURE: Final = "x-hub-signature-256"
_START: Final = "sha256="
_ID: Final = re.compile(r"[0-9]{1,32}", re.ASCII)
_VERSION: Final = re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}", re.ASCII)
_CHALLENGE_MAX: Final = 512
_PLATFORMS: Final[Mapping[str, str]] = {"ig": "instagram", "fb": "facebook"}
_AD_IDS: Final = ("campaign_id", "adset_id", "ad_id", "form_id", "ad_name", "adset_name")


hint = quiet.hint


def handshake(request: InboundRequest, secrets: Sequence[str]) -> Reply | None:
    """The challenge of a subscription, sent back as text for the right verify token; else 403."""
    if request.method != "GET":
        return None
    asked = {name: values[-1] for name, values in parse_qs(request.query, max_num_fields=50).items()}
    challenge, token = asked.get("hub.challenge", ""), asked.get("hub.verify_token", "")
    tokens = [verify_token for one in secrets if (verify_token := one.partition(" ")[2].strip())]
    is_right = any([is_same(token, one) for one in tokens])  # noqa: C419 - all are compared, in the same time
    if not is_right or asked.get("hub.mode") != "subscribe" or not 0 < len(challenge) <= _CHALLENGE_MAX:
        return Reply(403, b"The verify token is not the one of this source.")
    return Reply(200, challenge.encode(errors="replace"))


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the scheme has no time
    """`sha256=` and the hex HMAC-SHA256 of the body, by the part of the secret before its first space."""
    given = request.headers.get(_SIGNATURE, "")
    return given.startswith(_START) and is_hex_signed(
        request.body, given.removeprefix(_START), secret=secret.partition(" ")[0]
    )


def outline(request: InboundRequest) -> Outline:
    """Number of changes in all entries; one of a fetched lead."""
    event = bodies.read_event(bodies.utf8(request.body))
    return Outline(1 if answered(request.path) is not None else len(_changes(event)))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:
    """What to fetch, one for each lead; or the lead that was fetched."""
    event = bodies.read_event(bodies.utf8(request.body))
    if answered(request.path) is not None:
        return Parsed((_lead(event, request),))
    found = [_asked(change, settings, index) for index, change in enumerate(_changes(event))]
    return Parsed(
        tuple(one for one in found if isinstance(one, Observation)),
        tuple(one for one in found if isinstance(one, Refusal)),
    )


def _changes(event: Mapping[str, object]) -> list[Mapping[str, object]]:
    entries = event.get("entry")
    rows = [mapping_of(entry).get("changes") for entry in entries] if isinstance(entries, list) else []
    return [mapping_of(change) for row in rows if isinstance(row, list) for change in row]


def _asked(change: Mapping[str, object], settings: SourceSettings, index: int) -> Observation | Refusal:
    """The question for one lead; a change that names none is status."""
    field, value = text_of(change.get("field")), mapping_of(change.get("value"))
    lead_id = text_of(value.get("leadgen_id"))
    if field != "leadgen" or lead_id is None:
        name = f"{field} without value" if field == "leadgen" else field
        return Observation(operation=Operation.STATUS, name=name, index=index)
    if not _ID.fullmatch(lead_id):
        return Refusal(index, "bad_id", detail="leadgen_id must be a number.")
    version = settings.options.get("api_version", API_VERSION)
    base = f"{api_base(settings, default=API_URL)}/{version if _VERSION.fullmatch(version) else API_VERSION}"
    return Observation(
        operation=Operation.FETCH,
        event_id=f"fetch\x1f{lead_id}",
        name=field,
        timestamp=unix_moment(value.get("created_time")),
        fetch=Fetch("leadgen", f"{base}/{lead_id}?fields={_FIELDS}"),
        index=index,
        fingerprint=fingerprint_of(lead_id.encode()),
    )


def _lead(lead: Mapping[str, object], request: InboundRequest) -> Observation:
    answers = _answers(lead)
    is_paid = flag_of(lead.get("is_organic")) is not True
    return Observation(
        operation=Operation.ACTIVITY,
        event_id=text_of(lead.get("id")),
        kind=KINDS["leadgen"],
        name="leadgen",
        person=person_in(answers),
        timestamp=moment_of(lead.get("created_time")),
        traits=traits_in(answers),
        company=company_in(answers),
        touch=Touch(
            traffic_source=_PLATFORMS.get(str(lead.get("platform")), "facebook"),
            medium="cpc" if is_paid else "social",
            campaign=text_of(lead.get("campaign_name")) or text_of(lead.get("campaign_id")),
            asset=text_of(lead.get("form_id")),
        ),
        texts=Texts(text=message_in(answers), answers=answers),
        properties={name: text for name in _AD_IDS if (text := text_of(lead.get(name)))},
        fingerprint=fingerprint_of(request.body),
    )


def _answers(lead: Mapping[str, object]) -> dict[str, object]:
    fields = lead.get("field_data")
    rows = [mapping_of(one) for one in fields] if isinstance(fields, list) else []
    found: dict[str, object] = {}
    for row in rows:
        name, values = text_of(row.get("name")), row.get("values")
        if name is not None and isinstance(values, list) and values:
            found[name] = values[0] if len(values) == 1 else values
    return found
