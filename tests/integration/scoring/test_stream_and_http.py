"""Scoring on real Kafka and PostgreSQL: events in, repeats dropped, decisions out; and its routes over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx2
from fastapi import Request

from services.scoring.api import internal_router, router
from services.scoring.consumer import handlers
from services.scoring.rechecks import rechecks
from services.scoring.settings import Settings
from services.scoring.usecases.ruling import Terms
from services.scoring.usecases.score_leads import Desk
from services.scoring.usecases.simulate import ask_simulation, run_simulation, show_simulation
from shared.config import Environment
from shared.contracts.agreement import canonical_json, default_agreement
from shared.contracts.catalog import event_row
from shared.contracts.envelope import Event, headers_of
from shared.db.engine import Database, reading, transaction
from shared.runtime.pace import Pace
from shared.stream.consumer import Consumer
from shared.stream.producer import Producer
from shared.stream.relay import Relay
from shared.stream.topics import create_topics
from shared.web.app_factory import create_app
from shared.web.auth import Principal
from tests.integration.scoring.desk import ScoringDesk
from tests.integration.shared.stage import until
from tests.support.builders.scoring import START, activity, consent, days, lead_id, linked, profile


def settings_of(url: str, kafka: str, topic_prefix: str = "") -> Settings:
    return Settings(
        environment=Environment.TEST,
        database_url=url,
        kafka_bootstrap_servers=kafka,
        topic_prefix=topic_prefix,
    )


@asynccontextmanager
async def running_service(settings: Settings, database: Database) -> AsyncIterator[None]:
    """Scoring's consumer, relay and loop, as one process runs them."""
    desk, pace, stop = Desk(Terms(), b"salt"), Pace(), asyncio.Event()
    desk.wake = pace.wake
    consumer, relay = Consumer(settings, handlers(desk), database), Relay(settings, database)
    async with asyncio.TaskGroup() as group:
        group.create_task(consumer.run(stop))
        group.create_task(relay.run(stop))
        group.create_task(rechecks(database, desk)(pace))
        yield
        stop.set()
        pace.stop()


async def send(producer: Producer, *events: Event[Any]) -> None:
    records = [(event_row(event.type).topic, event.key, event.payload.to_json(), headers_of(event)) for event in events]
    await producer.send_all(records, deadline_seconds=20)


async def test_activities_in_decisions_out_and_repeats_change_nothing(
    database_of: Callable[[str], Awaitable[str]], kafka: str, topic_prefix: str
) -> None:
    desk = ScoringDesk(await database_of("scoring"))
    await desk.at(START)
    settings = settings_of(desk.url, kafka, topic_prefix)
    await create_topics(kafka, partitions=2, replication=1, topic_prefix=topic_prefix)
    producer = Producer(kafka, client_id="test", topic_prefix=topic_prefix)
    await producer.start()
    leads = [f"lead-{number}" for number in range(12)]
    events: list[Event[Any]] = []
    for lead in leads:
        did = (activity(lead, "pricing_viewed"), activity(lead, "webinar_attended"))
        events += [*did, consent(lead), profile(lead), linked(lead, f"{lead}.example")]
    async with running_service(settings, desk.database):
        await send(producer, *events)
        await send(producer, *events)  # repeats at new offsets

        async def is_through() -> bool:
            (row,) = await desk.rows(
                """select (select count(*) from inbox) as seen, (select count(*) from outbox) as waiting,
                          (select count(*) from account_due) as due,
                          (select coalesce(sum(next_offset), 0) from progress) as moved"""
            )
            return (row.seen, row.waiting, row.due, row.moved) == (len(events), 0, 0, 2 * len(events))

        await until(is_through)
    await producer.stop()
    sent = await desk.rows("select key, headers::jsonb ->> 'ce_type' as kind from outbox_sent order by id")
    qualified = [row.key for row in sent if row.kind == "baton.lead.qualified.v1"]
    assert sorted(qualified) == sorted(str(lead_id(lead)) for lead in leads)
    assert sum(row.kind == "baton.account.scored.v1" for row in sent) >= len(leads)
    rows = await desk.rows("select distinct shown from lead")
    assert len(rows) == len(leads)  # alike but for the account they name
    await desk.close()


@asynccontextmanager
async def client_of(desk: ScoringDesk) -> AsyncIterator[httpx2.AsyncClient]:
    async def authenticate(_: Request) -> Principal | None:
        return Principal(kind="cli", id="test")

    settings = settings_of(desk.url, "127.0.0.1:1")
    state = {"database": desk.database, "terms": desk.desk.terms}
    app = create_app(settings, [router, internal_router], authenticate=authenticate, state=state)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://scoring") as client:
        yield client


async def test_a_moment_asked_for_carries_a_zone(desk: ScoringDesk) -> None:
    await desk.feed(consent("kim"), profile("kim"))
    async with client_of(desk) as client:
        for text in ("2026-06-01T09:00:00", "2026-06-01", "1780272000", "yesterday", "0001-01-01T00:00:00Z"):
            answer = await client.get(f"/v1/scores/{lead_id('kim')}", params={"at": text})
            assert answer.status_code == 422, (text, answer.text)
            (error,) = answer.json()["errors"]
            assert (error["pointer"], error["code"]) == ("query:at", "zone"), text


