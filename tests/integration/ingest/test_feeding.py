"""`baton replay deliveries` behind its command: kept deliveries through the normaliser again, from a real log."""

from collections.abc import Sequence
from datetime import timedelta

from services.ingest.consumer import handlers
from services.ingest.store import replays
from services.ingest.usecases.feeding import KeptTopic, feed_step
from services.ingest.usecases.replaying import Asked, begin_job, step_jobs
from shared import clock
from shared.contracts.deliveries import DELIVERY_TYPE
from shared.db.engine import Tx, reading, transaction
from shared.errors import Busy
from shared.ids import new_id
from shared.stream.handlers import Handlers, RawEvent
from shared.stream.producer import Producer
from shared.stream.topics import create_topics
from tests.integration.ingest.stage import HASHED, IngestStage, batch, raw_event, track

STEPS_MOST = 40


async def _keep(kafka: str, topic_prefix: str, kept: Sequence[RawEvent], *, partitions: int = 1) -> None:
    """Put deliveries on the log, as the door does."""
    await create_topics(kafka, partitions=partitions, replication=1, topic_prefix=topic_prefix)
    producer = Producer(kafka, client_id="door", topic_prefix=topic_prefix)
    await producer.start()
    for event in kept:
        await producer.send("deliveries", str(new_id()), event.value, list(event.headers.items()))
    await producer.stop()


async def test_kept_deliveries_are_fed_again_and_nothing_of_them_counts_twice(
    stage: IngestStage, kafka: str, topic_prefix: str
) -> None:
    now = clock.now()
    before, old = now - timedelta(minutes=5), now - timedelta(days=5)
    kept = [
        raw_event(batch(track("Got Quote", userId=f"u{n}", at=before)), source_id=stage.source_id, received_at=before)
        for n in range(5)
    ]
    kept += [
        raw_event(
            batch(track("Got Quote", anonymousId="young", at=before)),
            source_id=stage.source_id,
            verified_by="browser_key",
            received_at=before,
        ),
        raw_event(
            batch(track("Got Quote", anonymousId="old", at=old)),
            source_id=stage.source_id,
            verified_by="browser_key",
            received_at=old,
        ),
        raw_event(batch(track("Got Quote", userId="other")), source_id=stage.silent_source_id, received_at=before),
        raw_event(b"[1", source_id=stage.source_id, received_at=before),
    ]
    await _keep(kafka, topic_prefix, kept, partitions=2)
    await stage.handle(*kept[:2])

    asked = Asked("feed", str(stage.source_id), None, now - timedelta(hours=1), None, 3, None)
    for _ in range(2):  # the second job finds everything handled
        async with transaction(stage.database, "command") as tx:
            job_id = await begin_job(tx, asked, by="test")
        steps = 0
        while await stage.one("select state from replay_job where id = :id", id=job_id) == "running":
            await step_jobs(stage.database, handlers(HASHED), KeptTopic(kafka, f"{topic_prefix}deliveries"))
            steps += 1
            assert steps < STEPS_MOST
        (job,) = await stage.rows("select done, failed, total from replay_job where id = :id", id=job_id)
        assert (job.done, job.failed, job.total) == (6, 1, 9)
        assert steps > 1, "a step deals with a second's worth"
    activities = await stage.one("select count(*) from outbox where headers like '%activity.recorded%'")
    assert activities == 6
    assert await stage.one("select count(*) from lead") == 6


