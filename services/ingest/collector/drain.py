"""Brings what waits in the spool to Kafka, oldest first, by the door's own producer; what it sends first is the probe.

Invariant: a delivery leaves the spool only after its acknowledgement. One that was sent and not acknowledged is sent
again under the same id, so the inbox keeps one. One that Kafka will never take is set aside in a file of its own, with
a loud word: it would hold up everybody's behind it for ever.
"""

import asyncio
from typing import Final, Protocol

from services.ingest.collector.keep import TOPIC, Sending
from services.ingest.collector.lane import PROBE_SECONDS, Lane
from services.ingest.collector.spool import Spool
from services.ingest.collector.spool_records import Spooled
from shared import clock
from shared.stream.producer import TooLargeToSend, Unacked
from shared.telemetry import announce, count, log

__all__ = ["Drain"]

_RECORDS_AT_ONCE: Final = 500
_PROBE_SEND_SECONDS: Final = 0.5
_SEND_SECONDS: Final = 5.0  # a full window beside the traffic of the day
_END_SECONDS: Final = 10.0  # of what a process has to end in; the rest stays on disk


class Pacing(Protocol):
    """The heartbeat of a loop."""

    async def until(self, *, at_most_seconds: float) -> bool:
        """Wait; False when the loop must end now."""


class Drain:
    """The loop of one spool."""

    def __init__(self, spool: Spool, producer: Sending, lane: Lane) -> None:
        self._spool, self._producer, self._lane = spool, producer, lane
        self._acked: set[str] = set()  # of a window that did not come through whole: they are not sent again

    async def run(self, pace: Pacing) -> None:
        """Open the spool and drain it, once a second at least, until asked to end; then for a moment more."""
        if not self._spool.is_open:
            await self._spool.open()
        while await pace.until(at_most_seconds=PROBE_SECONDS):
            await self.empty()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self.empty()
        except TimeoutError:
            return

    async def empty(self) -> None:
        """Send all there is; return when nothing is left, or Kafka does not take it."""
        while self._producer.is_started:
            is_probe = self._lane.is_straight
            records = await self._spool.oldest(records_max=1 if is_probe else _RECORDS_AT_ONCE)
            self._spool.measure()
            if not records:
                return
            waiting = [one for one in records if one.delivery_id not in self._acked]
            if waiting and not await self._are_settled(
                waiting, seconds=_PROBE_SEND_SECONDS if is_probe else _SEND_SECONDS
            ):
                return
            await announce("spool:drain_after_ack")
            await self._spool.acknowledge()
            self._acked.difference_update(one.delivery_id for one in records)

    async def _are_settled(self, records: list[Spooled], *, seconds: float) -> bool:
        """Send some at once; whether each of them was acknowledged or set aside. The lane hears of Kafka."""
        sends = [
            self._producer.send(TOPIC, one.key, one.body, one.headers, deadline_seconds=seconds) for one in records
        ]
        ends = await asyncio.gather(*sends, return_exceptions=True)
        too_large: list[Spooled] = []
        is_missed = is_acked = False
        for one, end in zip(records, ends, strict=True):
            if end is None:
                is_acked = True
                self._acked.add(one.delivery_id)
            elif isinstance(end, TooLargeToSend):  # says nothing of whether Kafka is there
                too_large.append(one)
            elif isinstance(end, Unacked):
                is_missed = True
            else:
                raise end
        if is_missed:
            self._lane.missed(clock.monotonic())
            return False
        if is_acked:
            self._lane.acked(clock.monotonic())
        return all([await self._is_set_aside(one) for one in too_large])

    async def _is_set_aside(self, record: Spooled) -> bool:
        try:
            file = await self._spool.set_aside(record)
        except OSError as error:
            log.error("delivery_not_set_aside", delivery_id=record.delivery_id, reason=error.strerror)
            return False
        self._acked.add(record.delivery_id)
        count("baton_spool_set_aside_total")
        log.critical("delivery_set_aside", delivery_id=record.delivery_id, file=file.name, bytes=len(record.body))
        return True
