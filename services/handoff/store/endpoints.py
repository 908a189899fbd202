"""Webhook endpoints with their secrets: changed by admins, read by the loop at each attempt.

An endpoint is a lane with an address; lane and endpoint are made and deleted together. Secrets and own headers are
stored wrapped and leave this module unwrapped only for the loop that signs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Row, Text, Uuid, bindparam, text

from services.handoff.store.dispatches import wake_loop
from services.handoff.store.secrets import Wrapping
from shared.db.engine import ReadTx, Tx
from shared.ids import EndpointId, UserId, new_id

__all__ = [
    "EndpointRow",
    "Target",
    "add_secret",
    "delete_endpoint",
    "enable_lane",
    "endpoints_page",
    "insert_endpoint",
    "lock_endpoint",
    "read_endpoint",
    "read_targets",
    "update_endpoint",
]

# More signatures in one header help nobody and fill a receiver's header limit (SENDERS 9).
SECRETS_MAX = 11


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """One endpoint as people see it: no secret."""

    id: EndpointId
    url: str
    description: str
    types: tuple[str, ...]
    pools: tuple[str, ...]
    products: tuple[str, ...]
    is_sharing: bool
    notify_email: str | None
    header_names: tuple[str, ...]
    rate_per_second: int
    rate_share: float
    is_enabled: bool
    disabled_because: str | None
    failing_since: datetime | None
    version: int
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Target:
    """Where and with what the loop sends: secrets in force, the newest first, and the endpoint's own headers."""

    url: str
    secrets: tuple[str, ...]
    headers: Mapping[str, str]


_READ = """
    select e.*, l.rate_per_second, l.rate_share, l.is_enabled, l.disabled_because, l.failing_since
      from endpoint e join lane l on l.id = e.id
"""


async def endpoints_page(
    tx: ReadTx, *, after: tuple[datetime, UUID] | None, limit: int, wrapping: Wrapping
) -> list[EndpointRow]:
    """Endpoints in the order they were made, from behind `after` (created_at, id)."""
    where = " where (e.created_at, e.id) > (cast(:at as timestamptz), cast(:id as uuid))" if after else ""
    values = {"limit": limit, **({"at": after[0], "id": after[1]} if after else {})}
    rows = await tx.execute(f"{_READ}{where} order by e.created_at, e.id limit :limit", values)
    return [_endpoint(row, wrapping) for row in rows]


async def read_endpoint(tx: ReadTx, endpoint_id: UUID, *, wrapping: Wrapping) -> EndpointRow | None:
    """One endpoint, or None."""
    row = (await tx.execute(f"{_READ} where e.id = :id", {"id": endpoint_id})).first()
    return None if row is None else _endpoint(row, wrapping)


async def lock_endpoint(tx: Tx, endpoint_id: UUID, *, wrapping: Wrapping) -> EndpointRow | None:
    """One endpoint, its row and its lane locked until the caller commits."""
    row = (await tx.execute(f"{_READ} where e.id = :id for update of l, e", {"id": endpoint_id})).first()
    return None if row is None else _endpoint(row, wrapping)


_INSERT = text(
    """
    with lane as (
        insert into lane (id, channel, rate_per_second) values (:id, 'webhook', :rate_per_second) returning id
    )
    insert into endpoint (id, url, description, types, pools, products, is_sharing, notify_email, headers_wrapped,
                          created_by, created_at, changed_at)
    select lane.id, :url, :description, :types, :pools, :products, :is_sharing, :notify_email, :headers_wrapped,
           :created_by, baton_now(), baton_now() from lane
    """
).bindparams(*(bindparam(name, type_=ARRAY(Text)) for name in ("types", "pools", "products")))
_UPDATE = text(
    """
    update endpoint set url = :url, description = :description, types = :types, pools = :pools, products = :products,
           is_sharing = :is_sharing, notify_email = :notify_email,
           version = version + 1, changed_at = baton_now()
     where id = :id
    """
).bindparams(*(bindparam(name, type_=ARRAY(Text)) for name in ("types", "pools", "products")))


async def insert_endpoint(
    tx: Tx, values: Mapping[str, Any], *, headers: Mapping[str, str], by: UserId | None, wrapping: Wrapping
) -> EndpointId:
    """Make an endpoint with its lane; values are the columns people set."""
    endpoint_id = EndpointId(new_id())
    wrapped = {"headers_wrapped": _wrapped(headers, wrapping), "id": endpoint_id, "created_by": by}
    await tx.execute(_INSERT, {**values, **wrapped})
    return endpoint_id


