"""The price of one activity scored: consumer, history, sums, score, decision and outbox, for leads that may be scored.

Leads with profile, consent and account come first; then the topic is filled with a mix of activities, the consumer
started, and the CPU it and PostgreSQL burnt until the lag is gone is divided by the activities.
"""

import asyncio
import signal
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from shared.clock import machine_now
from shared.contracts.activities import ActivityRecorded
from shared.contracts.catalog import event_row
from shared.contracts.envelope import Event, Payload, headers_of, value_of
from shared.contracts.kinds import ActivityKind, Channel, Consent, ConsentPurpose, Direction, VerifiedBy
from shared.contracts.leads import LeadConsentChanged, LeadIdentified, LeadLinked
from shared.db.migrate import migrate
from shared.ids import derived_id
from shared.stream.producer import Producer
from shared.stream.topics import create_topics
from tests.bench.anchor import bare_microseconds, beside_bare
from tests.bench.figures import Figure, of_rounds
from tests.bench.rig import Rig, rig, wait_for

EVENTS = 60_000
LEADS = 10_000
ROUND_RECORDS = 1_000
WAIT_SECONDS = 300
# Of 50 activities: what a marketing site and a mail tool send. 13 of them are worth points.
MIX: tuple[tuple[ActivityKind, str | None], ...] = (
    *((ActivityKind.PAGE_VIEW, "other"),) * 25,
    *((ActivityKind.PAGE_VIEW, None),) * 5,
    *((ActivityKind.PAGE_VIEW, "blog"),) * 5,
    *((ActivityKind.EMAIL_OPEN, None),) * 7,
    *((ActivityKind.EMAIL_CLICK, None),) * 3,
    *((ActivityKind.PRICING_VIEWED, "pricing"),) * 3,
    (ActivityKind.WEBINAR_REGISTERED, None),
    (ActivityKind.DOWNLOAD, "white_paper"),
)
# Lately, so that no draw of exploration is due: it would be measured with the activities.
AT = machine_now() - timedelta(hours=2)


def run(rounds: int) -> list[Figure]:
    """Rounds over one pair of servers, each into a database of its own."""
    with rig() as servers:
        measured = [asyncio.run(_round(servers, number)) for number in range(rounds)]
    note = f"{EVENTS} activities of {LEADS} leads, {sum(worth for worth in _worth())} of {len(MIX)} worth points"

    def of(key: str) -> list[float]:
        return [one[key] for one in measured]

    return [
        of_rounds("scoring", "CPU an activity, ours", "us", of("ours"), is_better="lower"),
        of_rounds("scoring", "CPU an activity, PostgreSQL", "us", of("postgres"), is_better="lower"),
        *beside_bare("scoring", "CPU an activity in all", of("all"), of("bare"), gate=45, aim=28, note=note),
        of_rounds("scoring", "activities a second", "1/s", of("rate"), is_better="higher"),
    ]


def _worth() -> list[bool]:
    free = {(ActivityKind.PAGE_VIEW, "other"), (ActivityKind.PAGE_VIEW, None), (ActivityKind.EMAIL_OPEN, None)}
    return [one not in free for one in MIX]


async def _send(producer: Producer, events: list[Event[Any]]) -> None:
    for start in range(0, len(events), ROUND_RECORDS):
        records = [
            (event_row(event.type).topic, event.key, value_of(event), headers_of(event))
            for event in events[start : start + ROUND_RECORDS]
        ]
        await producer.send_all(records, deadline_seconds=30)


def _event(payload: Payload, *parts: object) -> Event[Any]:
    own = derived_id("bench", payload.TYPE, *parts)
    return Event.first(payload, source="/baton/ingest", occurred_at=AT, recorded_at=AT, id=own)


def _lead_id(number: int) -> UUID:
    return derived_id("bench lead", number)


