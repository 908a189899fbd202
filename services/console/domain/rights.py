"""Who sees which page and which rows. The owner services decide about commands again; this decides about reading here.

A rep sees own and offered handoffs, a manager those of the team and those without owner, all other roles see all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from services.console.domain.records import HandoffRow, UserRow

__all__ = ["PAGES", "Page", "Role", "Viewer", "home_of", "may_open", "sees_handoff", "sees_user", "team_of_role"]


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


_ALL = frozenset(Role)
_LEADING = _ALL - {Role.REP}

PAGES = (
    Page("queue", "/queue", "My queue", "q", "Work", frozenset({Role.REP, Role.MANAGER})),
    Page("board", "/board", "SLA board", "b", "Work", _ALL),
    Page("leads", "/leads", "Leads", "l", "Work", _ALL),
    Page("funnel", "/funnel", "Funnel", "f", "Together", _ALL),
    Page("agreement", "/agreement", "Agreement", "a", "Together", _ALL),
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
    if viewer.role is Role.REP:
        return handoff.owner_id == viewer.user_id
    owner = users.get(handoff.owner_id) if handoff.owner_id else None
    return owner is None or sees_user(viewer, owner)


def sees_user(viewer: Viewer, owner: UserRow) -> bool:
    """Whether what this user holds is in view; who has no team is of every team."""
    if viewer.role is Role.REP:
        return owner.user_id == viewer.user_id
    return viewer.role is not Role.MANAGER or viewer.team_id is None or owner.team_id in {None, viewer.team_id}


def team_of_role(role: Role) -> str:
    """The team a role speaks for; revops and admins serve both."""
    if role in {Role.REP, Role.MANAGER}:
        return "Sales"
    return "Marketing" if role is Role.MARKETER else "Both teams"
