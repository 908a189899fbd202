"""LinkedIn lead sync: the webhook names the form response, which is fetched from LinkedIn's API.

Source: LinkedIn's public documentation of webhook validation and of lead sync. LinkedIn asks every two hours whether we
still hold the secret, waits 3 s, and blocks the address after three misses. The host that is asked is the source's
(option `api_url`).
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fetching import answered, api_base
from services.ingest.domain.fields import fingerprint_of, mapping_of, text_of, unix_millis_moment
from services.ingest.domain.forms import company_in, message_in, person_in, touch_in, traits_in
from services.ingest.domain.observation import Fetch, Observation, Operation, Parsed, Refusal, Texts, Touch
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, Proof, Reply, is_hex_signed, keyed_hex

SENDER: str = "linkedin"
TITLE: str = "LinkedIn lead sync"
SETUP: tuple[str, ...] = (
    "Give Baton the client secret of your LinkedIn app first: LinkedIn checks it at once, and every two hours.",
    "In the LinkedIn Developer Portal: your app, Webhooks, Create webhook; paste {url}.",
    "Subscribe to lead notifications of your ad account or organization.",
    "Give Baton an access token with r_marketing_leadgen_automation as API token: responses are fetched with it.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {"CREATED": "ad_lead"}
STATUSES: tuple[str, ...] = ("DELETED", "test lead")
API_URL: Final = "https://api.linkedin.com"
API_VERSION: Final = "202510"
_FIELDS: Final = (
    "id,owner,leadType,submittedAt,testLead,versionedLeadGenFormUrn,leadMetadataInfo,formResponse,"
    "form:(hiddenFields,name,id,content)"
)
_SIGNATURE: Final = "x-li-signature"
_SIGNED_START: Final = b"hmacsha256="
_URN: Final = re.compile(r"urn:li:leadGenFormResponse:([A-Za-z0-9_-]{1,128})", re.ASCII)
_VERSION: Final = re.compile(r"20[0-9]{4}", re.ASCII)
_CODE: Final = re.compile(r"[0-9A-Za-z-]{1,256}", re.ASCII)  # a UUID today; never what a delivery is signed over


hint = quiet.hint


def handshake(request: InboundRequest, secrets: Sequence[str]) -> Reply | None:
    """The challenge with its keyed hash, by the newest secret; no answer to what could be a signed body."""
    if request.method != "GET":
        return None
    code = (parse_qs(request.query, max_num_fields=50).get("challengeCode") or [""])[-1]
    if not secrets or _CODE.fullmatch(code) is None:
        return None
    answer = {"challengeCode": code, "challengeResponse": keyed_hex(code.encode(), secret=secrets[0])}
    return Reply(200, json.dumps(answer).encode(), "application/json")


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the scheme has no time
    """The hex HMAC-SHA256 of `hmacsha256=` and the body."""
    return is_hex_signed(_SIGNED_START + request.body, request.headers.get(_SIGNATURE, ""), secret=secret)


def outline(request: InboundRequest) -> Outline:
    """One response."""
    bodies.read_event(bodies.utf8(request.body))
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:
    """What to fetch; or the response that was fetched."""
    event = bodies.read_event(bodies.utf8(request.body))
    if answered(request.path) is not None:
        return Parsed((_response(event, request),))
    action, urn = text_of(event.get("leadAction")), text_of(event.get("leadGenFormResponse")) or ""
    if action not in KINDS:
        return Parsed((Observation(operation=Operation.STATUS, name=action),))
    found = _URN.fullmatch(urn)
    if found is None:
        return Parsed((), (Refusal(0, "bad_id", detail="leadGenFormResponse must be a URN of a form response."),))
    return Parsed((_asked(found[1], urn, event, settings),))


def _asked(own: str, urn: str, event: Mapping[str, object], settings: SourceSettings) -> Observation:
    version = settings.options.get("api_version", API_VERSION)
    headers = {
        "linkedin-version": version if _VERSION.fullmatch(version) else API_VERSION,
        "x-restli-protocol-version": "2.0.0",
    }
    url = f"{api_base(settings, default=API_URL)}/rest/leadFormResponses/{own}?fields={_FIELDS}"
    return Observation(
        operation=Operation.FETCH,
        event_id=f"fetch\x1f{urn}",
        name=text_of(event.get("leadAction")),
        timestamp=unix_millis_moment(event.get("occurredAt")),
        fetch=Fetch("response", url, headers),
        fingerprint=fingerprint_of(urn.encode()),
    )


def _response(response: Mapping[str, object], request: InboundRequest) -> Observation:
    own = text_of(response.get("id"))
    form = mapping_of(response.get("form"))
    is_test = response.get("testLead") is True
    answers = _answers(response, form)
    sponsored = mapping_of(mapping_of(response.get("leadMetadataInfo")).get("sponsoredLeadMetadataInfo"))
    return Observation(
        operation=Operation.STATUS if is_test else Operation.ACTIVITY,
        event_id=f"urn:li:leadGenFormResponse:{own}" if own else None,
        kind=None if is_test else KINDS["CREATED"],
        name="test lead" if is_test else "CREATED",
        person=person_in(answers),
        timestamp=unix_millis_moment(response.get("submittedAt")),
        traits=traits_in(answers),
        company=company_in(answers),
        touch=_touch(form, sponsored),
        texts=Texts(text=message_in(answers), answers=answers),
        properties=_ids(response, sponsored),
        fingerprint=fingerprint_of(request.body),
    )


def _touch(form: Mapping[str, object], sponsored: Mapping[str, object]) -> Touch:
    """Hidden fields of the form go before what LinkedIn itself knows of the campaign."""
    rows = form.get("hiddenFields")
    listed = [mapping_of(one) for one in rows] if isinstance(rows, list) else []
    said = touch_in({name: row.get("value") for row in listed if (name := text_of(row.get("name")))})
    campaign = mapping_of(sponsored.get("campaign"))
    return Touch(
        traffic_source=said.traffic_source or "linkedin",
        medium=said.medium or ("cpc" if sponsored else "social"),
        campaign=said.campaign or text_of(campaign.get("name")) or text_of(campaign.get("id")),
        asset=text_of(form.get("name")),
    )


def _ids(response: Mapping[str, object], sponsored: Mapping[str, object]) -> dict[str, object]:
    said = {
        "campaign_id": text_of(mapping_of(sponsored.get("campaign")).get("id")),
        "form_urn": text_of(response.get("versionedLeadGenFormUrn")),
        "lead_type": text_of(response.get("leadType")),
    }
    return {name: value for name, value in said.items() if value}


def _answers(response: Mapping[str, object], form: Mapping[str, object]) -> dict[str, object]:
    """Answers by what the question is known as: its predefined field, else its name, else its number."""
    asked = mapping_of(form.get("content")).get("questions")
    questions = [mapping_of(one) for one in asked] if isinstance(asked, list) else []
    labels = {
        text_of(one.get("questionId")): text_of(one.get("predefinedField")) or text_of(one.get("name"))
        for one in questions
    }
    given = mapping_of(response.get("formResponse")).get("answers")
    found: dict[str, object] = {}
    for row in (mapping_of(one) for one in given) if isinstance(given, list) else ():
        number = text_of(row.get("questionId"))
        details = mapping_of(row.get("answerDetails"))
        text = mapping_of(details.get("textQuestionAnswer")).get("answer")
        chosen = mapping_of(details.get("multipleChoiceAnswer")).get("options")
        label = labels.get(number) or number
        if label is not None and (text or chosen):
            found[label] = text or chosen
    return found
