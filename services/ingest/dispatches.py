"""The outbound loop of ingest: fetches what senders only named, and delivers the answers like anything a sender sends.

It claims in one transaction, speaks to the sender in none, and writes what came of it in another. Only addresses that
the guard lets pass are asked, and every answer is bounded in time and bytes.
"""

import asyncio
from typing import Final, Protocol

from cryptography.fernet import MultiFernet

from services.ingest.domain.fetching import is_worth_a_retry
from services.ingest.store.fetches import FetchRow, settle_fetch
from services.ingest.usecases.asked import (
    DueFetch,
    deliver_answer,
    deliver_failure,
    put_off,
    take_fetches,
)
from services.ingest.usecases.imports import Deliver
from shared import clock
from shared.db.engine import DATABASE_ERRORS, Database, transaction
from shared.errors import Busy
from shared.runtime import Pace
from shared.telemetry import log
from shared.web.addresses import AddressRefused
from shared.web.client import ANSWER_BYTES_MAX, Fetched

__all__ = ["FetchLoop"]

LOOK_AGAIN_SECONDS: Final = 1.0
_SUCCESS: Final = range(200, 300)


class Asking(Protocol):
    """The part of the guarded client that the loop needs."""

    async def send(
        self, method: str, url: str, *, content: bytes = ..., headers: dict[str, str] | None = ...
    ) -> Fetched:
        """One request to a checked address. Raises AddressRefused, or Busy when no whole answer came in time."""


class FetchLoop:
    """Runs until its pace is stopped; what it was fetching then is claimed again after its lease."""

    def __init__(self, database: Database, client: Asking, *, deliver: Deliver, wrapping: MultiFernet) -> None:
        self._database = database
        self._client = client
        self._deliver = deliver
        self._wrapping = wrapping

    async def run(self, pace: Pace) -> None:
        """The part for `runtime.loop("dispatches", …)`."""
        taken = 0
        while await pace.until(clock.now() if taken else None, at_most_seconds=LOOK_AGAIN_SECONDS):
            taken = await self.once()

    async def once(self) -> int:
        """Fetch what is due now, side by side; how many that were."""
        async with transaction(self._database, "dispatch") as tx:
            due = await take_fetches(tx, wrapping=self._wrapping)
        await asyncio.gather(*(self._fetch(one) for one in due))
        return len(due)

    async def _fetch(self, one: DueFetch) -> None:
        """One fetch to its end; without Kafka or PostgreSQL it stays claimed, and is fetched again after its lease."""
        try:
            body, problem, is_final = await self._answer(one)
            if body is not None:
                await deliver_answer(self._deliver, one.row, body, now=clock.now())
                await self._settle(one.row, "done", "")
            else:
                await self._fail(one.row, problem, is_final=is_final)
        except (Busy, *DATABASE_ERRORS) as error:
            log.warning("fetch_result_lost", fetch_id=str(one.row.id), reason=type(error).__name__)

    async def _answer(self, one: DueFetch) -> tuple[bytes | None, str, bool]:
        """(the body of a good answer, else what is wrong, whether another try is pointless)."""
        if one.token is None:
            return None, "The source has no API token; give it one, then replay this.", False
        try:
            fetched = await self._client.send("GET", one.row.url, headers=dict(one.headers))
        except AddressRefused as error:
            return None, error.detail, True
        except Busy as error:
            return None, error.detail, False
        if fetched.status not in _SUCCESS:
            return None, f"The sender's API answered {fetched.status}.", not is_worth_a_retry(fetched.status)
        if len(fetched.body) >= ANSWER_BYTES_MAX:
            return None, f"The answer of the sender's API has {ANSWER_BYTES_MAX} bytes or more.", True
        return fetched.body, "", False

    async def _fail(self, row: FetchRow, problem: str, *, is_final: bool) -> None:
        if not is_final:
            async with transaction(self._database, "dispatch") as tx:
                if await put_off(tx, row, problem):
                    return
        await deliver_failure(self._deliver, row, problem, now=clock.now())
        await self._settle(row, "failed", problem)

    async def _settle(self, row: FetchRow, state: str, problem: str) -> None:
        async with transaction(self._database, "dispatch") as tx:
            await settle_fetch(tx, row.id, state=state, problem=problem)
