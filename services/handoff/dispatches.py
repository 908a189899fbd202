"""The outbound loop: claims what is due, sends it outside any transaction, and writes what came of it.

One slow or dead endpoint holds up nobody else: each lane has its own places in flight and its own rate. A wake-up is a
hint; what is due is read from the table. A process that dies leaves `unknown` dispatches, which any process repeats
with the same webhook-id when their lease ends.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.handoff.domain.dispatch import IN_FLIGHT_MAX, Answer, Outcome
from services.handoff.domain.rates import Bucket
from services.handoff.outbound.mail import Person, SmtpServer
from services.handoff.settings import Settings
from services.handoff.store.dispatches import next_due, when_written
from services.handoff.store.secrets import Wrapping
from services.handoff.usecases.delivering import Destinations, Ready, attempt_dispatch, conclude_attempt, take_due
from shared.clock import monotonic
from shared.config import Environment
from shared.db.engine import DATABASE_ERRORS, Database, transaction
from shared.errors import AppError, Fatal
from shared.ids import EndpointId, LeadId
from shared.runtime import Pace, announce
from shared.telemetry import log
from shared.web.client import OutboundClient
from shared.web.service_client import ServiceClient

__all__ = ["DispatchLoop", "GuardedWebhooks", "IngestNames", "destinations_of", "wrapping_of"]

# Outside production a laptop works without a key file; what it stores is then readable by whoever reads this line.
_LOCAL_KEY = base64.urlsafe_b64encode(b"baton on a laptop: not a secret!")
# Something is due but its lane is full or too fast: look again soon, without spinning.
HELD_UP_SECONDS = 0.2
LOOK_AGAIN_SECONDS = 1.0
# All attempts of one process together: each holds a socket and up to 64 KiB of an answer.
TOGETHER_MAX = 128


class DispatchLoop:
    """Runs until its pace is stopped; then waits for the attempts in flight, which the runtime bounds."""

    def __init__(self, database: Database, destinations: Destinations) -> None:
        self._database = database
        self._destinations = destinations
        self._buckets: dict[EndpointId, Bucket] = {}
        self._in_flight = 0
        self._patience = LOOK_AGAIN_SECONDS
        # Results of a hundred attempts that end together must not wait for connections until they time out.
        self._writers = asyncio.Semaphore(max(1, database.pool_size - 1))

    async def run(self, pace: Pace) -> None:
        """The part for `runtime.loop("dispatches", ...)`."""
        when_written(pace.wake)
        lost: Exception | None = None
        async with asyncio.TaskGroup() as group:
            due: datetime | None = None
            while lost is None and await pace.until(due, at_most_seconds=self._patience):
                try:
                    due = await self._round(group, pace)
                except DATABASE_ERRORS as error:
                    lost = error  # what is in flight still ends well, then the supervisor begins again
        if lost is not None:
            raise lost

    async def _round(self, group: asyncio.TaskGroup, pace: Pace) -> datetime | None:
        """Claim and start what may be sent; answers when to look again: None when a bound holds something up."""
        if self._in_flight >= TOGETHER_MAX:
            self._patience = HELD_UP_SECONDS
            return None
        async with transaction(self._database, "dispatch") as tx:
            taken = await take_due(tx, self._destinations, budgets=self._budgets())
            following = await next_due(tx)
            is_due = following is not None and following <= tx.now
        await announce("dispatch:after_claim")
        self._count(taken)
        for ready in taken:
            self._in_flight += 1
            group.create_task(self._send(ready, pace), name=f"dispatch {ready.claimed.id}")
        self._patience = HELD_UP_SECONDS if is_due else LOOK_AGAIN_SECONDS
        return None if is_due else following

    async def _send(self, ready: Ready, pace: Pace) -> None:
        started = monotonic()
        try:
            answer = await self._attempt(ready)
            milliseconds = round((monotonic() - started) * 1000)
            async with self._writers, transaction(self._database, "dispatch") as tx:
                await announce("dispatch:before_result")
                await conclude_attempt(tx, ready.claimed, answer, milliseconds=milliseconds)
        except DATABASE_ERRORS as error:
            # The result is lost, not the dispatch: it stays unknown until its lease ends, then it is repeated.
            log.warning("dispatch_result_lost", dispatch_id=str(ready.claimed.id), reason=type(error).__name__)
        finally:
            self._in_flight -= 1
            pace.wake()

    async def _attempt(self, ready: Ready) -> Answer:
        """One attempt whose own mistakes stay its own: one dispatch that we cannot make must not stop the others."""
        (answer,) = await asyncio.gather(attempt_dispatch(ready, self._destinations), return_exceptions=True)
        if isinstance(answer, Answer):
            return answer
        log.error("dispatch_broken", dispatch_id=str(ready.claimed.id), reason=type(answer).__name__)
        return Answer(Outcome.BROKEN, error=type(answer).__name__)

    def _budgets(self) -> dict[EndpointId, int]:
        now = monotonic()
        return {lane: min(IN_FLIGHT_MAX, bucket.refill(now=now)) for lane, bucket in self._buckets.items()}

    def _count(self, taken: list[Ready]) -> None:
        now = monotonic()
        for one in (ready.claimed for ready in taken):
            bucket = self._buckets.setdefault(one.lane_id, Bucket.full(one.rate, now=now))
            bucket.take(1, rate=one.rate, now=now)


class GuardedWebhooks:
    """The guarded client as webhooks use it: whatever goes wrong outside is an answer."""

    def __init__(self, client: OutboundClient) -> None:
        self._client = client

    async def post(self, url: str, *, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Send once; a refused address is an answer too, since a name may lead elsewhere tomorrow."""
        try:
            fetched = await self._client.send("POST", url, content=content, headers=headers)
        except AppError as error:
            return Answer(Outcome.UNANSWERED, error=error.detail)
        date = next(iter(fetched.all_of("date")), None)
        retry_after = fetched.all_of("retry-after")
        return Answer(Outcome.REFUSED, fetched.status, retry_after=retry_after, date=date, body=fetched.body)


