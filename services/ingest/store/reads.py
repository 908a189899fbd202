"""What people and services read: persons (whole trees folded), lists by cursor, accounts. Changes nothing.

A person is shown under its root: of a profile field the newest statement of any member, of what was first the earliest.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.ingest.domain.consent import folded
from services.ingest.domain.profile import Stated
from services.ingest.store import consents, people
from services.ingest.store.statements import by_columns
from shared.contracts.kinds import Consent
from shared.db.engine import ReadTx

__all__ = ["Found", "Person", "account_leads", "find_people", "roots_of", "show_people", "tree_profiles"]

_MEMBERS = by_columns("select * from lead where root_id = any(:ids) order by created_at, id", ids="uuid")
_ROOTS = by_columns("select id, root_id, erased_at from lead where id = any(:ids)", ids="uuid")
_TREES = by_columns(
    """
    select asked.id as asked_id, member.id from lead asked join lead member on member.root_id = asked.root_id
     where asked.id = any(:ids) and asked.erased_at is null
    """,
    ids="uuid",
)
_LIST: Final = """
    select id, created_at, updated_at from lead
     where parent_id is null and erased_at is null {conditions} order by {order}, id limit :most
"""


@dataclass(frozen=True, slots=True)
class Found:
    """One root in a list, with the two times a cursor may be made of."""

    id: UUID
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """A whole tree, folded; `version` is what an ETag is made of."""

    root: Any
    members: tuple[UUID, ...]
    fields: dict[str, str]
    origin: dict[str, Any]
    consents: dict[str, str]
    external: list[tuple[str, str]]
    version: str


async def find_people(
    tx: ReadTx,
    *,
    q: str | None,
    ids: Collection[UUID] | None,
    updated_since: datetime | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Found]:
    """Roots in a stable order: by change time with updated_since (inclusive), else by the time they were made."""
    order = "updated_at" if updated_since is not None else "created_at"
    conditions: list[str] = []
    parameters: dict[str, Any] = {"most": limit}
    if updated_since is not None:
        conditions.append("and updated_at >= :since")
        parameters["since"] = updated_since
    if after is not None:
        conditions.append(f"and ({order}, id) > (:after_at, :after_id)")
        parameters |= {"after_at": after[0], "after_id": after[1]}
    if ids is not None:
        conditions.append("and id in (select root_id from lead where id = any(cast(:ids as uuid[])))")
        parameters["ids"] = list(ids)
    if q:
        conditions.append(
            """
            and id in (select l.root_id from profile p join lead l on l.id = p.lead_id
                        where p.search_text like :pattern)
            """
        )
        escaped = q.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        parameters["pattern"] = f"%{escaped}%"
    statement = _LIST.format(conditions=" ".join(conditions), order=order)
    return [Found(**row) for row in (await tx.execute(statement, parameters)).mappings()]


async def roots_of(tx: ReadTx, ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The root of each of these leads; unknown and erased ones are absent."""
    rows = await tx.execute(_ROOTS, {"ids": list(ids)})
    return {row.id: row.root_id for row in rows if row.erased_at is None}


async def show_people(tx: ReadTx, root_ids: Sequence[UUID]) -> dict[UUID, Person]:
    """These roots as whole persons."""
    trees: dict[UUID, list[Any]] = {}
    for row in await tx.execute(_MEMBERS, {"ids": list(root_ids)}):
        trees.setdefault(row.root_id, []).append(row)
    members = [row.id for tree in trees.values() for row in tree]
    profiles = await people.profiles(tx, members)
    externals = await people.external_ids(tx, members)
    consent_rows = await consents.consents(tx, members)
    shown = {}
    for root_id, tree in trees.items():
        ids = [row.id for row in tree]
        known: dict[str, list[Consent]] = {}
        for (lead_id, purpose), consent in consent_rows.items():
            if lead_id in ids:
                known.setdefault(purpose, []).append(consent.standing.consent)
        shown[root_id] = Person(
            root=next(row for row in tree if row.id == root_id),
            members=tuple(ids),
            fields=_newest([profiles.get(one, {}) for one in ids]),
            origin=_origin(tree),
            consents={purpose: folded(said).value for purpose, said in sorted(known.items())},
            external=[pair for one in ids for pair in externals.get(one, [])],
            version=_version(tree),
        )
    return shown


async def tree_profiles(tx: ReadTx, lead_ids: Collection[UUID]) -> dict[UUID, dict[str, str]]:
    """For each asked lead that is not erased, the newest fields of its whole tree."""
    trees: dict[UUID, list[UUID]] = {}
    for row in await tx.execute(_TREES, {"ids": list(lead_ids)}):
        trees.setdefault(row.asked_id, []).append(row.id)
    profiles = await people.profiles(tx, {one for tree in trees.values() for one in tree})
    return {asked: _newest([profiles.get(one, {}) for one in tree]) for asked, tree in trees.items()}


async def account_leads(tx: ReadTx, account_id: UUID, *, limit: int) -> list[UUID]:
    """The roots of people linked to an account, the last active first."""
    rows = await tx.execute(
        """
        select root_id from lead where account_id = :id and erased_at is null
         group by root_id order by max(active_at) desc, root_id limit :most
        """,
        {"id": account_id, "most": limit},
    )
    return list(rows.scalars())


def _newest(profiles: Sequence[dict[str, Stated]]) -> dict[str, str]:
    best: dict[str, Stated] = {}
    for profile in profiles:
        for name, stated in profile.items():
            if name not in best or (stated.at, stated.value) > (best[name].at, best[name].value):
                best[name] = stated
    return {name: stated.value for name, stated in best.items()}


def _origin(tree: Sequence[Any]) -> dict[str, Any]:
    """What was first of any member: channel, traffic source, page."""

    def earliest(moment: str, *names: str) -> dict[str, Any]:
        rows = [row for row in tree if getattr(row, moment) is not None]
        first = min(rows, key=lambda row: (getattr(row, moment), row.id), default=None)
        return {name: getattr(first, name, None) for name in names}

    return (
        earliest("entered_at", "entry_channel")
        | earliest("first_touch_at", "traffic_source", "medium", "campaign", "first_referrer")
        | earliest("first_page_at", "first_page")
    )


def _version(tree: Sequence[Any]) -> str:
    profile = sum(row.profile_version for row in tree)
    return f"{profile}.{sum(row.link_version + row.identity_version for row in tree)}"
