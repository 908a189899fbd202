"""Tokens that are not exactly ours prove nobody; the policy table decides the rest."""

import base64
import hmac
import json
from typing import Any, get_args

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey, RSAKey

from shared.clock import machine_now
from shared.errors import Unauthorised
from shared.web.auth import PERMISSIONS_OF_ROLE, Permission, Principal, Role, ServiceTokens

CONSOLE, HANDOFF, CLI, STRANGER = (OKPKey.generate_key("Ed25519") for _ in range(4))
PUBLIC = {"console": CONSOLE, "handoff": HANDOFF, "cli": CLI}
CALLEE = ServiceTokens("scoring", signing_key=None, public_keys=PUBLIC)
USER = Principal(kind="user", id="018f0000-0000-7000-8000-000000000001", role="rep")


def now() -> int:
    return int(machine_now().timestamp())


def claims(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - claims of any type
    made = {"iss": "console", "aud": "scoring", "iat": now(), "exp": now() + 300, **changed}
    return {name: value for name, value in made.items() if value is not None}


def signed(body: dict[str, Any], key: OKPKey = CONSOLE) -> str:
    return jwt.encode({"alg": "Ed25519"}, body, key, algorithms=["Ed25519"])


def raw(header: dict[str, Any], body: dict[str, Any], signature: str = "") -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, body)]
    return ".".join([*parts, signature])


def confused(body: dict[str, Any]) -> str:
    """Signed by HMAC with the public key as the secret."""
    unsigned = raw({"alg": "HS256"}, body).rsplit(".", 1)[0]
    digest = hmac.digest(CONSOLE.as_pem(private=False), unsigned.encode(), "sha256")
    return unsigned + "." + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_a_service_proves_itself_and_forwards_a_user() -> None:
    console = ServiceTokens("console", signing_key=CONSOLE, public_keys={})
    assert CALLEE.check(console.make(audience="scoring")) == Principal(kind="service", id="console", via="console")
    forwarded = CALLEE.check(console.make(audience="scoring", principal=USER))
    assert (forwarded.kind, forwarded.id, forwarded.role, forwarded.via) == ("user", USER.id, "rep", "console")
    assert CALLEE.check(ServiceTokens("cli", signing_key=CLI, public_keys={}).make(audience="scoring")).kind == "cli"


FORGED = [
    "", ".", "..", "a.b.c", "not a token", "é.é.é",
    raw({"alg": "none"}, claims()),
    raw({"alg": "None"}, claims()),
    raw({"alg": "Ed25519"}, claims()),
    raw({"alg": "Ed25519"}, claims(), "AAAA"),
    signed(claims()).rsplit(".", 1)[0] + ".",
    signed(claims())[:-4] + "AAAA",
    signed(claims(), STRANGER),
    signed(claims(), HANDOFF),
    signed(claims(iss="handoff")),
    signed(claims(iss="nobody")),
    signed(claims(iss=None)),
    signed(claims(iss=5)),
    signed(claims(aud="handoff")),
    signed(claims(aud=None)),
    signed(claims(aud=["scoring", "handoff"])),
    signed(claims(exp=now() - 1)),
    signed(claims(exp=None)),
    signed(claims(exp="soon")),
    signed(claims(iat=None)),
    signed(claims(iat=now() + 3_600, exp=now() + 3_700)),
    signed(claims(exp=now() + 86_400)),
    signed(claims(iss="handoff", act=USER.to_claim()), HANDOFF),  # only console and command may forward
    signed(claims(act="me")),
    signed(claims(act={"kind": "service", "id": "feedback"})),
    signed(claims(act={"kind": "user", "id": "not a uuid", "role": "rep"})),
    signed(claims(act={"kind": "user", "id": USER.id, "role": "owner"})),
    signed(claims(act={"kind": "user", "id": USER.id, "role": "rep", "team_id": "x"})),
    signed(claims(act={})),
    confused(claims()),
    jwt.encode({"alg": "RS256"}, claims(), RSAKey.generate_key(2048), algorithms=["RS256"]),
]  # fmt: skip


@pytest.mark.parametrize("token", FORGED, ids=range(len(FORGED)))
def test_a_forged_token_proves_nobody(token: str) -> None:
    with pytest.raises(Unauthorised):
        CALLEE.check(token)


def test_there_are_at_least_thirty_forged_ones() -> None:
    assert len(FORGED) >= 30


def test_a_key_may_what_its_scopes_say_and_no_more() -> None:
    key = Principal(kind="key", id="k", scopes=frozenset({"leads:read"}))
    allowed = {permission for permission in get_args(Permission) if key.may(permission)}
    assert allowed == {"any", "public", "leads:read"}


def test_nobody_but_services_may_use_internal_routes() -> None:
    for role in get_args(Role):
        assert not Principal(kind="user", id="u", role=role).may("service")
    assert not Principal(kind="key", id="k", scopes=frozenset({"admin", "leads:write"})).may("service")
    assert Principal(kind="service", id="handoff").may("service")


def test_an_admin_signs_for_neither_side_and_a_rep_manages_nothing() -> None:
    assert "agreements:sign" not in PERMISSIONS_OF_ROLE["admin"]
    assert not PERMISSIONS_OF_ROLE["rep"] & {"reps:manage", "handoffs:manage", "sources:manage", "users:manage"}


def test_a_user_without_a_role_may_nothing() -> None:
    nobody = Principal(kind="user", id=USER.id)
    assert {permission for permission in get_args(Permission) if nobody.may(permission)} == {"public"}


def test_a_claim_survives_the_way() -> None:
    key = Principal(kind="key", id="k1", scopes=frozenset({"leads:read", "reports:read"}))
    assert Principal.from_claim(key.to_claim(), via="").scopes == key.scopes