async def test_a_score_is_explained_over_http_now_and_then(desk: ScoringDesk) -> None:
    await desk.feed(consent("kim"), profile("kim"), linked("kim", "acme"), activity("kim", "demo_requested"))
    await desk.at(START + days(90))
    async with client_of(desk) as client:
        now = (await client.get(f"/v1/scores/{lead_id('kim')}")).json()
        then = (await client.get(f"/v1/scores/{lead_id('kim')}", params={"at": "2026-06-01T09:00:00Z"})).json()
        decided = (await client.get(f"/v1/score-decisions/{now['decision_ids'][0]}")).json()
        nobody = await client.get(f"/v1/scores/{UUID(int=5)}")
        no_account = await client.get(f"/v1/account-scores/{UUID(int=5)}")
        no_decision = await client.get(f"/v1/score-decisions/{UUID(int=5)}")
        wrong = await client.get("/v1/scores/kim")
    assert (now["score"], now["fit"], now["engagement"]) == (55, 40, 15)
    assert (then["score"], then["engagement"], then["is_qualified"]) == (70, 30, True)
    assert sum(line["points"] for line in then["lines"]) == then["score"]
    assert "Asked for a demo (+30)" in then["reasons"]
    assert decided["is_replayed_identically"]
    assert decided["sentences"][0] == "Title level is vp (+20)"
    assert [answer.status_code for answer in (nobody, no_account, no_decision, wrong)] == [404, 404, 404, 422]


async def test_a_draft_s_examples_are_classified(desk: ScoringDesk) -> None:
    async with client_of(desk) as client:
        good = await client.post("/internal/classify", json={"document": canonical_json(default_agreement())})
        bad = await client.post("/internal/classify", json={"document": '{"agreement": {}}'})
        ugly = await client.post("/internal/classify", json={"document": "{: [}"})
    examples = good.json()["products"][0]["examples"]
    assert len(examples) == 6
    assert all(each["is_as_stated"] for each in examples)
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["pointer"].startswith("/document/")
    assert ugly.status_code == 422


async def test_a_draft_is_simulated_over_the_past(desk: ScoringDesk) -> None:
    for lead, kinds in {"kim": ["pricing_viewed"], "lee": ["demo_requested"], "pat": ["email_click"]}.items():
        await desk.feed(consent(lead), profile(lead), linked(lead, "acme"), *[activity(lead, kind) for kind in kinds])
    await desk.at(START + days(2))
    easier = canonical_json(default_agreement()).replace('90,"qualify":65', '90,"qualify":60')
    async with client_of(desk) as client:
        asked = await client.post(
            "/v1/score-simulations", json={"document": easier, "days": 7}, headers={"idempotency-key": "one"}
        )
        again = await client.post(
            "/v1/score-simulations", json={"document": easier, "days": 7}, headers={"idempotency-key": "one"}
        )
        waiting = (await client.get(asked.headers["location"])).json()
        await run_simulation(desk.database, UUID(waiting["simulation_id"]))
        done = (await client.get(asked.headers["location"])).json()
        none = await client.get(f"/v1/score-simulations/{UUID(int=1)}")
        unread = await client.post(
            "/v1/score-simulations", json={"document": "{}", "days": 7}, headers={"idempotency-key": "two"}
        )
    assert (asked.status_code, again.json(), none.status_code, unread.status_code) == (202, asked.json(), 404, 422)
    assert (waiting["state"], waiting["result"], done["state"]) == ("asked", None, "done")
    result = done["result"]
    assert result["qualified"]["active"] == {"people": 1, "entries": 1, "hand_raiser": 1}
    assert result["qualified"]["draft"] == {"people": 2, "entries": 2, "hand_raiser": 1, "qualified": 1}
    assert (result["gained_lead_ids"], result["lost"], result["people"]) == ([str(lead_id("kim"))], 0, 3)
    assert len(await desk.rows("select 1 from decision")) == 1  # it wrote nothing but its result


async def test_the_loop_runs_a_simulation_in_a_process_of_its_own(desk: ScoringDesk) -> None:
    async with transaction(desk.database, "command") as tx:
        simulation_id = await ask_simulation(tx, document=canonical_json(default_agreement()), days=1)
    pace = Pace()
    async with asyncio.TaskGroup() as group:
        group.create_task(rechecks(desk.database, desk.desk)(pace))

        async def is_done() -> bool:
            async with reading(desk.database) as tx:
                return bool((await show_simulation(tx, simulation_id))["state"] == "done")

        await until(is_done)
        async with transaction(desk.database, "command") as tx:
            broken = await ask_simulation(tx, document="[]", days=1)
        pace.wake()

        async def has_failed() -> bool:
            async with reading(desk.database) as tx:
                return bool((await show_simulation(tx, broken))["state"] == "failed")

        await until(has_failed)
        pace.stop()
