"""Rows per lead: the tree a person is, when they became known and engaged, where they came from.

Rows are made by whichever event names a lead first; lower versions change nothing, so order across topics does not
matter.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from services.feedback.domain.journeys import Person
from shared.db.engine import ReadTx, Tx

_MAKE = text(
    """
    insert into lead (lead_id, root_id) select id, id from unnest(cast(:ids as uuid[])) id order by id
    on conflict (lead_id) do nothing
    """
)
_LOCK = text(
    """
    select lead_id from lead
     where root_id in (select root_id from lead where lead_id = any(cast(:ids as uuid[])))
     order by lead_id for update
    """
)
_IDENTIFY = text(
    """
    update lead set profile_version = :version,
                    known_at = case when :is_known then least(known_at, :at) else known_at end,
                    entry_channel = coalesce(nullif(:entry_channel, ''), entry_channel),
                    traffic_source = case when :has_origin then :traffic_source else traffic_source end,
                    campaign = case when :has_origin then :campaign else campaign end
     where lead_id = :lead_id and profile_version < :version
    """
)
_MOVE = text(
    """
    update lead set parent_id = :parent_id, identity_version = :version
     where lead_id = :lead_id and identity_version < :version
    returning lead_id
    """
)
# A member's root is the top of its chain of parents; UNION keeps a chain that closes on itself finite.
_ROOT = text(
    """
    with recursive up (lead_id, parent_id) as (
        select lead_id, parent_id from lead where lead_id = :lead_id
        union select l.lead_id, l.parent_id from lead l join up on l.lead_id = up.parent_id
    ), top as (select lead_id from up where parent_id is null limit 1),
    down (lead_id) as (
        select cast(:lead_id as uuid)
        union select l.lead_id from lead l join down on l.parent_id = down.lead_id
    )
    update lead set root_id = (select lead_id from top)
     where lead_id in (select lead_id from down) and exists (select from top)
    """
)
_LINK = text(
    """
    update lead set account_id = :account_id, link_version = :version
     where lead_id = :lead_id and link_version < :version
    """
)
_ERASE = text("update lead set is_erased = true where lead_id = any(cast(:ids as uuid[]))")
_CONSENT = text(
    """
    insert into consent as c (lead_id, purpose, version, is_allowed) values (:lead_id, :purpose, :version, :is_allowed)
    on conflict (lead_id, purpose) do update set version = excluded.version, is_allowed = excluded.is_allowed
     where c.version < excluded.version
    """
)
_LOCK_ROWS = text("select lead_id from lead where lead_id = any(cast(:ids as uuid[])) order by lead_id for update")
_ENGAGED = text(
    """
    update lead set engaged_at = least(engaged_at, told.at)
      from unnest(cast(:ids as uuid[]), cast(:moments as timestamptz[])) told (lead_id, at)
     where lead.lead_id = told.lead_id and (engaged_at is null or engaged_at > told.at)
    """
)
_MEMBERS = text(
    """
    select m.lead_id from lead m join lead l on l.root_id = m.root_id
     where l.lead_id = any(cast(:ids as uuid[]))
    """
)


@dataclass(frozen=True, slots=True)
class Identified:
    """What one `lead.identified` says that feedback keeps."""

    lead_id: UUID
    version: int
    is_known: bool
    at: datetime
    entry_channel: str
    traffic_source: str
    campaign: str


async def make_leads(tx: Tx, lead_ids: Iterable[UUID]) -> None:
    """Make the rows that are missing, in id order."""
    await tx.execute(_MAKE, {"ids": sorted(set(lead_ids))})


async def lock_trees(tx: Tx, lead_ids: Iterable[UUID]) -> None:
    """Lock all members of the trees of these leads in id order."""
    await tx.execute(_LOCK, {"ids": sorted(set(lead_ids))})


async def identify(tx: Tx, told: Identified) -> None:
    """Keep the newest profile version; when known and where from are kept from the first that says so."""
    await tx.execute(
        _IDENTIFY,
        {
            "lead_id": told.lead_id,
            "version": told.version,
            "is_known": told.is_known,
            "at": told.at,
            "entry_channel": told.entry_channel,
            "traffic_source": told.traffic_source,
            "campaign": told.campaign,
            # Said as one, and newer than what was told before: a visit heard of late may have been the first.
            "has_origin": bool(told.traffic_source or told.campaign),
        },
    )


async def move(tx: Tx, lead_id: UUID, parent_id: UUID | None, *, version: int) -> bool:
    """Set the pointer of a member that merged or split, and the root of everything below it; False: an old version."""
    moved = await tx.execute(_MOVE, {"lead_id": lead_id, "parent_id": parent_id, "version": version})
    if moved.first() is None:
        return False
    await tx.execute(_ROOT, {"lead_id": lead_id})
    return True


async def link(tx: Tx, lead_id: UUID, account_id: UUID, *, version: int) -> None:
    """Keep the account of a lead, newest version."""
    await tx.execute(_LINK, {"lead_id": lead_id, "account_id": account_id, "version": version})


async def erase(tx: Tx, lead_ids: Sequence[UUID]) -> None:
    """Mark people as erased: sums stay, they are never trained on."""
    await tx.execute(_ERASE, {"ids": list(lead_ids)})


async def set_consent(tx: Tx, lead_id: UUID, *, purpose: str, version: int, is_allowed: bool) -> None:
    """Keep the newest permission of a lead for one purpose."""
    await tx.execute(_CONSENT, {"lead_id": lead_id, "purpose": purpose, "version": version, "is_allowed": is_allowed})


async def set_engaged(tx: Tx, first_at: Mapping[UUID, datetime]) -> None:
    """Keep the earliest moment each of these leads was engaged."""
    if first_at:
        ids = sorted(first_at)
        await tx.execute(_LOCK_ROWS, {"ids": ids})
        await tx.execute(_ENGAGED, {"ids": ids, "moments": [first_at[each] for each in ids]})


async def members_of(tx: ReadTx, lead_ids: Iterable[UUID]) -> list[UUID]:
    """All members of the trees these leads belong to."""
    rows = await tx.execute(_MEMBERS, {"ids": list(lead_ids)})
    return [row.lead_id for row in rows]


_PEOPLE = text(
    """
    select r.lead_id, m.known_at, m.engaged_at, r.traffic_source, r.campaign, r.entry_channel
      from (select root_id, min(known_at) as known_at, min(engaged_at) as engaged_at from lead group by root_id) m
      join lead r on r.lead_id = m.root_id
     where m.known_at < :until
     order by m.known_at, r.lead_id
    """
)


async def people_known(tx: ReadTx, *, until: datetime) -> list[Person]:
    """Everybody who became known before a moment, one row per person: the root's own source, the earliest times."""
    rows = await tx.execute(_PEOPLE, {"until": until})
    return [Person(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's own name for a row as a mapping