async def test_a_job_is_not_locked_while_it_feeds_and_one_that_must_wait_keeps_its_place_and_holds_up_no_other(
    stage: IngestStage, kafka: str, topic_prefix: str
) -> None:
    sources = (stage.source_id, stage.source_id, stage.source_id, stage.silent_source_id)
    kept = [raw_event(batch(track("Got Quote", userId="u")), source_id=one, received_at=clock.now()) for one in sources]
    await _keep(kafka, topic_prefix, kept)
    fed: list[RawEvent] = []
    locked: list[str] = []

    async def take(tx: Tx, received: Sequence[RawEvent]) -> None:
        (one,) = received
        running = await tx.execute("select count(*) from replay_job where state = 'running'")
        free = await tx.execute("select id from replay_job where state = 'running' for update skip locked")
        locked.extend("a job" for _ in range(running.scalar_one() - len(free.all())))
        if one.id == kept[1].id:
            raise Busy("The database is busy.")
        fed.append(one)

    jobs = []
    for source in (stage.source_id, stage.silent_source_id):
        async with transaction(stage.database, "command") as tx:
            jobs.append(await begin_job(tx, Asked("feed", str(source), None, None, None, 500, None), by="test"))
    topic = KeptTopic(kafka, f"{topic_prefix}deliveries")
    steps = 0
    while len(fed) < 2:  # a busy broker hands over nothing for a second
        await step_jobs(stage.database, Handlers("ingest", {DELIVERY_TYPE: take}), topic)
        steps += 1
        assert steps < STEPS_MOST
    assert {one.id for one in fed} == {kept[0].id, kept[3].id}
    assert locked == []
    rows = await stage.rows("select state, done, places, leased_until from replay_job order by created_at, id")
    assert [tuple(row) for row in rows] == [("running", 1, {"0": 1}, None), ("done", 1, {"0": 4}, None)]

    await stage.change("update replay_job set leased_until = now() + interval '1 minute' where id = :id", id=jobs[0])
    await step_jobs(stage.database, handlers(HASHED), topic)
    assert await stage.one("select done from replay_job where id = :id", id=jobs[0]) == 1, "another process is at it"
    await stage.change("update replay_job set leased_until = now() - interval '1 second' where id = :id", id=jobs[0])
    while await stage.one("select state from replay_job where id = :id", id=jobs[0]) == "running":
        await step_jobs(stage.database, handlers(HASHED), topic)
        steps += 1
        assert steps < STEPS_MOST
    assert await stage.one("select done from replay_job where id = :id", id=jobs[0]) == 3


async def test_a_step_that_has_no_time_left_keeps_the_place_it_reached(
    stage: IngestStage, kafka: str, topic_prefix: str
) -> None:
    events = [batch(track("Got Quote", userId=f"u{n}")) for n in range(3)]
    kept = [raw_event(body, source_id=stage.source_id, received_at=clock.now()) for body in events]
    await _keep(kafka, topic_prefix, kept)
    asked = Asked("feed", str(stage.source_id), None, None, None, 500, None)
    async with transaction(stage.database, "command") as tx:
        job_id = await begin_job(tx, asked, by="test")
    async with reading(stage.database) as tx:
        job = await replays.job(tx, job_id)
    assert job is not None
    topic = KeptTopic(kafka, f"{topic_prefix}deliveries")
    steps = 0
    while job.state == "running":
        before = job.done
        await feed_step(job, topic, database=stage.database, handlers=handlers(HASHED), seconds=0.0)
        assert job.done - before <= 1
        assert job.places == {"0": job.done}
        steps += 1
        assert steps < STEPS_MOST
    assert (job.state, job.done) == ("done", 3)


async def test_a_job_that_is_stopped_in_the_middle_of_a_step_stays_stopped(stage: IngestStage) -> None:
    asked = Asked("replay", str(stage.source_id), None, None, None, 5, None)
    async with transaction(stage.database, "command") as tx:
        job_id = await begin_job(tx, asked, by="test")
    async with transaction(stage.database, "periodic") as tx:
        job = await replays.lease_job(tx, job_id)
    assert job is not None
    async with transaction(stage.database, "periodic") as tx:
        assert await replays.lease_job(tx, job_id) is None
        await replays.stop_job(tx, job_id)
        job.done = 4
        await replays.save_job(tx, job)
    assert await stage.rows("select state, done, leased_until from replay_job") == [("stopped", 4, None)]
