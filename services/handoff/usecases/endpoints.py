"""What admins do with webhook endpoints: make, change, delete, enable, rotate, test, resend; in the transaction given.

A secret is answered once, when it is made; afterwards only the loop reads it.
"""

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.handoff.domain.endpoints import OFFERED_TYPES, TEST_TYPE
from services.handoff.outbound.webhook import SECRET_PREFIX, render
from services.handoff.store import attempts, endpoints
from services.handoff.store.endpoints import EndpointRow
from services.handoff.store.secrets import Wrapping
from shared.db.engine import Tx
from shared.errors import FieldError, NotFound, Refused
from shared.ids import DispatchId, UserId, new_id, secret_token

__all__ = [
    "change_endpoint",
    "create_endpoint",
    "delete_endpoint",
    "enable_endpoint",
    "held_endpoint",
    "resend_dispatches",
    "rotate_secret",
    "send_test",
]

SECRET_BYTES = 32
_SECRET_BYTES_RANGE = range(24, 65)  # Standard Webhooks 1.0
OVERLAP_HOURS_MAX = 24 * 30
# Names that are ours or the connection's: with them an endpoint's owner could forge or break what we send.
_OUR_HEADERS = ("webhook-", "content-", "host", "connection", "transfer-encoding", "te", "upgrade", "proxy-", "expect")


async def create_endpoint(
    tx: Tx,
    values: Mapping[str, Any],
    *,
    headers: Mapping[str, str],
    secret: str | None,
    by: UserId | None,
    wrapping: Wrapping,
) -> tuple[EndpointRow, str]:
    """Make an endpoint; its row and its secret (the given one, else a new one). Raises Refused by field."""
    _check(values, headers)
    secret = new_secret() if secret is None else _checked_secret(secret)
    endpoint_id = await endpoints.insert_endpoint(tx, values, headers=headers, by=by, wrapping=wrapping)
    await endpoints.add_secret(tx, endpoint_id, secret, overlap=timedelta(0), wrapping=wrapping)
    return await held_endpoint(tx, endpoint_id, wrapping=wrapping), secret


async def change_endpoint(
    tx: Tx, row: EndpointRow, values: Mapping[str, Any], *, headers: Mapping[str, str] | None, wrapping: Wrapping
) -> EndpointRow:
    """Change what is in values; headers None keeps them. The caller holds the lock and has checked If-Match."""
    _check(values, headers or {})
    kept = {
        "url": row.url,
        "description": row.description,
        "types": row.types,
        "pools": row.pools,
        "products": row.products,
        "is_sharing": row.is_sharing,
        "notify_email": row.notify_email,
        "rate_per_second": row.rate_per_second,
    }
    columns = {**kept, **values}
    lists = {name: list(columns[name]) for name in ("types", "pools", "products")}
    await endpoints.update_endpoint(tx, row.id, {**columns, **lists}, headers=headers, wrapping=wrapping)
    return await held_endpoint(tx, row.id, wrapping=wrapping)


async def held_endpoint(tx: Tx, endpoint_id: UUID, *, wrapping: Wrapping) -> EndpointRow:
    """The endpoint, locked. Raises NotFound."""
    row = await endpoints.lock_endpoint(tx, endpoint_id, wrapping=wrapping)
    if row is None:
        raise NotFound("There is no such endpoint; list them with GET /v1/endpoints.")
    return row


async def delete_endpoint(tx: Tx, row: EndpointRow) -> None:
    """Delete it with its dispatches and attempts."""
    await endpoints.delete_endpoint(tx, row.id)


async def enable_endpoint(tx: Tx, endpoint_id: UUID, *, wrapping: Wrapping) -> EndpointRow:
    """Send to it again; what waited goes out, oldest first. Enabling an enabled one only resets its rate."""
    row = await held_endpoint(tx, endpoint_id, wrapping=wrapping)
    await endpoints.enable_lane(tx, row.id)
    return await held_endpoint(tx, row.id, wrapping=wrapping)


async def rotate_secret(
    tx: Tx, endpoint_id: UUID, *, secret: str | None, overlap_hours: float, wrapping: Wrapping
) -> tuple[str, datetime]:
    """A new secret, and until when the one before signs beside it."""
    row = await held_endpoint(tx, endpoint_id, wrapping=wrapping)
    secret = new_secret() if secret is None else _checked_secret(secret)
    until = await endpoints.add_secret(tx, row.id, secret, overlap=timedelta(hours=overlap_hours), wrapping=wrapping)
    return secret, until


async def send_test(tx: Tx, endpoint_id: UUID, *, wrapping: Wrapping) -> DispatchId:
    """One test event to this endpoint alone."""
    row = await held_endpoint(tx, endpoint_id, wrapping=wrapping)
    data = {"endpoint_id": str(row.id)}
    body = render(event_type=TEST_TYPE, occurred_at=tx.now, data=data, lead_version=None)
    return await attempts.write_test(tx, row.id, event_type=TEST_TYPE, body=body.decode(), event_id=new_id())


async def resend_dispatches(
    tx: Tx,
    endpoint_id: UUID,
    *,
    dispatch_id: UUID | None,
    since: datetime | None,
    until: datetime | None,
    only_failed: bool,
    wrapping: Wrapping,
) -> int:
    """Send again one dispatch, or all that ended in a range; how many. Raises Refused unless exactly one is asked."""
    if (dispatch_id is None) == (since is None):
        raise Refused("Name one dispatch_id, or a range that begins with since.")
    row = await held_endpoint(tx, endpoint_id, wrapping=wrapping)
    return await attempts.resend(tx, row.id, dispatch_id=dispatch_id, since=since, until=until, only_failed=only_failed)


def new_secret() -> str:
    """A fresh secret in the form of Standard Webhooks."""
    token = secret_token(SECRET_BYTES)  # url-safe base64 without its padding
    drawn = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    return SECRET_PREFIX + base64.b64encode(drawn).decode("ascii")


def _checked_secret(secret: str) -> str:
    try:
        is_fine = len(base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)) in _SECRET_BYTES_RANGE
    except ValueError:
        is_fine = False
    if not (is_fine and secret.startswith(SECRET_PREFIX)):
        message = "is whsec_ and the base64 of 24 to 64 random bytes"
        raise Refused("The secret is malformed.", errors=[FieldError("/secret", "secret", message)])
    return secret


def _check(values: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    unknown = sorted(set(values.get("types", ())) - OFFERED_TYPES)
    errors = [FieldError("/types", "unknown", f"{name} is no type that leaves; see the catalog") for name in unknown]
    for name, value in headers.items():
        if name.lower().startswith(_OUR_HEADERS) or not name.replace("-", "").isalnum() or not name.isascii():
            errors.append(FieldError("/headers", "reserved", f"{name[:50]} may not be set here"))
        elif not (value.isascii() and value.isprintable()):
            errors.append(FieldError("/headers", "value", f"the value of {name[:50]} must be printable ASCII"))
    if errors:
        raise Refused("Correct the fields listed in errors.", errors=errors)