def _about(number: int) -> list[Event[Any]]:
    lead_id = _lead_id(number)
    profile = LeadIdentified(
        lead_id=lead_id, profile_version=1, is_known=True, title_level="manager", entry_channel="web", country="DE"
    )
    permission = LeadConsentChanged(
        lead_id=lead_id,
        consent_version=1,
        purpose=ConsentPurpose.PROFILING,
        consent=Consent.GRANTED,
        is_allowed=True,
    )
    account_id = derived_id("bench account", number // 3)
    link = LeadLinked(lead_id=lead_id, account_id=account_id, link_version=1, by="domain", is_target=number % 7 == 0)
    return [_event(payload, number) for payload in (profile, permission, link)]


def _activity(number: int) -> Event[ActivityRecorded]:
    lead_id = _lead_id(number * 7919 % LEADS)
    kind, content = MIX[number * 31 % len(MIX)]
    payload = ActivityRecorded(
        activity_id=derived_id("bench activity", number),
        lead_id=lead_id,
        member_id=lead_id,
        kind=kind,
        direction=Direction.MARKETING,
        recorded_at=AT,
        occurred_at=AT,
        human=1.0,
        verified_by=VerifiedBy.SERVER_KEY,
        source_id=derived_id("bench source"),
        sender="segment",
        channel=Channel.WEB,
        content=content,
        page_path="/somewhere",
    )
    return _event(payload, number)


async def _round(servers: Rig, number: int) -> dict[str, float]:
    bare = await bare_microseconds(servers)
    database, prefix = f"bench_scoring_{number}", f"scoring{number}."
    admin = await asyncpg.connect(f"{servers.postgres.url}postgres")
    await admin.execute(f'create database "{database}"')
    await admin.close()
    await migrate(f"{servers.postgres.url}{database}", "scoring")
    await create_topics(servers.kafka.address, partitions=4, replication=1, topic_prefix=prefix)
    connection = await asyncpg.connect(f"{servers.postgres.url}{database}")
    producer = Producer(servers.kafka.address, client_id="bench", linger_ms=0, topic_prefix=prefix)
    await producer.start()
    variables = {
        "BATON_ENVIRONMENT": "local",
        "BATON_SCORING_DATABASE_URL": f"{servers.postgres.url}{database}",
        "BATON_KAFKA_BOOTSTRAP_SERVERS": servers.kafka.address,
        "BATON_TOPIC_PREFIX": prefix,
        "BATON_INSTANCE": str(number),
    }

    async def moved(topic: str) -> int:
        sql = "select coalesce(sum(next_offset), 0) from progress where topic = $1"
        return int(await connection.fetchval(sql, topic))

    try:
        await _send(producer, [event for each in range(LEADS) for event in _about(each)])
        servers.start("scoring", "services.scoring.app", "--role", "consumer", variables=variables)

        async def knows_leads() -> bool:
            return await moved("leads") >= 3 * LEADS

        await wait_for(knows_leads, within_seconds=WAIT_SECONDS)
        servers.end("scoring", signal.SIGTERM)
        await _send(producer, [_activity(each) for each in range(EVENTS)])
        servers.start("scoring", "services.scoring.app", "--role", "consumer", variables=variables)

        async def has_begun() -> bool:
            return await moved("activities") > 0

        async def is_done() -> bool:
            return await moved("activities") >= EVENTS

        await wait_for(has_begun)
        loop = asyncio.get_running_loop()
        before, began, first = servers.cpu(), loop.time(), await moved("activities")
        await wait_for(is_done, within_seconds=WAIT_SECONDS)
        after, seconds = servers.cpu(), loop.time() - began
        servers.end("scoring", signal.SIGTERM)
        kept = await connection.fetchval("select count(*) from activity")
        assert kept == EVENTS, f"{kept} of {EVENTS} are in the history"
    finally:
        await producer.stop()
        await connection.close()
    count = EVENTS - first
    ours, postgres = ((after[name] - before[name]) / count * 1e6 for name in ("ours", "postgres"))
    return {"bare": bare, "ours": ours, "postgres": postgres, "all": ours + postgres, "rate": count / seconds}
