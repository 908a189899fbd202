"""Which people a rep or manager reads over `/v1`: those of handoffs in their view, as on the pages.

Ingest and scoring know no handoffs, so the edge decides, which mirrors them; who is out of view is not found.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from services.console.domain.rights import Reach, Role, Viewer, reach_of
from services.console.store import pages, people
from shared.db.engine import ReadTx
from shared.errors import NotFound
from shared.web.auth import Principal

__all__ = ["check_person", "is_narrowed", "only_seen"]

_ABOUT_A_PERSON = frozenset({"leads", "scores"})
_BY_LEAD_IDS = frozenset({"accounts"})  # answers that list people by id alone
_NARROWED_ROLES = frozenset({"rep", "manager"})
_NOT_THERE = "There is no lead with this id in your view."


async def check_person(tx: ReadTx, principal: Principal, path: str) -> None:
    """Raise NotFound for a rep or manager that asks for a person out of view."""
    first, _, rest = path.strip("/").partition("/")
    if principal.role not in _NARROWED_ROLES or first not in _ABOUT_A_PERSON or not rest:
        return
    try:
        lead_id = UUID(rest.partition("/")[0])
    except ValueError:
        return  # no lead: its owner says so
    await _check(tx, principal, lead_id)


def is_narrowed(principal: Principal, path: str) -> bool:
    """Whether the answer names people that this caller may not all see: a list, a decision's lead, an account's."""
    first, _, rest = path.strip("/").partition("/")
    is_told = first == "score-decisions" or first in _BY_LEAD_IDS or (first == "leads" and not rest)
    return principal.role in _NARROWED_ROLES and is_told


async def only_seen(tx: ReadTx, principal: Principal, content: bytes) -> bytes:
    """An answer without the people out of view; the cursor of a list goes on where it did.

    Raises NotFound when the whole answer is about one of them.
    """
    said = orjson.loads(content)
    if not isinstance(said, dict):
        return content
    if "leads" in said:
        seen = await _seen(tx, principal, _ids(said["leads"]))
        return orjson.dumps({**said, "leads": [one for one in said["leads"] if UUID(one["id"]) in seen]})
    if "lead_ids" in said:
        seen = await _seen(tx, principal, map(UUID, said["lead_ids"]))
        return orjson.dumps({**said, "lead_ids": [one for one in said["lead_ids"] if UUID(one) in seen]})
    if said.get("lead_id"):
        await _check(tx, principal, UUID(said["lead_id"]))
    return content


async def _check(tx: ReadTx, principal: Principal, lead_id: UUID) -> None:
    if not await _seen(tx, principal, [lead_id]):
        raise NotFound(_NOT_THERE)


async def _seen(tx: ReadTx, principal: Principal, lead_ids: Iterable[UUID]) -> set[UUID]:
    return await pages.leads_in_view(tx, lead_ids, reach=await _reach(tx, principal))


async def _reach(tx: ReadTx, principal: Principal) -> Reach:
    viewer = Viewer(UUID(principal.id), Role(principal.role or ""), principal.team_id)
    return reach_of(viewer, (await people.users(tx)).values())


def _ids(leads: Iterable[Mapping[str, Any]]) -> list[UUID]:
    return [UUID(one["id"]) for one in leads]
