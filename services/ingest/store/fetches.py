"""What a delivery asked for and a loop has still to do: fetches from senders, erasures, and the tokens they need."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.ingest.store.statements import by_columns
from shared.db.engine import ReadTx, Tx
from shared.db.ledger import LedgerCheck
from shared.db.standing import Due

__all__ = [
    "FETCH_LEDGER",
    "AskedErasure",
    "FetchRow",
    "add_erasures",
    "add_fetches",
    "claim_fetches",
    "fetches_standing",
    "forget_fetches",
    "parked_before",
    "put_off_fetch",
    "rebase_fetches",
    "settle_fetch",
    "take_erasure",
    "tokens",
]

_LEASE_SECONDS: Final = 90  # longer than a fetch may take; a process that died in one is followed by another after it


@dataclass(frozen=True, slots=True)
class FetchRow:
    """One thing to fetch; tries counts this one too, once claimed."""

    id: UUID
    source_id: UUID
    sender: str
    verified_by: str
    what: str
    url: str
    headers: Mapping[str, str]
    tries: int = 0


@dataclass(frozen=True, slots=True)
class AskedErasure:
    """A person to be erased, by the keys a sender named; `by` says who asked."""

    id: UUID
    keys: Sequence[tuple[str, str]]
    by: str


_ADD_FETCHES = by_columns(
    """
    insert into fetch_due (id, source_id, sender, verified_by, what, url, headers, due_at)
    select id, source_id, sender, verified_by, what, url, cast(headers as jsonb), baton_now()
      from unnest(:ids, :source_ids, :senders, :proofs, :whats, :urls, :headers)
           as row (id, source_id, sender, verified_by, what, url, headers)
    on conflict (id) do nothing
    """,
    ids="uuid",
    source_ids="uuid",
    senders="text",
    proofs="text",
    whats="text",
    urls="text",
    headers="text",
)
_ADD_ERASURES = by_columns(
    """
    insert into erasure_due (id, keys, asked_by)
    select id, cast(keys as jsonb), asked_by from unnest(:ids, :keys, :bys) as row (id, keys, asked_by)
    on conflict (id) do nothing
    """,
    ids="uuid",
    keys="text",
    bys="text",
)
_TOKENS = by_columns(
    """
    select distinct on (source_id) source_id, wrapped from source_key
     where source_id = any(:ids) and kind = 'api_token' and (valid_until is null or valid_until > baton_now())
     order by source_id, created_at desc
    """,
    ids="uuid",
)
_KEPT_DAYS: Final = 35  # as long as the ids of what they became
_FORGET_MAX: Final = 5_000  # rows of one delete: a longer one would hold the table's rows too long
FETCH_LEDGER: Final = (
    LedgerCheck(
        "deliveries",
        "each fetch ends done or failed within three days",
        "select id::text from fetch_due where state = 'waiting' and created_at < baton_now() - interval '3 days'",
    ),
    LedgerCheck(
        "deliveries",
        "each erasure that a sender asked for is done within the hour",
        "select id::text from erasure_due where asked_at < baton_now() - interval '1 hour'",
    ),
)
"""What must hold of what was asked: nothing of it is forgotten."""

_PARKED = by_columns("select event_id from parked where consumer = 'ingest' and event_id = any(:ids)", ids="uuid")


async def add_fetches(tx: Tx, rows: Collection[FetchRow]) -> None:
    """Note what is to be fetched; what is noted already stays as it is."""
    if rows:
        found: dict[str, list[Any]] = {
            "ids": [row.id for row in rows],
            "source_ids": [row.source_id for row in rows],
            "senders": [row.sender for row in rows],
            "proofs": [row.verified_by for row in rows],
            "whats": [row.what for row in rows],
            "urls": [row.url for row in rows],
            "headers": [json.dumps(dict(row.headers)) for row in rows],
        }
        await tx.execute(_ADD_FETCHES, found)


async def claim_fetches(tx: Tx, *, limit: int, of_source: int) -> list[FetchRow]:
    """Those that are due, oldest first, of each source the first `of_source` alone, leased to this process."""
    rows = await tx.execute(
        """
        update fetch_due f set tries = f.tries + 1, due_at = baton_now() + make_interval(secs => :lease)
         where f.id in (
               select d.id from fetch_due d
                where d.state = 'waiting' and d.due_at <= baton_now() and d.id in (
                      select next.id from source s cross join lateral (
                             select n.id from fetch_due n
                              where n.source_id = s.id and n.state = 'waiting' and n.due_at <= baton_now()
                              order by n.due_at, n.id limit :of_source) next)
                order by d.due_at, d.id limit :limit for update skip locked)
        returning id, source_id, sender, verified_by, what, url, headers, tries
        """,
        {"limit": limit, "of_source": of_source, "lease": _LEASE_SECONDS},
    )
    return [FetchRow(**row) for row in rows.mappings()]


async def put_off_fetch(tx: Tx, fetch_id: UUID, *, due_at: datetime, problem: str) -> None:
    """Try again then."""
    await tx.execute(
        "update fetch_due set due_at = :due_at, problem = :problem where id = :id and state = 'waiting'",
        {"id": fetch_id, "due_at": due_at, "problem": problem},
    )


async def settle_fetch(tx: Tx, fetch_id: UUID, *, state: str, problem: str) -> None:
    """Done or failed: no more tries."""
    await tx.execute(
        """
        update fetch_due set state = :state, problem = :problem, settled_at = baton_now()
         where id = :id and state = 'waiting'
        """,
        {"id": fetch_id, "state": state, "problem": problem},
    )


async def fetches_standing(tx: ReadTx) -> Due:
    """The fetches and erasures that are due now, and when the next fetch is."""
    rows = await tx.execute(
        """
        select (select count(*) from fetch_due where state = 'waiting' and due_at <= baton_now())
               + (select count(*) from erasure_due) as due,
               (select min(due_at) from fetch_due where state = 'waiting' and due_at > baton_now()) as next_at
        """
    )
    row = rows.one()
    return Due(int(row.due), row.next_at)


async def forget_fetches(tx: Tx) -> None:
    """Delete what was settled long ago."""
    await tx.execute(
        """
        delete from fetch_due where id in (
               select id from fetch_due
                where state <> 'waiting' and settled_at < baton_now() - make_interval(days => :days) limit :most)
        """,
        {"days": _KEPT_DAYS, "most": _FORGET_MAX},
    )


async def rebase_fetches(tx: Tx, source_id: UUID, *, base: str) -> None:
    """Let the waiting fetches of a source go to another base, scheme and host, with the same question."""
    await tx.execute(
        r"""
        update fetch_due set url = :base || regexp_replace(url, '^[^/]*//[^/]*', '')
         where source_id = :source_id and state = 'waiting'
        """,
        {"source_id": source_id, "base": base},
    )


async def tokens(tx: ReadTx, source_ids: Collection[UUID]) -> dict[UUID, bytes]:
    """The newest valid API token of each source, wrapped; sources without one are absent."""
    return {row.source_id: bytes(row.wrapped) for row in await tx.execute(_TOKENS, {"ids": list(source_ids)})}


async def parked_before(tx: ReadTx, delivery_ids: Collection[UUID]) -> frozenset[UUID]:
    """Which of these deliveries were parked once: who handles one of them now, replays it."""
    return frozenset((await tx.execute(_PARKED, {"ids": list(delivery_ids)})).scalars())


async def add_erasures(tx: Tx, rows: Collection[AskedErasure]) -> None:
    """Note who is to be erased; a loop does it in a transaction of its own, where the locks have their order."""
    if rows:
        keys = [json.dumps([list(pair) for pair in row.keys]) for row in rows]
        await tx.execute(
            _ADD_ERASURES, {"ids": [row.id for row in rows], "keys": keys, "bys": [row.by for row in rows]}
        )


async def take_erasure(tx: Tx) -> AskedErasure | None:
    """The oldest erasure that nobody else is at; it is gone when this transaction commits."""
    rows = await tx.execute(
        """
        delete from erasure_due where id = (
               select id from erasure_due order by asked_at, id limit 1 for update skip locked)
        returning id, keys, asked_by
        """
    )
    row = rows.first()
    return None if row is None else AskedErasure(row.id, [(kind, value) for kind, value in row.keys], row.asked_by)
