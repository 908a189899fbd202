"""Who may do what: principals, roles, scopes and the one policy table.

Here is decided whether a route is open at all; which rows somebody sees is narrowed by the owner's store. A
permission that no table names is nobody's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

from shared.errors import Unauthorised
from shared.ids import UserId

__all__ = ["PERMISSIONS_OF_ROLE", "Permission", "Principal", "Role", "Scope"]

Role = Literal["rep", "manager", "marketer", "revops", "admin"]
PrincipalKind = Literal["user", "key", "service", "cli"]

# What an API key may be given (SECURITY 1).
Scope = Literal[
    "leads:read",
    "leads:write",
    "handoffs:read",
    "handoffs:act",
    "outcomes:write",
    "activities:write",
    "reports:read",
    "endpoints:manage",
    "privacy:act",
    "admin",
]
Permission = Literal[
    Scope,
    # what only people do
    "handoffs:open",  # open, revoke, enrol: marketer and manager
    "handoffs:manage",  # reassign, team rows, replay a routing decision
    "reps:manage",  # reps, teams, calendars, account owners
    "reps:self",  # own absences
    "sources:read",
    "sources:manage",
    "agreements:read",
    "agreements:draft",
    "agreements:sign",  # the two named users; the draft says who
    "models:read",
    "models:train",
    "models:approve",
    "disputes:open",
    "disputes:rule",
    "connectors:manage",
    "consent:read",
    "simulate",
    "parked:act",
    "users:manage",
    # what services do among themselves, on the internal port
    "service",
    # any proven caller; and the routes that prove nobody (health, sign-in, the door itself)
    "any",
    "public",
]

_EVERYBODY: frozenset[Permission] = frozenset(
    {"any", "leads:read", "handoffs:read", "reports:read", "agreements:read", "models:read", "consent:read"}
)
PERMISSIONS_OF_ROLE: Mapping[Role, frozenset[Permission]] = {
    "rep": _EVERYBODY | {"handoffs:act", "reps:self", "disputes:open"},
    "manager": _EVERYBODY
    | {
        "handoffs:act", "handoffs:open", "handoffs:manage", "reps:manage", "reps:self", "disputes:open",
        "disputes:rule", "agreements:sign", "models:approve",
    },
    "marketer": _EVERYBODY
    | {
        "leads:write", "activities:write", "handoffs:open", "sources:read", "sources:manage", "agreements:sign",
        "models:approve", "disputes:open", "disputes:rule", "outcomes:write",
    },
    "revops": _EVERYBODY
    | {
        "leads:write", "activities:write", "sources:read", "sources:manage", "agreements:draft", "agreements:sign",
        "models:train", "models:approve", "connectors:manage", "simulate", "parked:act", "handoffs:manage",
        "outcomes:write",
    },
    "admin": _EVERYBODY
    | {"admin", "users:manage", "endpoints:manage", "privacy:act", "sources:read", "sources:manage", "parked:act",
    "reps:manage"},
}  # fmt: skip
# A service that calls for itself, and the operator's command: internal routes, and what operators repair.
_SERVICE: frozenset[Permission] = frozenset({"any", "service", "simulate", "activities:write"})
_CLI: frozenset[Permission] = frozenset(get_args(Permission))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request is from: a user, an API key (kind key), a service for itself, or the operator's command (cli).

    id is the user's or key's UUID as text, or the service's name; via names the service that forwarded it.
    """

    kind: PrincipalKind
    id: str
    role: Role | None = None
    team_id: UUID | None = None
    scopes: frozenset[str] = frozenset()
    via: str = ""

    @property
    def user_id(self) -> UserId | None:
        """The user's id, or None for keys and services. A rep is a user: the same id."""
        return UserId(UUID(self.id)) if self.kind == "user" else None

    def may(self, permission: Permission) -> bool:
        """The one policy: whether this principal may use routes that declare the permission."""
        if permission == "public":
            return True
        if self.kind == "user":
            return self.role is not None and permission in PERMISSIONS_OF_ROLE[self.role]
        if self.kind == "key":
            return permission == "any" or permission in self.scopes
        return permission in (_CLI if self.kind == "cli" else _SERVICE)

    def to_claim(self) -> dict[str, Any]:
        """The `act` claim of a service token."""
        claim: dict[str, Any] = {"kind": self.kind, "id": self.id, "scopes": sorted(self.scopes)}
        if self.role is not None:
            claim["role"] = self.role
        if self.team_id is not None:
            claim["team_id"] = str(self.team_id)
        return claim

    @classmethod
    def from_claim(cls, claim: Mapping[str, Any], *, via: str) -> "Principal":
        """Read an `act` claim that a trusted service signed. Raises Unauthorised when it is malformed."""
        try:
            role, team = claim.get("role"), claim.get("team_id")
            if claim["kind"] not in {"user", "key"} or (role is not None and role not in PERMISSIONS_OF_ROLE):
                raise Unauthorised("The token's act claim names no kind or role we know.")
            return cls(
                kind=claim["kind"],
                id=str(claim["id"]) if claim["kind"] != "user" else str(UUID(claim["id"])),
                role=role,
                team_id=UUID(team) if team else None,
                scopes=frozenset(map(str, claim.get("scopes", ()))),
                via=via,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unauthorised("The token's act claim is malformed.") from error
