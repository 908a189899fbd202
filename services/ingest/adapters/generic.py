"""Any other tool: Zapier, Make, n8n, or a program of your own, by a table of paths that you make.

A request is proven by the secret of the source in one of four ways: `Authorization: Bearer`, `X-Hub-Signature-256:
sha256=` (hex HMAC-SHA256 of the body), `X-Signature: t=…,v1=…` (hex HMAC-SHA256 of time, dot and body), or Standard
Webhooks 1.0. The strongest that a request shows decides alone; the option `proof` of the source (bearer, hub, dated or
standard) lets only one of them be taken. The body is JSON or a form, one event or a list of them. The `mapping` of the
source says where a body holds what: it leads from our field to a path like `person.email`, `items[0].id`, `tags[*]` or
`["odd name"]`; to `{"value": "form_submit"}`, a constant; or to `{"path": "type", "table": {"signup": "trial_started"},
"default": "custom"}`, a path whose values are translated. The row `each` names the list of events inside a body.
Without a mapping, plain names (email, user_id, event, time, …) are understood.
"""

from collections.abc import Mapping
from typing import Final

import orjson

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.activity import CHANNELS
from services.ingest.domain.fields import text_of
from services.ingest.domain.form_body import form_of
from services.ingest.domain.mapping import DEFAULT, BadMapping, Table, events_of, observed, read_mapping
from services.ingest.domain.observation import Observation, Parsed, Refusal
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_dated_signed, is_hex_signed, is_same, is_standard_webhook

SENDER: str = "generic"
TITLE: str = "Any other tool (Zapier, Make, n8n, your own)"
SETUP: tuple[str, ...] = (
    "In the tool: send a POST with JSON to {url}.",
    "Let it send the header `Authorization: Bearer SECRET` with the secret of the source, or sign with that secret.",
    "Send one event, then tell Baton in the source's mapping where it finds what, and try the mapping on what came in.",
)
PROOF: Proof = "shared_secret"
REPLY: Reply = Reply(200, b'{"success": true}', "application/json")
_STANDARD: Final = ("webhook-signature", "svix-signature")
KEPT_HEADERS: tuple[str, ...] = ("content-type", "webhook-id", "svix-id", *_STANDARD)
KINDS: Mapping[str, str] = {kind: kind for kind in CHANNELS}
STATUSES: tuple[str, ...] = ("status",)
EVENTS_MAX: Final = 1_000  # of one body; more come in several
_HUB, _HUB_START = "x-hub-signature-256", "sha256="
_DATED: Final = ("x-signature", "x-webhook-signature", "stripe-signature")
_BY_DEFAULT: Final = read_mapping(DEFAULT)


def hint(request: InboundRequest) -> str | None:
    """The person of a single event with plain names; others are found where the mapping is known."""
    try:
        body = _body(request)
    except Unreadable:
        return None
    return text_of(body.get("email")) if isinstance(body, dict) else None


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:
    """By the strongest proof that is shown: Standard Webhooks, a dated signature, one of the body, a bearer."""
    headers, shown = request.headers, _shown(request)
    if shown == "standard":
        return is_standard_webhook(headers, request.body, secret=secret, now=now)
    if shown == "dated":
        dated = next(headers[name] for name in _DATED if name in headers)
        return is_dated_signed(request.body, dated, secret=secret, now=now)
    if shown == "hub":
        given = headers[_HUB]
        return given.startswith(_HUB_START) and is_hex_signed(
            request.body, given.removeprefix(_HUB_START), secret=secret
        )
    return bool(secret) and is_same(headers.get("authorization", ""), f"Bearer {secret}")


def accepts(request: InboundRequest, settings: SourceSettings) -> bool:
    """Whether the source takes the way in which the request is proven: any, unless its option `proof` names one."""
    return settings.options.get("proof") in {None, "", _shown(request)}


def outline(request: InboundRequest) -> Outline:
    """The elements of a list, else one: what lies deeper only the mapping knows."""
    body = _body(request)
    return Outline(len(body) if isinstance(body, list) else 1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:
    """What the mapping of the source finds; an event in which it finds nothing at all is refused."""
    body = _body(request)
    table = _table(settings)
    signed_id = request.headers.get("webhook-id") or request.headers.get("svix-id")
    own = signed_id if _shown(request) == "standard" else None  # other proofs say nothing of it
    events = events_of(body, table)
    if len(events) > EVENTS_MAX:
        raise Unreadable(f"A body may hold at most {EVENTS_MAX} events.", slug="too_many_events")
    found = [_read(event, table, settings, index, own) for index, event in enumerate(events)]
    return Parsed(
        tuple(one for one in found if isinstance(one, Observation)),
        tuple(one for one in found if isinstance(one, Refusal)),
    )


def _shown(request: InboundRequest) -> str:
    """The strongest proof a request shows, by the option's name of it."""
    headers = request.headers
    if any(name in headers for name in _STANDARD):
        return "standard"
    if any(name in headers for name in _DATED):
        return "dated"
    return "hub" if _HUB in headers else "bearer"


def _read(event: object, table: Table, settings: SourceSettings, index: int, own: str | None) -> Observation | Refusal:
    if not isinstance(event, dict):
        return Refusal(index, "not_an_object", detail="An event must be an object.")
    raw = orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
    fallback = f"{own}\x1f{index}" if own else None
    found = observed(event, table, zone=settings.time_zone, raw=raw, index=index, fallback_id=fallback)
    is_empty = found.kind is None and found.name is None and not any((found.traits, found.person.user_id))
    if is_empty and found.person.anonymous_id is None and found.person.external is None:
        return Refusal(index, "nothing_mapped", found.event_id, "The mapping finds neither a kind nor a person in it.")
    return found


def _table(settings: SourceSettings) -> Table:
    """The mapping of the source. Raises Unreadable for one that cannot be used, so that it is mended and replayed."""
    if not settings.mapping:
        return _BY_DEFAULT
    try:
        return read_mapping(settings.mapping)
    except BadMapping as error:
        raise Unreadable(f"The mapping of the source is wrong. {error}.", slug="bad_mapping") from error


def _body(request: InboundRequest) -> object:
    """JSON, or a form. Raises Unreadable."""
    plain = bodies.utf8(request.body)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    start = plain.lstrip()[:1]
    if start not in {b"{", b"["} and (
        media_type in {"application/x-www-form-urlencoded", "multipart/form-data"} or not media_type
    ):
        form = form_of(plain, request.headers.get("content-type", ""))
        if form:
            return form
    if start == b"[":
        return [bodies.read_json(raw) for raw in bodies.split_array(plain)]
    return bodies.read_json(plain)
