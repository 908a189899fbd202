"""Any sender that signs by Standard Webhooks 1.0 or by Svix, `v1` (HMAC-SHA256) and `v1a` (ed25519).

Source: the Standard Webhooks specification 1.0.0 and Svix' public documentation. The body is `{"type", "timestamp",
"data"}`; what `data` says of a person is understood by the usual names (email, user_id, name, company …), `type` is
looked up in the source's table of names, and what it does not know is kept as `custom` under its type.
"""

from collections.abc import Mapping

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import (
    company_of,
    fingerprint_of,
    mapping_of,
    moment_of,
    profile_of,
    text_of,
)
from services.ingest.domain.mail import first_text
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Touch
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, Proof, Reply, is_standard_webhook

SENDER: str = "standardwebhooks"
TITLE: str = "Standard Webhooks and Svix"
SETUP: tuple[str, ...] = (
    "In the sending tool: create a webhook endpoint with the address {url}.",
    "Give Baton its signing secret (whsec_…), or its public key (whpk_…) when it signs with ed25519.",
    "Map the types of its events to kinds in the source's table of names.",
)
PROOF: Proof = "signature"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type", "webhook-id", "svix-id")
KINDS: Mapping[str, str] = {}
STATUSES: tuple[str, ...] = ()


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:
    """Standard Webhooks 1.0 under either name; `secret` with or without `whsec_`, or a public key `whpk_…`."""
    return is_standard_webhook(request.headers, request.body, secret=secret, now=now)


def outline(request: InboundRequest) -> Outline:
    """One event."""
    bodies.read_event(bodies.utf8(request.body))
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - names are looked up behind
    """The observation of a delivery."""
    event = bodies.read_event(bodies.utf8(request.body))
    data = mapping_of(event.get("data"))
    person = mapping_of(data.get("person")) or mapping_of(data.get("user")) or mapping_of(data.get("contact")) or data
    observation = Observation(
        operation=Operation.ACTIVITY,
        event_id=request.headers.get("webhook-id") or request.headers.get("svix-id"),
        name=text_of(event.get("type")),
        person=Person(
            anonymous_id=first_text(person.get("anonymous_id"), person.get("anonymousId")),
            user_id=first_text(person.get("user_id"), person.get("userId")),
            email=first_text(person.get("email"), person.get("email_address")),
            phone=text_of(person.get("phone")),
        ),
        timestamp=moment_of(event.get("timestamp")),
        traits=profile_of(person),
        company=company_of(person),
        touch=Touch(url=text_of(data.get("url")), campaign=text_of(data.get("campaign"))),
        properties=data,
        fingerprint=fingerprint_of(request.body),
    )
    return Parsed((observation,))
