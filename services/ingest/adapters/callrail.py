"""CallRail webhooks: calls that ended, answered or not.

Source: CallRail's public documentation of its webhooks, in the newer and the older names of fields. Times without a
zone are read in the zone of the source. A call that the lead made counts for Marketing, one that we made for Sales.
"""

from collections.abc import Mapping
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import fingerprint_of, flag_of, number_of, profile_of, text_of, zoned_moment
from services.ingest.domain.forms import touch_in
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Texts, Touch
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_same

SENDER: str = "callrail"
TITLE: str = "CallRail"
SETUP: tuple[str, ...] = (
    "In CallRail: Settings, Integrations, Webhooks; paste {url} at Post-Call, and only there.",
    "Add a header `Authorization` with the value `Bearer SECRET`, SECRET being long and random; give Baton the SECRET.",
    "On the source set the zone of your CallRail account.",
)
PROOF: Proof = "shared_secret"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {"answered": "call_connected", "unanswered": "call_attempted"}
STATUSES: tuple[str, ...] = ("unfinished",)
_ANSWERS: Final[Mapping[bool | None, str]] = {True: "answered", False: "unanswered", None: "unfinished"}


def hint(request: InboundRequest) -> str | None:
    """The number of the other side."""
    try:
        return _phone(_event(request))
    except Unreadable:
        return None


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the scheme has no time
    """`Authorization: Bearer` and the secret, exactly."""
    return bool(secret) and is_same(request.headers.get("authorization", ""), f"Bearer {secret}")


def outline(request: InboundRequest) -> Outline:
    """One call."""
    _event(request)
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:
    """One call; a change to it afterwards has the same id and adds nothing."""
    event = _event(request)
    name = _ANSWERS[flag_of(event.get("answered"))]
    kind = KINDS.get(name)
    own = text_of(event.get("resource_id")) or text_of(event.get("id"))
    started = _any(event, "start_time", "datetime")
    found = Observation(
        operation=Operation.STATUS if kind is None else Operation.ACTIVITY,
        event_id=f"{own}\x1f{name}" if own else None,  # told before it was answered, it is another event afterwards
        kind=kind,
        name=name,
        person=Person(phone=_phone(event)),
        timestamp=zoned_moment(started, settings.time_zone),
        direction="sales" if event.get("direction") == "outbound" else "marketing",
        traits=_traits(event),
        touch=_touch(event),
        texts=Texts(text=_any(event, "note", "transcription")),
        fingerprint=fingerprint_of(f"{own}{name}{started}".encode(errors="replace")),
    )
    return Parsed((found,))


def _event(request: InboundRequest) -> Mapping[str, object]:
    return bodies.read_event(bodies.utf8(request.body))


def _any(event: Mapping[str, object], *names: str) -> str | None:
    return next((text for name in names if (text := text_of(event.get(name)))), None)


def _phone(event: Mapping[str, object]) -> str | None:
    return _any(event, "customer_phone_number", "callernum")


def _traits(event: Mapping[str, object]) -> dict[str, str]:
    name, country = _any(event, "customer_name", "callername"), _any(event, "customer_country", "callercountry")
    return profile_of({"name": name, "country": country})


def _touch(event: Mapping[str, object]) -> Touch:
    """The page and campaign that showed the number, else the tracking source it belongs to."""
    said = touch_in(event)
    return Touch(
        url=_any(event, "landing_page_url", "landingpage"),
        referrer=_any(event, "referring_url", "referrer"),
        traffic_source=said.traffic_source or _any(event, "source_name", "callsource"),
        medium=said.medium or _any(event, "medium", "referrermedium"),
        campaign=said.campaign or _any(event, "campaign"),
        asset=_any(event, "tracking_phone_number", "trackingnum"),
        duration_seconds=number_of(event.get("duration")),
    )
