"""What is asked and shown of a source over HTTP: each setting is checked when it is set, not when a page fails."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from services.ingest.domain.activity import CHANNELS
from services.ingest.domain.mapping import BadMapping, read_mapping
from services.ingest.domain.source import is_zone, origin_of
from services.ingest.usecases.sources import OVERLAP_HOURS, OVERLAP_HOURS_MAX
from shared.web.app_factory import Answered, Asked

__all__ = ["KeyShown", "RotateAsked", "SettingsAsked", "SourceAsked", "SourcePatch", "SourceShown", "SourceStanding"]

_MAPPED_MAX: Final = 500


def _checked_origin(text: str) -> str:
    origin = origin_of(text)
    if origin is None:
        raise PydanticCustomError("origin", "write scheme, host and no path, like https://www.example.com")
    return origin


def _checked_zone(text: str) -> str:
    if not is_zone(text):
        raise PydanticCustomError("zone", "write a zone of the IANA list, like Europe/Berlin")
    return text


def _checked_kinds(names: dict[str, str]) -> dict[str, str]:
    unknown = next((kind for kind in names.values() if kind not in CHANNELS), None)
    if unknown is not None:
        raise PydanticCustomError("kind", "{kind} is no kind of ours: {kinds}", {"kind": unknown, "kinds": _KINDS})
    return names


def _checked_mapping(said: dict[str, Any]) -> dict[str, Any]:
    try:
        read_mapping(said)
    except BadMapping as error:
        raise PydanticCustomError(
            "mapping", "{field}: {reason}", {"field": error.field, "reason": error.reason}
        ) from None
    return said


_KINDS: Final = ", ".join(sorted(CHANNELS))
Origin = Annotated[str, AfterValidator(_checked_origin)]
Zone = Annotated[str, AfterValidator(_checked_zone)]
Kinds = Annotated[dict[str, str], AfterValidator(_checked_kinds)]
Mapped = Annotated[dict[str, Any], AfterValidator(_checked_mapping)]
Texts = dict[
    Annotated[str, Field(min_length=1, max_length=64)],
    Annotated[str, Field(max_length=2_000)],
]


class PageRule(Asked):
    """A path pattern (`*` = anything) and what such a page is worth."""

    path: str = Field(min_length=1, max_length=256)
    content: str = Field(min_length=1, max_length=64)


class SettingsAsked(Asked):
    """What marketing sets for a source."""

    origins: list[Origin] = Field(default_factory=list, max_length=100, description="web origins of its browser key")
    pages: list[PageRule] = Field(default_factory=list, max_length=500, description="page patterns, tried in order")
    names: Kinds = Field(default_factory=dict, max_length=_MAPPED_MAX, description="name of a tracked event to kind")
    properties: list[str] = Field(default_factory=list, max_length=100, description="properties that are not personal")
    consent: Literal["granted", "unknown"] = Field("unknown", description="what it states for everybody it sends")
    entry_channel: str | None = Field(None, max_length=32)
    rate_per_second: int | None = Field(None, ge=1, le=100_000)
    time_zone: Zone | None = Field(None, description="IANA zone in which times without one are meant; none: UTC")
    mapping: Mapped = Field(
        default_factory=dict, max_length=_MAPPED_MAX, description="of a generic sender: our field to JSON path"
    )
    options: Texts = Field(
        default_factory=dict, max_length=_MAPPED_MAX, description="what this sender alone needs, by the name it states"
    )


class SourceAsked(Asked):
    """A new source."""

    sender: str = Field(max_length=64, description="segment, cloudevents, sendgrid, …")
    name: str = Field(min_length=1, max_length=200)
    settings: SettingsAsked = Field(default_factory=SettingsAsked)
    keys: list[Literal["server_key", "browser_key"]] = Field(["server_key"], max_length=2)
    secret: str | None = Field(None, max_length=4096, description="signing secret or public key of a sender that signs")


class SourcePatch(Asked):
    """A change of a source, as a merge patch: settings that are not named stay."""

    name: str | None = Field(None, min_length=1, max_length=200)
    settings: SettingsAsked | None = None


class RotateAsked(Asked):
    """Which kind of key is made anew."""

    kind: Literal["server_key", "browser_key", "secret", "api_token"]
    secret: str | None = Field(None, max_length=4096, description="the new secret, or the token of the sender's API")
    overlap_hours: int = Field(
        OVERLAP_HOURS, ge=0, le=OVERLAP_HOURS_MAX, description="how long the old key still works; 0 ends it now"
    )


class KeyShown(Answered):
    """A key without its value."""

    id: UUID
    kind: str
    shown_prefix: str
    created_at: datetime
    valid_until: datetime | None


class SourceStanding(Answered):
    """How a source stands: the last delivery that was handled, and what came within the last day."""

    last_received_at: datetime | None
    deliveries: int
    events: int
    refused: int
    parked: int


class SourceShown(Answered):
    """A source as people see it."""

    id: UUID
    sender: str
    name: str
    url: str
    settings: dict[str, Any]
    version: int
    created_at: datetime
    keys: list[KeyShown]
    standing: SourceStanding
    notice: str = ""
    """What a change did besides and a person has to do about it."""
