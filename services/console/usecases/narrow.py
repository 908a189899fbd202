"""Which people a rep reads over `/v1`: those of handoffs that are its own, as on the pages.

Ingest and scoring know no handoffs, so the edge decides, which mirrors them; who is out of view is not found.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from services.console.store import pages
from shared.db.engine import ReadTx
from shared.errors import NotFound
from shared.web.auth import Principal

__all__ = ["check_person", "is_list_of_people", "only_seen"]

_ABOUT_A_PERSON = frozenset({"leads", "scores"})


async def check_person(tx: ReadTx, principal: Principal, path: str) -> None:
    """Raise NotFound for a rep that asks for a person out of its view."""
    first, _, rest = path.strip("/").partition("/")
    if principal.role != "rep" or first not in _ABOUT_A_PERSON or not rest:
        return
    try:
        lead_id = UUID(rest.partition("/")[0])
    except ValueError:
        return  # no lead: its owner says so
    if not await pages.leads_in_view(tx, [lead_id], owner_id=UUID(principal.id)):
        raise NotFound("There is no lead with this id in your view.")


def is_list_of_people(principal: Principal, path: str) -> bool:
    """Whether the answer lists people and the caller may not see all of them."""
    return principal.role == "rep" and path.strip("/") == "leads"


async def only_seen(tx: ReadTx, principal: Principal, content: bytes) -> bytes:
    """A page of people without those out of view; its cursor goes on where it did."""
    page: Mapping[str, Any] = orjson.loads(content)
    ids = _ids(page["leads"])
    seen = await pages.leads_in_view(tx, ids, owner_id=UUID(principal.id))
    return orjson.dumps({**page, "leads": [one for one in page["leads"] if UUID(one["id"]) in seen]})


def _ids(leads: Iterable[Mapping[str, Any]]) -> list[UUID]:
    return [UUID(one["id"]) for one in leads]
