"""Draws templates: the one Jinja environment, its filters, and the values that every page shares.

Templates escape everything and an unknown name is an error. A name or text of a person enters only through `who`, which
was asked of ingest for this rendering.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.console.commands.profiles import Profile
from services.console.domain.board import cause_of
from services.console.domain.clocks import ClockFace, Urgency
from services.console.domain.durations import day_text, epoch, remaining_text, time_text, zone_of
from services.console.domain.hidden import shown
from services.console.domain.records import OpportunityRow, UserRow
from services.console.domain.rights import PAGES, Page, Role
from services.console.domain.timeline import group_title
from services.console.domain.words import label, plural, points_text, spoken
from shared.ids import new_id

__all__ = [
    "STATIC_FOLDER",
    "Bands",
    "Drawing",
    "Profile",
    "Told",
    "World",
    "draw",
    "initials_of",
    "static_address",
    "static_version",
    "zone_of",
]

_HERE = Path(__file__).parent.parent
STATIC_FOLDER = _HERE / "static"
_HASH_SHOWN = 10


@dataclass(frozen=True, slots=True)
class World:
    """World time as a page needs it: the instant, its speed, and the viewer's zone."""

    now: datetime
    speed: float
    zone: ZoneInfo
    is_demo: bool = False

    @property
    def milliseconds(self) -> int:
        """Epoch milliseconds of world time: where the page's ticker starts."""
        return int(self.now.timestamp() * 1000)

    @property
    def clock_text(self) -> str:
        """The time of day in the viewer's zone."""
        return time_text(self.now.astimezone(self.zone))

    @property
    def full_text(self) -> str:
        """Day and time of day in the viewer's zone."""
        local = self.now.astimezone(self.zone)
        return f"{day_text(local)} {local:%Y}, {time_text(local)}"


@dataclass(frozen=True, slots=True)
class Bands:
    """The lines that stand above a page while something is open."""

    consent_unanswered: bool = False
    unsigned_default: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence about what a command did: kind good, bad or info."""

    kind: str
    text: str
    undo_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """What every template may use, whichever page it is."""

    user: UserRow
    csrf: str
    world: World
    users: Mapping[UUID, UserRow]
    profiles: Mapping[UUID, Profile | None]
    bands: Bands = field(default_factory=Bands)
    badges: Mapping[str, int] = field(default_factory=dict)

    @property
    def pages(self) -> tuple[Page, ...]:
        """The pages of this user's role, in the order of the navigation."""
        return tuple(page for page in PAGES if Role(self.user.role) in page.roles)


def draw(template: str, drawing: Drawing | None, /, **values: Any) -> str:  # noqa: ANN401  # any template's values
    """The text of a template with its page's own values; without a drawing only for the sign-in page."""
    shared = _shared(drawing) if drawing else {}
    return _environment().get_template(template).render({**shared, **values})


def static_address(name: str) -> str:
    """The address of a static file; it changes with the file's bytes, so browsers may keep what they have."""
    return f"/static/{name}?{static_version(name)}"


@cache
def static_version(name: str) -> str:
    """The query under which a static file may be kept: the hash of its bytes. The file exists."""
    return f"v={sha256((STATIC_FOLDER / name).read_bytes()).hexdigest()[:_HASH_SHOWN]}"


def initials_of(name: str) -> str:
    """Up to two letters that stand for a name; a dot when there is none."""
    words = [word for word in name.split() if word[:1].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper() or "·"


def _shared(drawing: Drawing) -> dict[str, Any]:
    world = drawing.world

    def who(lead_id: UUID) -> Profile | None:
        return drawing.profiles.get(lead_id)

    def remaining(clock: ClockFace) -> str:
        return "paused" if clock.urgency is Urgency.PAUSED else remaining_text(clock.due_epoch - epoch(world.now))

    def local(at: datetime) -> datetime:
        return at.astimezone(world.zone)

    def user_name(user_id: UUID) -> str:
        found = drawing.users.get(user_id)
        return found.display_name if found else f"Rep {str(user_id)[:8]}"

    def initials(lead_id: UUID) -> str:
        profile = who(lead_id)
        return initials_of(profile.name or profile.email if profile else "")

    return {
        "user": drawing.user,
        "csrf": drawing.csrf,
        "world": world,
        "pages": drawing.pages,
        "bands": drawing.bands,
        "badges": drawing.badges,
        "who": who,
        "remaining": remaining,
        "user_name": user_name,
        "initials": initials,
        "zone_name": str(world.zone),
        "clock_time": lambda clock: _near(local(datetime.fromtimestamp(clock.due_epoch, world.zone)), local(world.now)),
        "short_time": lambda at: _near(local(at), local(world.now)),
        "day_time": lambda at: time_text(local(at)),
        "full_time": lambda at: f"{day_text(local(at))} {local(at):%Y}, {time_text(local(at))} {world.zone}",
        "day_text": lambda at: "Today" if local(at).date() == local(world.now).date() else day_text(local(at)),
        "told": None,
        "stream_address": None,
        "key_sheet": (),
        "queue": None,
        "leaving": {},
    }


def _near(at: datetime, now: datetime) -> str:
    """A time of day, with the day when it is another one."""
    return time_text(at) if at.date() == now.date() else f"{at.day} {at:%b}, {time_text(at)}"


def _money(deal: OpportunityRow) -> str:
    if deal.amount_minor is None or deal.currency is None:
        return "Amount not known"
    return f"{deal.amount_minor / 100:,.0f} {deal.currency}"


def _finalized(value: object) -> object:
    """What every expression of a template passes: markup of ours as it is, texts with hidden characters shown."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({"spoken": spoken, "initials_text": initials_of})
    environment.globals.update(
        {
            "static": static_address,
            "label": label,
            "plural": plural,
            "points_text": points_text,
            "cause_of": cause_of,
            "group_title": group_title,
            "money": _money,
            "new_key": lambda: str(new_id()),
        }
    )
    return environment


def keys_of(rows: Sequence[tuple[Sequence[str], str]]) -> tuple[tuple[tuple[str, ...], str], ...]:
    """The key sheet of a page: its own keys, then those of every page."""
    common: tuple[tuple[tuple[str, ...], str], ...] = (
        (("J",), "Next row"),
        (("K",), "Row before"),
        (("Enter",), "Open the row"),
        (("Ctrl", "K"), "Search pages, commands and leads"),
        (("G", "…"), "Go to a page: " + ", ".join(f"{page.letter.upper()} {page.title}" for page in PAGES)),
        (("?",), "This sheet"),
        (("Esc",), "Close"),
    )
    return tuple((tuple(keys), text) for keys, text in rows) + common
