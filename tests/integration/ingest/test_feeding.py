"""`baton replay deliveries` behind its command: kept deliveries through the normaliser again, from a real log."""

from datetime import timedelta

from services.ingest.consumer import handlers
from services.ingest.usecases.feeding import KeptTopic
from services.ingest.usecases.replaying import Asked, begin_job, step_jobs
from shared import clock
from shared.db.engine import transaction
from shared.ids import new_id
from shared.stream.producer import Producer
from shared.stream.topics import create_topics
from tests.integration.ingest.stage import HASHED, IngestStage, batch, raw_event, track

STEPS_MOST = 40


async def test_kept_deliveries_are_fed_again_and_nothing_of_them_counts_twice(
    stage: IngestStage, kafka: str, topic_prefix: str
) -> None:
    now = clock.now()
    before, old = now - timedelta(minutes=5), now - timedelta(days=5)
    await create_topics(kafka, partitions=2, replication=1, topic_prefix=topic_prefix)
    producer = Producer(kafka, client_id="door", topic_prefix=topic_prefix)
    await producer.start()
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
    for event in kept:
        await producer.send("deliveries", str(new_id()), event.value, list(event.headers.items()))
    await producer.stop()
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
