"""Tells what of a batch was handled before: ids are remembered span by span, and the keys that are named are locked.

One statement does both where a batch has one span of memory, as nearly all have. Invariant: an id counts once.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from services.ingest.domain.observation import Operation, Refusal
from services.ingest.store import memory
from services.ingest.store.identity import KeyPair, KeyRow
from services.ingest.store.memory import Remembered
from services.ingest.store.results import ResultRow
from services.ingest.usecases.normalise.reading import Delivery, Item
from services.ingest.usecases.normalise.recognising import Claim
from shared.db.engine import Tx

__all__ = ["candidates_of", "fresh_of", "refuse_forged", "remember"]

_FORGED: Final = Refusal(0, "token_reused", detail="Its token was shown before with another body; the first counts.")


async def refuse_forged(tx: Tx, deliveries: Sequence[Delivery]) -> None:
    """Empty the deliveries that show a token which another body was delivered under (SENDERS 3.6): the first wins.

    The door has refused most of them; it forgets sooner, and other doors do not know what this one saw.
    """
    first: dict[UUID, int] = {}
    for delivery in deliveries:
        if delivery.shown is not None:
            first.setdefault(*delivery.shown)
    if not first:
        return
    reused = (await memory.remember(tx, "server", first)).reused
    for delivery in deliveries:
        if delivery.shown is not None and (
            delivery.shown[0] in reused or first[delivery.shown[0]] != delivery.shown[1]
        ):
            delivery.items, delivery.refusals = [], (_FORGED,)


def candidates_of(deliveries: Sequence[Delivery], found: dict[UUID, ResultRow]) -> dict[str, dict[UUID, Item]]:
    """The items by their span of memory and id, each id once; statuses and repeats are counted and left out."""
    candidates: dict[str, dict[UUID, Item]] = {}
    for delivery in deliveries:
        of_span = candidates.setdefault(delivery.span, {})
        for item in delivery.items:
            if item.observation.operation is Operation.STATUS:
                found[delivery.id].statuses += 1
            elif item.activity_id in of_span:
                found[delivery.id].repeats += 1
            else:
                of_span[item.activity_id] = item
    return {span: by_id for span, by_id in sorted(candidates.items()) if by_id}


async def remember(
    tx: Tx, candidates: Mapping[str, Mapping[UUID, Item]], claim: Claim
) -> tuple[dict[str, Remembered], dict[KeyPair, KeyRow]]:
    """What is known of the candidates' ids, span by span, and of the keys they name, which are locked from now on."""
    answers: dict[str, Remembered] = {}
    keys: dict[KeyPair, KeyRow] = {}
    for left, (span, by_id) in zip(range(len(candidates) - 1, -1, -1), candidates.items(), strict=True):
        fingerprints = {activity_id: item.observation.fingerprint for activity_id, item in by_id.items()}
        if left or not claim.proposals:
            answers[span] = await memory.remember(tx, span, fingerprints)
        else:
            answers[span], keys = await memory.remember_and_claim(tx, span, fingerprints, claim.proposals)
    return answers, keys


def fresh_of(
    deliveries: Sequence[Delivery],
    candidates: Mapping[str, Mapping[UUID, Item]],
    remembered: Mapping[str, Remembered],
    found: dict[UUID, ResultRow],
) -> list[Item]:
    """The items that were never handled, in order; those that were are counted as repeats."""
    fresh: list[Item] = []
    for span, by_id in candidates.items():
        new, reused = remembered[span]
        for activity_id, item in by_id.items():
            if activity_id in new:
                fresh.append(item)
            else:
                found[item.delivery.id].repeats += 1
                found[item.delivery.id].ids_reused += activity_id in reused
    if len(candidates) > 1:
        place = {delivery.id: at for at, delivery in enumerate(deliveries)}
        fresh.sort(key=lambda item: (place[item.delivery.id], item.ordinal))
    return fresh
