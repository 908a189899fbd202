"""Who calls: service tokens (EdDSA), and the dependency by which a route declares its permission.

Users and API keys enter at the console only; it forwards them inside its own short-lived token (`act`). A route
without a declared permission fails the build. What a permission means: `shared.web.policy`.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from shared.clock import machine_now
from shared.errors import Forbidden, Unauthorised
from shared.web.policy import PERMISSIONS_OF_ROLE, Permission, Principal, Role

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
