"""Does what deliveries asked for: hands a loop the fetches that are due, writes what came of each, erases people.

Nothing here speaks to a sender; the loop does, between two transactions. Invariant: a fetch ends done, or failed with
its reason parked where a person sees it and can replay it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
from cryptography.fernet import InvalidToken, MultiFernet

from services.ingest.adapters import ADAPTERS
from services.ingest.domain.fetching import ASK_PATH, answer_path, api_base, next_try_at, rebased
from services.ingest.domain.keys import Key, KeyKind
from services.ingest.domain.source import SourceSettings
from services.ingest.store import fetches
from services.ingest.store.fetches import FetchRow
from services.ingest.store.sources import settings_and_default
from services.ingest.usecases.erasing import erase
from services.ingest.usecases.imports import Deliver
from services.ingest.usecases.normalise import KeyedHash
from services.ingest.usecases.normalise.reading import FETCH_FAILED
from shared.clock import monotonic
from shared.db.engine import Database, Tx, transaction
from shared.db.locks import try_lock
from shared.ids import derived_id
from shared.runtime.pace import Pace
from shared.telemetry import log

__all__ = [
    "DueFetch",
    "deliver_answer",
    "deliver_failure",
    "erase_asked",
    "erase_waiting",
    "put_off",
    "take_fetches",
    "work_off_erasures",
]

TAKEN_MAX: Final = 8  # fetched side by side: each holds a socket and up to 64 KiB
OF_SOURCE_MAX: Final = 2  # so that an API that does not answer holds up its own source alone
ERASING_SECONDS: Final = 1.0  # of one round of erasures, and between two


@dataclass(frozen=True, slots=True)
class DueFetch:
    """A claimed fetch with the headers it is asked with; `token` is absent when its source has none."""

    row: FetchRow
    token: str | None

    @property
    def headers(self) -> Mapping[str, str]:
        """What is sent: the adapter's own headers and the token of the source."""
        proof = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return {"accept": "application/json", **self.row.headers, **proof}


async def take_fetches(tx: Tx, *, wrapping: MultiFernet) -> list[DueFetch]:
    """Claim what is due, at most TAKEN_MAX and of one source OF_SOURCE_MAX.

    Each is asked at the host that its source names now: the token was given for that one.
    """
    rows = await fetches.claim_fetches(tx, limit=TAKEN_MAX, of_source=OF_SOURCE_MAX)
    wrapped = await fetches.tokens(tx, {row.source_id for row in rows}) if rows else {}
    settings = (await settings_and_default(tx, {row.source_id for row in rows}))[0] if rows else {}
    return [
        DueFetch(_at_its_host(row, settings.get(row.source_id)), _unwrapped(row.source_id, wrapped, wrapping))
        for row in rows
    ]


def _at_its_host(row: FetchRow, settings: SourceSettings | None) -> FetchRow:
    own = getattr(ADAPTERS.get(row.sender), "API_URL", None)
    if own is None or settings is None:
        return row
    return replace(row, url=rebased(row.url, api_base(settings, default=own)))


async def put_off(tx: Tx, row: FetchRow, problem: str) -> bool:
    """Try again later, with growing gaps. False: that was the last try, and nothing was written."""
    due_at = next_try_at(row.tries, tx.now)
    if due_at is None:
        return False
    await fetches.put_off_fetch(tx, row.id, due_at=due_at, problem=problem)
    return True


async def deliver_answer(deliver: Deliver, row: FetchRow, body: bytes, *, now: datetime) -> None:
    """Put the answer where every delivery goes; its id is the fetch's, so a second time adds nothing. Raises Busy."""
    delivery_id = derived_id("fetched", row.id)
    request = _request(row, answer_path(row.what), now) | {"headers": {"content-type": "application/json"}}
    await deliver(delivery_id, str(delivery_id), body, request=request, received_at=now)


async def deliver_failure(deliver: Deliver, row: FetchRow, problem: str, *, now: datetime) -> None:
    """Let the consumer park the question: a replay asks it again. Raises Busy."""
    delivery_id = derived_id("fetch_failed", row.id)
    body = orjson.dumps({"url": row.url, "headers": dict(row.headers), "problem": problem})
    request = _request(row, f"{ASK_PATH}{row.what}", now) | {"parked_as": FETCH_FAILED}
    await deliver(delivery_id, str(delivery_id), body, request=request, received_at=now)


async def work_off_erasures(database: Database, hashed: KeyedHash, pace: Pace) -> None:
    """The loop: whom senders named, until the process is asked to stop."""
    is_due = True
    while is_due:
        await erase_waiting(database, hashed=hashed, seconds=ERASING_SECONDS)
        is_due = await pace.until(at_most_seconds=ERASING_SECONDS)


async def erase_waiting(database: Database, *, hashed: KeyedHash, seconds: float) -> int:
    """Erase whoever waits, one transaction each, as far as the time goes and one at least; how many. Raises Busy."""
    until, erased = monotonic() + seconds, 0
    while erased == 0 or monotonic() < until:
        async with transaction(database, "periodic") as tx:
            if not await try_lock(tx, "erase_asked") or not await erase_asked(tx, hashed=hashed):
                return erased
        erased += 1
    return erased


async def erase_asked(tx: Tx, *, hashed: KeyedHash) -> bool:
    """Erase one person that a sender named; False when nobody is. Raises Busy when keys came in meanwhile."""
    asked = await fetches.take_erasure(tx)
    if asked is None:
        return False
    keys = tuple(Key(KeyKind(kind), value) for kind, value in asked.keys)
    await erase(tx, lead_id=None, keys=keys, by=asked.by, hashed=hashed)
    return True


def _request(row: FetchRow, path: str, now: datetime) -> dict[str, object]:
    """What the door would have known, had the sender delivered it."""
    return {
        "source_id": str(row.source_id),
        "sender": row.sender,
        "method": "GET",
        "path": path,
        "query": "",
        "headers": {},
        "verified_by": row.verified_by,
        "received_at": now,
        "is_gpc": False,
        "parked_as": None,
    }


def _unwrapped(source_id: UUID, wrapped: Mapping[UUID, bytes], wrapping: MultiFernet) -> str | None:
    if source_id not in wrapped:
        return None
    try:
        return wrapping.decrypt(wrapped[source_id]).decode()
    except InvalidToken:
        log.error("token_not_unwrapped", source_id=str(source_id))
        return None
