"""Who was told of a person: every endpoint, mail box and service that a dispatch about them reached."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, text

from shared.db.engine import ReadTx

__all__ = ["handoffs_of_people", "recipients_of_people"]

_HANDOFFS = text(
    "select id from handoff where lead_id = any(:ids) or root_lead_id = any(:ids) order by opened_at, id"
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))
_TOLD = text(
    """
    select l.channel, e.url, e.description, d.recipient_id, d.recipient, count(*) as times,
           min(d.ended_at) as first_at, max(d.ended_at) as last_at
      from dispatch d join lane l on l.id = d.lane_id left join endpoint e on e.id = l.id
     where d.state = 'done'
       and (d.lead_id = any(:ids)
            or d.handoff_id in (select id from handoff where lead_id = any(:ids) or root_lead_id = any(:ids)))
     group by l.channel, e.url, e.description, d.recipient_id, d.recipient order by first_at, l.channel
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))


async def handoffs_of_people(tx: ReadTx, lead_ids: Sequence[UUID]) -> list[UUID]:
    """The handoffs of these leads, in the order of opening."""
    return list((await tx.execute(_HANDOFFS, {"ids": list(lead_ids)})).scalars())


async def recipients_of_people(tx: ReadTx, lead_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Each recipient that something about these leads reached, with how often and when; of an address the host alone.

    The path of a webhook's address may be its secret.
    """
    found = []
    for row in (await tx.execute(_TOLD, {"ids": list(lead_ids)})).mappings():
        url = row["url"]
        found.append({**row, "url": None if url is None else urlsplit(url).hostname})
    return found
