"""One consumer of a service: its group membership, opening its partitions by `progress`, polling, and the watchdog.

Kafka's group says which partitions to try, PostgreSQL's `progress` says where each stands and the fence who is
right. No rebalance listeners: before each poll every assigned partition that is not open is opened. Judged by
progress alone: lag without progress ends the process (exit 70), and a static member is back in a third of a second.
Settings: RELIABILITY 4; hazards of the client: RELIABILITY 2.
"""

import asyncio
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from shared.clock import monotonic, sleep
from shared.config import ServiceSettings
from shared.db.engine import Database, is_transient
from shared.db.locks import LockNotGot, SessionLock, session_lock
from shared.errors import Busy, Fatal
from shared.ids import jitter
from shared.stream.batch import Position
from shared.stream.flow import BATCH_MAX, Breaker, back_off_seconds
from shared.stream.handlers import Handlers
from shared.stream.log_ends import LogEnds, Place
from shared.stream.membership import group_client
from shared.stream.partition import Health, Partition
from shared.stream.progress import Standing, first_positions, read_positions, stop_position
from shared.stream.topics import check_topics
from shared.stream.watchdog import Look, Patience, Watchdog
from shared.telemetry import announce, count, gauge, log

__all__ = ["Consumer"]

INSTANCE_LOCK_SECONDS = 30.0
START_SECONDS = 30.0
STOP_SECONDS = 5.0
POLL_MS, POLL_MS_FULL = 200, 10  # with everything fetched, look again soon: a partition has room after each commit
POLL_RECORDS = 4 * BATCH_MAX
POLL_DEADLINE_SECONDS = 2.0  # the client waits without bound for a new assignment
COMMIT_EVERY_SECONDS, COMMIT_SECONDS = 1.0, 1.0
ASK_SECONDS = 5.0
_NO_PARTITION = TopicPartition("", -1)  # getmany() of it fetches nothing, and keeps the member alive


