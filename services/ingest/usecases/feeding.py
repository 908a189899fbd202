"""Feeds kept deliveries through again, past the delivery inbox (DECISIONS 1): ids of activities drop what was kept.

Erased people are counted without a person, as at any delivery. Of browser keys only what is younger than the memory of
their ids is fed: older ones would count twice, and are replayed where they were parked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.ingest.store.memory import SPANS
from services.ingest.store.replays import Job
from services.ingest.usecases.normalise.reading import read_request
from shared import clock
from shared.contracts.deliveries import DeliveryRequest
from shared.db.engine import Database, transaction
from shared.errors import Refused
from shared.stream.decode import receive
from shared.stream.handlers import Handlers, ParkError, RawEvent
from shared.stream.kept import KeptRecord, KeptSpan, read_kept, span_of
from shared.stream.parked import apply_again

__all__ = ["KeptTopic", "feed_step", "until_of"]

_BROWSER: Final = timedelta(days=SPANS["browser"])


@dataclass(frozen=True, slots=True)
class KeptTopic:
    """Where deliveries are kept: the broker, and the topic's full name."""

    bootstrap_servers: str
    name: str


async def feed_step(job: Job, topic: KeptTopic, *, database: Database, handlers: Handlers, seconds: float) -> None:
    """Feed the next records of a leased job: a second's worth, as far as the time goes, and one at least.

    The job's place moves with every record, so it holds also when this raises: Busy when the broker does not answer, or
    whatever says that the same record may succeed later.
    """
    span = _span(job)
    if span is None:
        span = await span_of(topic.bootstrap_servers, topic.name, since_ms=_since_ms(job))
        job.total = span.left
        _stand(job, span)
    bit = await read_kept(topic.bootstrap_servers, topic.name, span, most=job.rate_per_second)
    until = clock.monotonic() + seconds
    for fed, record in enumerate(bit.records):
        if fed > 0 and clock.monotonic() >= until:
            return
        await _feed(job, record, topic, database=database, handlers=handlers)
        span = KeptSpan({**span.places, record.partition: record.offset + 1}, span.ends)
        _stand(job, span)
    _stand(job, bit.span)
    if bit.span.left == 0:
        job.state = "done"


def _stand(job: Job, span: KeptSpan) -> None:
    job.places = {str(number): place for number, place in span.places.items()}
    job.ends = {str(number): end for number, end in span.ends.items()}


async def _feed(job: Job, record: KeptRecord, topic: KeptTopic, *, database: Database, handlers: Handlers) -> None:
    received = receive(handlers, record, place=f"{topic.name}/{record.partition}")
    if not isinstance(received.event, RawEvent):
        return
    try:
        request = read_request(received.event)
    except ParkError:
        return  # no delivery of our door; the consumer parked it when it came
    if not _is_meant(job, request):
        return
    try:
        async with transaction(database, "park:replay") as tx:
            await apply_again(tx, received)
        job.done += 1
    except Refused as error:
        job.failed += 1
        job.last_error = error.detail[:500]


def _is_meant(job: Job, request: DeliveryRequest) -> bool:
    """Whether a delivery lies in the job's source and time, and its ids are remembered still."""
    if job.source is not None and str(request.source_id) != job.source:
        return False
    if request.received_at > job.until_at or (job.since_at is not None and request.received_at < job.since_at):
        return False
    return request.verified_by != "browser_key" or request.received_at > clock.now() - _BROWSER


def _since_ms(job: Job) -> int | None:
    """Since when the log is read; from its beginning where world time is not the broker's."""
    if job.since_at is None or clock.world_clock() is not None:
        return None
    return int(job.since_at.timestamp() * 1000)


def _span(job: Job) -> KeptSpan | None:
    if job.places is None or job.ends is None:
        return None
    return KeptSpan(_numbered(job.places), _numbered(job.ends))


def _numbered(offsets: Mapping[str, int]) -> dict[int, int]:
    return {int(number): offset for number, offset in offsets.items()}


def until_of(asked: datetime | None) -> datetime:
    """Until when deliveries are meant: what comes after the job began is not."""
    now = clock.now()
    return now if asked is None else min(asked, now)
