"""Exports one person (GDPR articles 15 and 20): what ingest keeps, and what the other services keep of the ids.

The document is put together when it is fetched and stored nowhere; what is kept is who asked for whom. Invariant: it
names nobody else.
"""

from asyncio import gather
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.ingest.domain.keys import Key
from services.ingest.store import exports, identity, reads
from services.ingest.store.exports import OwnPart
from services.ingest.usecases.normalise.hashing import KeyedHash
from shared.db.engine import ReadTx, Tx
from shared.errors import NotFound, Refused
from shared.ids import new_id
from shared.web.service_client import ServiceClient

__all__ = ["OPEN_FOR", "Ask", "ask_export", "asking", "document_of", "nobody_asked", "own_part_of"]

Ask = Callable[[Sequence[UUID]], Awaitable[Mapping[str, Any]]]
"""What the other services keep of these leads, by service."""

OPEN_FOR: Final = timedelta(hours=1)  # how long an export can be fetched (SECURITY 2)
_ANSWER_SECONDS: Final = 20.0


def asking(others: Mapping[str, ServiceClient]) -> Ask:
    """Ask these services; Busy when one does not answer, for an export in part would pass for a whole one."""

    async def ask(lead_ids: Sequence[UUID]) -> Mapping[str, Any]:
        body = {"lead_ids": [str(one) for one in lead_ids]}
        answers = await gather(
            *(
                client.call("POST", "/internal/person", json=body, timeout_seconds=_ANSWER_SECONDS)
                for client in others.values()
            )
        )
        return dict(zip(others, answers, strict=True))

    return ask


async def nobody_asked(_: Sequence[UUID]) -> Mapping[str, Any]:
    """Where there are no other services."""
    return {}


async def ask_export(
    tx: Tx, *, lead_id: UUID | None, keys: tuple[Key, ...], by: str, hashed: KeyedHash
) -> tuple[UUID, UUID]:
    """Note who asks for whom; (export, root lead). Raises NotFound for nobody, Refused for more than one person."""
    owners = set((await identity.find_owners(tx, [hashed.of(key) for key in keys])).values())
    owners |= {lead_id} if lead_id is not None else set()
    roots = set((await reads.roots_of(tx, owners)).values())
    if not roots:
        raise NotFound("Nobody is kept under this; an erased person is kept nowhere.")
    if len(roots) > 1:
        raise Refused("These identifiers belong to more than one person: ask for each alone.")
    (root_id,) = roots
    export_id = new_id()
    await exports.add_export(tx, export_id, root_id, by=by)
    return export_id, root_id


async def own_part_of(tx: ReadTx, export_id: UUID) -> OwnPart:
    """What ingest keeps of the person of an export.

    Raises NotFound when there is none, its hour is over or the person was erased.
    """
    asked = await exports.export_row(tx, export_id)
    if asked is None or asked.at + OPEN_FOR < tx.now:
        raise NotFound("There is no such export now; it can be fetched for one hour. Ask for a new one.")
    roots = await reads.roots_of(tx, [asked.lead_id])
    if asked.lead_id not in roots:
        raise NotFound("This person was erased meanwhile.")
    return await exports.own_part(tx, roots[asked.lead_id])


def document_of(export_id: UUID, own: OwnPart, told: Mapping[str, Any], *, at: datetime) -> dict[str, Any]:
    """The whole document; each activity with its kind from scoring and its texts from ingest."""
    scoring, handoff, feedback = (told.get(name, {}) for name in ("scoring", "handoff", "feedback"))
    activities: dict[str, dict[str, Any]] = {
        str(one["activity_id"]): dict(one) for one in scoring.get("activities", ())
    }
    for text in own.texts:
        activities.setdefault(str(text["activity_id"]), {}).update(text)
    return {
        "id": export_id,
        "made_at": at,
        "lead_ids": own.lead_ids,
        "identifiers": own.identifiers,
        "profile": own.profile,
        "attributes": own.attributes,
        "activities": sorted(activities.values(), key=lambda one: (str(one["occurred_at"]), str(one["activity_id"]))),
        "consents": own.consents,
        "score": scoring.get("score"),
        "decisions": scoring.get("decisions", []),
        "handoffs": handoff.get("handoffs", []),
        "recipients": handoff.get("recipients", []),
        "outcomes": feedback.get("outcomes", []),
        "disputes": feedback.get("disputes", []),
    }