class Consumer:
    """Reads the topics of its handlers until stopped. Raises Fatal from `run` when the process must end."""

    def __init__(
        self, settings: ServiceSettings, handlers: Handlers, database: Database, *, patience: Patience | None = None
    ) -> None:
        self.handlers = handlers
        self.stopped_because: str | None = None
        self._settings = settings
        self._database = database
        self._worker = f"{settings.service}-consumer-{settings.instance}"
        self._health = Health(Breaker())
        self._slots = asyncio.Semaphore(settings.batches_at_once)
        self._kafka: Any = None
        self._log_ends: LogEnds | None = None
        self._patience = patience or Patience()
        self._counts: dict[str, int] = {}
        self._partitions: dict[TopicPartition, Partition] = {}
        self._assigned_at = 0.0

    @property
    def handled(self) -> int:
        """Records this process moved past: handled, repeats, skipped and parked."""
        return self._health.handled

    @property
    def is_ready(self) -> bool:
        """Whether it reads: a member with its assignment, not stopped by the breaker."""
        return self._kafka is not None and bool(self._partitions) and self.stopped_because is None

    async def lag(self) -> int:
        """Records between the positions reached and the ends of the logs, over all partitions. Raises Busy."""
        if self._log_ends is None:
            return 0
        try:
            async with asyncio.timeout(ASK_SECONDS):
                ends = await self._log_ends.ends(self._places)
        except (KafkaError, TimeoutError, OSError) as error:
            raise Busy("Kafka does not answer now: how far behind we are is not known.") from error
        # Before `progress` is read, which may be told of it meanwhile.
        ours = {partition.position.log_place: partition.skipped_to for partition in self._partitions.values()}
        standings = await read_positions(self._database, self.handlers.consumer)
        behind: dict[str, int] = dict.fromkeys(self._counts, 0)
        for (topic, partition), end in ends.items():
            # What we skipped counts as read, also while `progress` was not told of it.
            standing = standings.get((topic, partition), Standing(0, None)).next_offset
            behind[topic] += max(0, end - max(standing, ours.get((topic, partition), 0)))
        for topic, records in behind.items():
            gauge("baton_consumer_lag_events", records, topic=topic)
        return sum(behind.values())

    # ---- life
    async def run(self, stop: asyncio.Event) -> None:
        """Take the instance id, join, and read until stop is set; then finish what runs, commit, leave."""
        try:
            async with session_lock(self._database, self._lock_name, wait_seconds=INSTANCE_LOCK_SECONDS) as lock:
                await self._join(stop)
                if not stop.is_set():
                    await self._read(stop, lock)
        except LockNotGot as error:
            raise Fatal(f"Another process is {self._worker}: give each process its own BATON_INSTANCE.") from error
        finally:
            await self._leave()

    @property
    def _lock_name(self) -> str:
        return f"instance {self._worker}"

    async def _join(self, stop: asyncio.Event) -> None:
        """Check the topics, make the rows of progress, join the group; again while Kafka or PostgreSQL is away."""
        tries = 0
        while not stop.is_set():
            try:
                bootstrap, prefix = self._settings.kafka_bootstrap_servers, self._settings.topic_prefix
                self._counts = await check_topics(bootstrap, self.handlers.topics, topic_prefix=prefix)
                kafka = group_client(self._settings, self.handlers, worker=self._worker)
                self._kafka = kafka
                async with asyncio.timeout(START_SECONDS):
                    await kafka.start()
                self._log_ends = LogEnds(bootstrap, topic_prefix=prefix, client_id=f"{self._worker}-ends")
                await self._log_ends.start()
                starts = await self._log_ends.starts(self._places)
                await first_positions(self._database, self.handlers.consumer, starts)
            except (KafkaError, TimeoutError, OSError, SQLAlchemyError) as error:
                tries += 1
                log.warning("consumer_waits", reason=type(error).__name__, again=tries)
                await self._leave()
                await sleep(back_off_seconds(tries, jitter=jitter()))
            else:
                self._assigned_at = monotonic()
                self._health.moved()
                return

    async def _read(self, stop: asyncio.Event, lock: SessionLock) -> None:
        async with asyncio.TaskGroup() as group:
            watchers = [
                group.create_task(self._watch(), name="watchdog"),
                group.create_task(self._watch_lock(lock), name="instance-lock"),
                group.create_task(self._commit_for_ever(), name="kafka-commit"),
            ]
            try:
                await self._poll_until(stop, group)
            finally:
                for partition in self._partitions.values():
                    partition.close()
                for watcher in watchers:
                    watcher.cancel()

    async def _leave(self) -> None:
        kafka, log_ends, self._kafka, self._log_ends = self._kafka, self._log_ends, None, None
        if log_ends is not None:
            await log_ends.stop()
        if kafka is None:
            return
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._commit(kafka)
                await kafka.stop()
        except (TimeoutError, KafkaError) as error:
            log.warning("consumer_left_late", reason=type(error).__name__)

    # ---- poll
    async def _poll_until(self, stop: asyncio.Event, group: asyncio.TaskGroup) -> None:
        while not stop.is_set():
            if self._health.breaker.is_open and self.stopped_because is None:
                self._stop_consumer("Too many events failed: this is a release that cannot read its events.")
            self._take_assignment(group)
            await self._open_partitions()
            await self._note_stops()
            roomy = [one for one, partition in self._partitions.items() if partition.has_room]
            is_full = len(roomy) < len(self._partitions)
            try:
                async with asyncio.timeout(POLL_DEADLINE_SECONDS):
                    fetched = await self._kafka.getmany(
                        *(roomy or (_NO_PARTITION,)),
                        timeout_ms=POLL_MS_FULL if is_full else POLL_MS,
                        max_records=POLL_RECORDS,
                    )
            except TimeoutError:
                continue
            except KafkaError as error:
                await self._poll_failed(error)
                continue
            for one, records in fetched.items():
                partition = self._partitions.get(one)
                if partition is None or not partition.is_open:
                    continue
                if not partition.fetched(records):
                    log.info("batch_thrown_away", place=partition.position.place)
                    await announce("partition:after_throw_away")

    async def _poll_failed(self, error: KafkaError) -> None:
        """Offsets out of range and missing offsets mean: open again.

        All else is the client's to mend, or the watchdog's.
        """
        log.info("poll_failed", reason=type(error).__name__)
        for partition in self._partitions.values():
            if not partition.is_busy:
                partition.is_open = False
        await sleep(0.1)

    def _take_assignment(self, group: asyncio.TaskGroup) -> None:
        assigned = self._kafka.assignment()
        if assigned:
            self._assigned_at = monotonic()
        for one in [one for one in self._partitions if one not in assigned]:
            self._partitions.pop(one).close()
        for one in assigned - self._partitions.keys():
            position = Position(self.handlers.consumer, self._short(one.topic), one.partition, self._worker)
            partition = Partition(
                position, self.handlers, database=self._database, slots=self._slots, health=self._health
            )
            self._partitions[one] = partition
            group.create_task(partition.run(), name=f"partition {position.place}")

    async def _open_partitions(self) -> None:
        """Seek each assigned partition that is not open to the offset `progress` names, or stop it there."""
        closed = {
            one: partition
            for one, partition in self._partitions.items()
            if not partition.is_open and not partition.is_busy and not partition.is_stopped
        }
        if not closed or self.stopped_because is not None or self._log_ends is None:
            return
        try:
            async with asyncio.timeout(START_SECONDS / 3):
                standings = await read_positions(self._database, self.handlers.consumer)
                places = [partition.position.log_place for partition in closed.values()]
                starts, ends = await self._log_ends.starts(places), await self._log_ends.ends(places)
        except (KafkaError, TimeoutError, OSError, SQLAlchemyError) as error:
            log.warning("opening_waits", reason=type(error).__name__)
            await sleep(0.2)
            return
        still = self._kafka.assignment()
        for one, partition in closed.items():
            if one not in still or partition.is_busy:
                continue
            place = partition.position.log_place
            standing = standings[place]
            if standing.stopped_because is not None:
                partition.stop(standing.stopped_because)
            elif not starts[place] <= standing.next_offset <= ends[place]:
                found = f"it holds {starts[place]} to {ends[place]}, we stand at {standing.next_offset}"
                partition.stop(f"not the log we read: {found}")
            else:
                self._kafka.seek(one, standing.next_offset)
                partition.open_at(standing.next_offset)
                await announce("partition:after_open")

    async def _note_stops(self) -> None:
        """Write the reason of each partition that stopped itself into its row; again while PostgreSQL is away."""
        for partition in self._partitions.values():
            if partition.stopped_because is None or partition.is_stop_noted:
                continue
            place, reason = partition.position, partition.stopped_because
            try:
                await stop_position(
                    self._database,
                    self.handlers.consumer,
                    topic=place.topic,
                    partition=place.partition,
                    reason=reason,
                )
            except (TimeoutError, OSError, SQLAlchemyError) as error:
                log.warning("stop_waits", place=place.place, reason=type(error).__name__)
                continue
            partition.is_stop_noted = True
            log.critical("partition_stopped", place=place.place, reason=reason)
        stopped = sum(partition.is_stopped for partition in self._partitions.values())
        gauge("baton_stopped_partitions", stopped)

    def _stop_consumer(self, reason: str) -> None:
        self.stopped_because = reason
        log.critical("consumer_stopped", reason=reason)
        for partition in self._partitions.values():
            partition.is_open = False

    # ---- watching
    async def _watch(self) -> None:
        """The watchdog: ends the process when this consumer stands still."""
        dog = Watchdog(self._patience)
        while True:
            await sleep(self._patience.look_every)
            look = self._look()
            if self.stopped_because is None and dog.must_ask(look):
                reason = dog.judge(look, is_behind=await self._is_behind())
                if reason is not None:
                    raise Fatal(reason)

    def _look(self) -> Look:
        ordinal = int(self._settings.instance) if self._settings.instance.isdigit() else 0
        return Look(
            now=monotonic(),
            moved_at=self._health.moved_at,
            assigned_at=self._assigned_at,
            is_assigned=bool(self._partitions),
            should_have_some=ordinal < max(self._counts.values(), default=0),
            is_waiting=any(partition.is_waiting for partition in self._partitions.values()),
        )

    async def _is_behind(self) -> bool | None:
        """Whether records wait for a partition of ours; None: the broker is away, which is not our standstill."""
        assert self._log_ends is not None
        try:
            async with asyncio.timeout(ASK_SECONDS):
                ends = await self._log_ends.ends(self._places)
        except (KafkaError, TimeoutError, OSError):
            return None
        return any(
            ends.get(partition.position.log_place, 0) > partition.next_offset
            for partition in self._partitions.values()
            if not partition.is_stopped
        )

    async def _watch_lock(self, lock: SessionLock) -> None:
        """Hold on to the instance id: when PostgreSQL broke the session, take it again; somebody else's now is Fatal.

        Meanwhile the fence alone keeps two workers apart, as it always does.
        """
        await lock.lost()
        log.warning("instance_lock_lost", worker=self._worker)
        tries = 0
        while True:
            try:
                async with session_lock(self._database, self._lock_name, wait_seconds=INSTANCE_LOCK_SECONDS) as again:
                    tries = 0
                    await again.lost()
            except LockNotGot as error:
                raise Fatal(f"Another process became {self._worker} while PostgreSQL was away.") from error
            except Exception as error:
                if not is_transient(error):
                    raise
                tries += 1
                await sleep(back_off_seconds(tries, jitter=jitter()))

    # ---- commit
    async def _commit_for_ever(self) -> None:
        while True:
            await sleep(COMMIT_EVERY_SECONDS)
            await self._commit(self._kafka)

    async def _commit(self, kafka: Any) -> None:  # noqa: ANN401 - the client has no types
        """Tell Kafka how far we are, for lag tools only: what fails is counted and forgotten."""
        offsets = {
            one: partition.committed_offset
            for one, partition in self._partitions.items()
            if partition.committed_offset is not None
        }
        if not offsets:
            return
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await kafka.commit(offsets)
        except (KafkaError, TimeoutError, ValueError) as error:
            count("baton_batches_total", end="kafka_commit_failed")
            log.debug("kafka_commit_failed", reason=type(error).__name__)
            return
        for one, offset in offsets.items():
            partition = self._partitions.get(one)
            if partition is not None and partition.committed_offset == offset:
                partition.committed_offset = None
        await announce("batch:after_kafka_commit")

    @property
    def _places(self) -> list[Place]:
        return [(topic, index) for topic, number in self._counts.items() for index in range(number)]

    def _short(self, topic: str) -> str:
        return topic.removeprefix(self._settings.topic_prefix)