class IngestNames:
    """Names as ingest gives them, asked at each attempt and kept nowhere."""

    def __init__(self, ingest: ServiceClient) -> None:
        self._ingest = ingest

    async def people(self, lead_ids: Sequence[LeadId]) -> Mapping[LeadId, Person]:
        """The names of these leads; erased ones are absent. Raises AppError when ingest cannot be asked now."""
        asked = {"lead_ids": [str(one) for one in lead_ids], "purpose": "dispatch"}
        answer = await self._ingest.call("POST", "/internal/profiles", json=asked)
        return {
            LeadId(UUID(one["lead_id"])): Person(
                name=one.get("name") or "", company=one.get("company") or "", title=one.get("title") or ""
            )
            for one in answer["profiles"]
        }


def wrapping_of(settings: Settings) -> Wrapping:
    """The keys that wrap stored secrets. Raises Fatal in production without a key file."""
    if settings.fernet_key_file is not None:
        return Wrapping.from_file(settings.fernet_key_file)
    if settings.environment is Environment.PRODUCTION:
        raise Fatal("Set BATON_FERNET_KEY_FILE: production keeps no secret under a key that anybody knows.")
    return Wrapping([_LOCAL_KEY])


def destinations_of(settings: Settings, *, ingest: ServiceClient, wrapping: Wrapping) -> Destinations:
    """Everything through which news leaves, as the settings say."""
    server = None
    if settings.smtp_host is not None:
        password = settings.smtp_password_file.read_text().strip() if settings.smtp_password_file else None
        server = SmtpServer(
            settings.smtp_host,
            settings.smtp_port,
            username=settings.smtp_username,
            password=password,
            use_tls=settings.smtp_is_tls,
        )
    return Destinations(
        webhooks=GuardedWebhooks(OutboundClient(settings.guard())),
        names=IngestNames(ingest),
        ingest=ingest,
        wrapping=wrapping,
        mail_server=server,
        mail_from=settings.mail_from,
        console_url=settings.public_url,
        role_addresses=settings.role_addresses,
    )