async def update_endpoint(
    tx: Tx,
    endpoint_id: EndpointId,
    values: Mapping[str, Any],
    *,
    headers: Mapping[str, str] | None,
    wrapping: Wrapping,
) -> None:
    """Write the columns people set, and the own headers unless None; the caller holds the lock."""
    rate = {"id": endpoint_id, "rate": values["rate_per_second"]}
    await tx.execute("update lane set rate_per_second = :rate where id = :id", rate)
    await tx.execute(_UPDATE, {**values, "id": endpoint_id})
    if headers is not None:
        wrapped = {"id": endpoint_id, "wrapped": _wrapped(headers, wrapping)}
        await tx.execute("update endpoint set headers_wrapped = :wrapped where id = :id", wrapped)


async def delete_endpoint(tx: Tx, endpoint_id: EndpointId) -> None:
    """Delete the endpoint with all its dispatches: what it was sent is nobody's business any more."""
    for statement in (
        "delete from dispatch where lane_id = :id",
        "delete from endpoint where id = :id",
        "delete from lane where id = :id",
    ):
        await tx.execute(statement, {"id": endpoint_id})


async def enable_lane(tx: Tx, endpoint_id: EndpointId) -> None:
    """Let it be sent again, at its full rate; what waited goes out now."""
    wake_loop(tx)
    await tx.execute(
        """
        update lane set is_enabled = true, disabled_because = null, rate_share = 1, failing_since = null,
               warned_at = null where id = :id
        """,
        {"id": endpoint_id},
    )
    await tx.execute("update endpoint set version = version + 1 where id = :id", {"id": endpoint_id})


async def add_secret(
    tx: Tx, endpoint_id: EndpointId, secret: str, *, overlap: timedelta, wrapping: Wrapping
) -> datetime:
    """Make this the endpoint's current secret; the one before signs beside it until the answered moment, then ends."""
    until = tx.now + overlap
    await tx.execute(
        "update endpoint_secret set expires_at = :until where endpoint_id = :id and expires_at is null",
        {"id": endpoint_id, "until": until},
    )
    await tx.execute(
        """
        insert into endpoint_secret (id, endpoint_id, secret_wrapped, made_at)
        values (:secret_id, :id, :wrapped, baton_now())
        """,
        {"secret_id": new_id(), "id": endpoint_id, "wrapped": wrapping.wrap(secret)},
    )
    await tx.execute(
        """
        delete from endpoint_secret where endpoint_id = :id and id not in (
            select id from endpoint_secret where endpoint_id = :id and (expires_at is null or expires_at > baton_now())
             order by made_at desc, id desc limit :most)
        """,
        {"id": endpoint_id, "most": SECRETS_MAX},
    )
    return until


_TARGETS = text(
    """
    select e.id, e.url, e.headers_wrapped,
           array(select s.secret_wrapped from endpoint_secret s
                  where s.endpoint_id = e.id and (s.expires_at is null or s.expires_at > baton_now())
                  order by s.made_at desc, s.id desc) as secrets
      from endpoint e where e.id = any(:ids)
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))


async def read_targets(tx: ReadTx, endpoint_ids: Iterable[UUID], *, wrapping: Wrapping) -> dict[EndpointId, Target]:
    """What attempts need of these endpoints, as they are now."""
    rows = await tx.execute(_TARGETS, {"ids": sorted(set(endpoint_ids))})
    return {
        EndpointId(row.id): Target(
            url=row.url,
            secrets=tuple(wrapping.unwrap(one) for one in row.secrets),
            headers=_headers(row.headers_wrapped, wrapping),
        )
        for row in rows
    }


def _endpoint(row: Row[Any], wrapping: Wrapping) -> EndpointRow:
    return EndpointRow(
        id=EndpointId(row.id),
        url=row.url,
        description=row.description,
        types=tuple(row.types),
        pools=tuple(row.pools),
        products=tuple(row.products),
        is_sharing=row.is_sharing,
        notify_email=row.notify_email,
        header_names=tuple(sorted(_headers(row.headers_wrapped, wrapping))),
        rate_per_second=row.rate_per_second,
        rate_share=row.rate_share,
        is_enabled=row.is_enabled,
        disabled_because=row.disabled_because,
        failing_since=row.failing_since,
        version=row.version,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )


def _wrapped(headers: Mapping[str, str], wrapping: Wrapping) -> str | None:
    return wrapping.wrap(orjson.dumps(dict(headers)).decode()) if headers else None


def _headers(wrapped: str | None, wrapping: Wrapping) -> dict[str, str]:
    return {} if wrapped is None else orjson.loads(wrapping.unwrap(wrapped))
