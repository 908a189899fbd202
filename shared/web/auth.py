"""Who calls, and what they may do: service tokens (EdDSA), principals, and the one policy table of roles and scopes.

Users and API keys enter at the console only; it forwards them inside its own short-lived token (`act`). A route
without a declared permission fails the build. Rows are narrowed by the owner's store; here is decided whether the
route is open at all.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import UUID

from fastapi import Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from shared.clock import machine_now
from shared.errors import Forbidden, Unauthorised
from shared.ids import UserId

__all__ = [
    "PERMISSIONS_OF_ROLE",
    "Authenticate",
    "Permission",
    "Principal",
    "Role",
    "ServiceTokens",
    "bearer",
    "by_service_token",
    "permission_of",
    "requires",
]

Role = Literal["rep", "manager", "marketer", "revops", "admin"]
PrincipalKind = Literal["user", "key", "service", "cli"]

Permission = Literal[
    # the scopes of API keys (SECURITY 1)
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
        "leads:write", "sources:read", "sources:manage", "agreements:draft", "agreements:sign", "models:train",
        "models:approve", "connectors:manage", "simulate", "parked:act", "handoffs:manage", "outcomes:write",
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


# Who may forward a user or key: the console, where they enter, and the command, which acts for its operator.
_MAY_FORWARD = frozenset({"console", "cli"})
_LIFETIME = timedelta(minutes=5)
_LEEWAY_SECONDS = 30
_ALGORITHMS = ["Ed25519"]


class ServiceTokens:
    """Makes this service's tokens and checks those of others. Keys are read once, at start."""

    def __init__(self, service: str, *, signing_key: OKPKey | None, public_keys: Mapping[str, OKPKey]) -> None:
        self.service = service
        self._signing_key = signing_key
        self._public_keys = dict(public_keys)

    @classmethod
    def from_files(
        cls, service: str, *, signing_key_file: Path | None, service_keys_file: Path | None
    ) -> "ServiceTokens":
        """Read the private key (PEM) and everybody's public keys (JSON: service → PEM).

        Raises ValueError when unreadable.
        """
        signing = OKPKey.import_key(signing_key_file.read_bytes()) if signing_key_file else None
        listed: dict[str, str] = json.loads(service_keys_file.read_text()) if service_keys_file else {}
        return cls(
            service,
            signing_key=signing,
            public_keys={name: OKPKey.import_key(pem) for name, pem in listed.items()},
        )

    def make(self, *, audience: str, principal: Principal | None = None) -> str:
        """A token for one callee, valid five minutes; forwards the principal when there is one."""
        if self._signing_key is None:
            raise Unauthorised(
                f"Set BATON_{self.service.upper()}_SIGNING_KEY_FILE: this service has no key to sign with."
            )
        now = int(machine_now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.service,
            "aud": audience,
            "iat": now,
            "exp": now + int(_LIFETIME.total_seconds()),
        }
        if principal is not None and principal.kind in {"user", "key"}:
            claims["act"] = principal.to_claim()
        return jwt.encode({"alg": _ALGORITHMS[0]}, claims, self._signing_key, algorithms=_ALGORITHMS)

    def check(self, token: str) -> Principal:
        """The principal a token proves. Raises Unauthorised for any other algorithm, issuer, audience, or time."""
        issuer = _issuer_unverified(token)
        key = self._public_keys.get(issuer)
        if key is None:
            raise Unauthorised("The token's issuer is not one of our services.")
        try:
            claims = jwt.decode(token, key, algorithms=_ALGORITHMS).claims
        except (JoseError, ValueError, TypeError) as error:
            raise Unauthorised("The token's signature or form is wrong.") from error
        self._check_claims(claims, issuer)
        act = claims.get("act")
        if act is None:
            return Principal(kind="cli" if issuer == "cli" else "service", id=issuer, via=issuer)
        if issuer not in _MAY_FORWARD or not isinstance(act, dict):
            raise Unauthorised("This service may not act for a user.")
        return Principal.from_claim(act, via=issuer)

    def _check_claims(self, claims: Mapping[str, Any], issuer: str) -> None:
        now = machine_now().timestamp()
        issued, expires = claims.get("iat"), claims.get("exp")
        is_timely = (
            isinstance(issued, int)
            and isinstance(expires, int)
            and issued - _LEEWAY_SECONDS <= now < expires
            and expires - issued <= _LIFETIME.total_seconds()
        )
        if not is_timely or claims.get("iss") != issuer or claims.get("aud") != self.service:
            raise Unauthorised("The token is expired, early, or made for another service.")


def _issuer_unverified(token: str) -> str:
    """The issuer a token claims; only used to choose the key that must then verify it."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["iss"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise Unauthorised("The token is not a token.") from error


Authenticate = Callable[[Request], Awaitable[Principal | None]]


_NOBODY = Principal(kind="service", id="")


def requires(permission: Permission) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency that proves the caller and checks the permission; the endpoint receives the Principal.

    Use: `principal: Annotated[Principal, Depends(requires("leads:read"))]`. Raises Unauthorised or Forbidden.
    """

    async def prove(request: Request) -> Principal:
        if permission == "public":
            return _NOBODY  # health and sign-in: no token is looked at, so a stale one does no harm
        authenticate: Authenticate = request.app.state.authenticate
        principal = await authenticate(request)
        if principal is None:
            raise Unauthorised("Send a valid token in the Authorization header.")
        if not principal.may(permission):
            raise Forbidden(f"This needs the permission {permission}.")
        request.state.principal = principal
        return principal

    prove.permission = permission  # type: ignore[attr-defined]  # read by permission_of
    return prove


def permission_of(dependency: object) -> Permission | None:
    """The permission a dependency made by `requires` checks; None for any other callable."""
    return getattr(dependency, "permission", None)


def bearer(request: Request) -> str | None:
    """The bearer token of a request, or None."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def by_service_token(tokens: ServiceTokens) -> Authenticate:
    """How every service but the console's pages proves its callers."""

    async def authenticate(request: Request) -> Principal | None:
        token = bearer(request)
        return None if token is None else tokens.check(token)

    return authenticate
