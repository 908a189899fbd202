"""Who sees which page and which rows. The owner services decide about commands again; this decides about reading here.

A rep sees own and offered handoffs, a manager those of the team and those without owner (one without a team manages
nobody), all other roles see all. Reps and managers see the people of handoffs in their view and no others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from services.console.domain.records import HandoffRow, UserRow

__all__ = [
    "PAGES",
    "Page",
    "Reach",
    "Role",
    "Viewer",
    "home_of",
    "may_open",
    "reach_of",
    "sees_handoff",
    "sees_unowned",
    "sees_user",
]


class Role(StrEnum):
    """The five roles of people (SECURITY section 1)."""

    REP = "rep"
    MANAGER = "manager"
    MARKETER = "marketer"
    REVOPS = "revops"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the navigation: its address, its `G` letter, and the roles that have it."""

    name: str
    path: str
    title: str
    letter: str
    group: str
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: what the row rules need to know of a signed-in user."""

    user_id: UUID
    role: Role
    team_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose handoffs are in view: those of these users (None: everybody's), and those that nobody holds."""

    owner_ids: frozenset[UUID] | None
    has_unowned: bool


_ALL = frozenset(Role)
_SOURCES = frozenset({Role.MARKETER, Role.REVOPS, Role.ADMIN})
_NARROW = frozenset({Role.REP, Role.MANAGER})  # the roles that see some rows only

PAGES = (
    Page("queue", "/queue", "My queue", "q", "Work", frozenset({Role.REP, Role.MANAGER})),
    Page("board", "/board", "SLA board", "b", "Work", _ALL),
    Page("leads", "/leads", "Leads", "l", "Work", _ALL),
    Page("funnel", "/funnel", "Funnel", "f", "Together", _ALL),
    Page("agreement", "/agreement", "Agreement", "a", "Together", _ALL),
    Page("connections", "/connections", "Connections", "c", "Operate", _SOURCES),
    Page("imports", "/imports", "Imports", "i", "Operate", frozenset({Role.MARKETER, Role.REVOPS})),
    Page("parked", "/parked", "Parked", "p", "Operate", frozenset({Role.REVOPS, Role.ADMIN})),
)
_HOME = {
    Role.REP: "/queue",
    Role.MANAGER: "/board",
    Role.MARKETER: "/funnel",
    Role.REVOPS: "/board",
    Role.ADMIN: "/board",
}


def home_of(role: Role) -> str:
    """The page a role starts on."""
    return _HOME[role]


def may_open(page: str, role: Role) -> bool:
    """Whether a role has a page at all."""
    return any(entry.name == page and role in entry.roles for entry in PAGES)


def sees_handoff(viewer: Viewer, handoff: HandoffRow, users: Mapping[UUID, UserRow]) -> bool:
    """Whether a handoff is a row in this person's view."""
    if viewer.role not in _NARROW:
        return True
    if handoff.owner_id is None:
        return sees_unowned(viewer)
    owner = users.get(handoff.owner_id)
    return handoff.owner_id == viewer.user_id or (owner is not None and sees_user(viewer, owner))


def sees_user(viewer: Viewer, owner: UserRow) -> bool:
    """Whether what this user holds is in view."""
    if viewer.role not in _NARROW or owner.user_id == viewer.user_id:
        return True
    return viewer.role is Role.MANAGER and viewer.team_id is not None and owner.team_id == viewer.team_id


def sees_unowned(viewer: Viewer) -> bool:
    """Whether what nobody holds is in view: of the managers those who have a team to give it to."""
    return viewer.role not in _NARROW or (viewer.role is Role.MANAGER and viewer.team_id is not None)


def reach_of(viewer: Viewer, users: Iterable[UserRow]) -> Reach:
    """The same rule as a condition for the store."""
    if viewer.role not in _NARROW:
        return Reach(None, has_unowned=True)
    owners = {user.user_id for user in users if sees_user(viewer, user)}
    return Reach(frozenset({*owners, viewer.user_id}), has_unowned=sees_unowned(viewer))
