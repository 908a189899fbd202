"""Erasure: the statements that turn keys into suppressions and delete what is personal of a tree."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from services.ingest.store.statements import by_columns
from shared.db.engine import ReadTx, Tx

__all__ = [
    "add_erasure",
    "erasure_row",
    "forget_people",
    "lock_keys_of",
    "lock_silent_visitors",
    "suppress",
    "tree_ids",
]

_TREE = by_columns("select id from lead where root_id in (select root_id from lead where id = any(:ids))", ids="uuid")
_KEYS = by_columns(
    "select kind, value_hmac from identity_key where lead_id = any(:ids) order by 1, 2 for update", ids="uuid"
)
_SUPPRESS = by_columns(
    """
    insert into suppression (kind, value_hmac, since)
    select kind, value_hmac, baton_now() from unnest(:kinds, :hmacs) as row (kind, value_hmac) on conflict do nothing
    """,
    kinds="text",
    hmacs="bytea",
)
_FORGET = tuple(
    by_columns(statement, ids="uuid")
    for statement in (
        "delete from profile where lead_id = any(:ids)",
        "delete from activity_text where lead_id = any(:ids)",
        "delete from external_id where lead_id = any(:ids)",
        "delete from identity_key where lead_id = any(:ids)",
        "delete from mail_activity where member_id = any(:ids)",
        "update consent_statement set wording = null where lead_id = any(:ids)",
        """
        update lead set erased_at = baton_now(), updated_at = baton_now(), title_level = null, department = null,
               country = null, language = null, time_zone = null, first_page = null,
               first_referrer = null where id = any(:ids)
        """,
        # Answers kept for repeats show the person; emptied, a repeat still has no second effect.
        """
        update idempotency set answer = '{"body": null, "headers": {}}'
          from unnest(:ids) as gone (id) where position(gone.id::text in answer) > 0
        """,
    )
)


async def tree_ids(tx: ReadTx, lead_ids: Collection[UUID]) -> frozenset[UUID]:
    """All members of the trees of these leads; locks nothing."""
    return frozenset((await tx.execute(_TREE, {"ids": list(lead_ids)})).scalars())


async def lock_keys_of(tx: Tx, lead_ids: Collection[UUID]) -> list[tuple[str, bytes]]:
    """The keys of these leads, locked in the order of all keys."""
    return [(row.kind, bytes(row.value_hmac)) for row in await tx.execute(_KEYS, {"ids": list(lead_ids)})]


async def lock_silent_visitors(tx: Tx, *, days: int, limit: int) -> list[UUID]:
    """Leads that are alone, only have anonymous ids and did nothing for so long; their keys and rows locked.

    Whoever is being recognised right now is left for the next time: skipping waits for nobody.
    """
    rows = await tx.execute(
        """
        select l.id from lead l
         where l.erased_at is null and not l.is_known and l.parent_id is null
           and l.active_at < baton_now() - make_interval(days => :days)
           and not exists (select from lead m where m.root_id = l.id and m.id <> l.id)
         order by l.id limit :most
        """,
        {"days": days, "most": limit},
    )
    found = list(rows.scalars())
    await lock_keys_of(tx, found)
    locked = await tx.execute(
        by_columns(
            "select id from lead where id = any(:ids) and not is_known and parent_id is null for update skip locked",
            ids="uuid",
        ),
        {"ids": found},
    )
    return sorted(locked.scalars())


async def suppress(tx: Tx, keys: Collection[tuple[str, bytes]]) -> None:
    """Keep hashes that stay out."""
    await tx.execute(_SUPPRESS, {"kinds": [kind for kind, _ in keys], "hmacs": [hmac for _, hmac in keys]})


async def forget_people(tx: Tx, lead_ids: Collection[UUID]) -> None:
    """Delete all that is personal of these locked leads, and mark them."""
    for statement in _FORGET:
        await tx.execute(statement, {"ids": list(lead_ids)})


async def add_erasure(tx: Tx, erasure_id: UUID, lead_ids: Collection[UUID], *, keys: int, by: str) -> None:
    """Note that it was done: ids alone, to repeat it after a restore."""
    await tx.execute(
        "insert into erasure (id, lead_ids, keys, by, at) values (:id, cast(:ids as uuid[]), :keys, :by, baton_now())",
        {"id": erasure_id, "ids": list(lead_ids), "keys": keys, "by": by},
    )


async def erasure_row(tx: ReadTx, erasure_id: UUID) -> dict[str, Any] | None:
    """One erasure, or None."""
    row = (await tx.execute("select * from erasure where id = :id", {"id": erasure_id})).mappings().first()
    return None if row is None else dict(row)
