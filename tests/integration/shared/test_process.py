"""A service as a process: ready, standing, metrics, tokens, drain, restart by exit 70, and the clock it refuses."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from joserfc.jwk import OKPKey

from deploy.local.keys import make_keys, variables_of_keys
from deploy.local.places import free_ports
from shared.clock import sleep
from shared.contracts.envelope import headers_of
from shared.stream.producer import Producer
from shared.stream.topics import create_topics
from shared.web.auth import ServiceTokens
from tests.integration.shared.stage import TABLES, erased, until

DatabaseOf = Callable[[str], Awaitable[str]]


@dataclass
class Greeter:
    """The process, its environment, and a client of its two ports."""

    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    api: httpx2.AsyncClient
    internal: httpx2.AsyncClient
    tokens: ServiceTokens

    def headers(self, issuer_audience: str = "scoring") -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens.make(audience=issuer_audience)}"}

    async def is_ready(self) -> bool:
        assert self.process.poll() is None, "the process ended"
        try:
            answer = await self.internal.get("/healthz/ready")
        except httpx2.TransportError:
            return False
        return answer.status_code == httpx2.codes.OK

    async def standing(self) -> dict[str, Any]:
        answer = await self.internal.get("/internal/standing", headers=self.headers())
        assert answer.status_code == 200, answer.text
        standing: dict[str, Any] = answer.json()
        return standing


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_keys(tmp_path / "keys")
    return tmp_path / "keys"


def environment_of(url: str, kafka: str, topic_prefix: str, keys: Path) -> dict[str, str]:
    api, internal = free_ports(2)
    return {
        **os.environ,
        **variables_of_keys(keys),
        "BATON_ENVIRONMENT": "test",
        "BATON_DATABASE_URL": url,
        "BATON_SCORING_DATABASE_URL": url,
        "BATON_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "BATON_TOPIC_PREFIX": topic_prefix,
        "BATON_API_PORT": str(api),
        "BATON_INTERNAL_PORT": str(internal),
    }


def start(
    environment: dict[str, str], *arguments: str, module: tuple[str, ...] = ("tests.integration.shared.greeter",)
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", *module, *arguments]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


async def ended(process: subprocess.Popen[bytes]) -> str:
    """What a process that must end by itself wrote to stderr."""

    async def is_over() -> bool:
        return process.poll() is not None

    try:
        await until(is_over)
    finally:
        process.kill()
    return process.communicate()[1].decode()


@asynccontextmanager
async def greeter(
    environment: dict[str, str], keys: Path, *, module: tuple[str, ...] = ("tests.integration.shared.greeter",)
) -> AsyncIterator[Greeter]:
    signing = OKPKey.import_key((keys / "cli.pem").read_bytes())
    tokens = ServiceTokens("cli", signing_key=signing, public_keys={})
    process = start(environment, module=module)
    async with (
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{environment['BATON_API_PORT']}") as api,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{environment['BATON_INTERNAL_PORT']}") as internal,
    ):
        one = Greeter(process, environment, api, internal, tokens)
        try:
            yield one
        finally:
            if process.poll() is None:
                process.kill()
            if process.stderr is not None and not process.stderr.closed:
                sys.stderr.write(process.communicate()[1].decode())


async def prepare(url: str, kafka: str, topic_prefix: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in TABLES:
        await connection.execute(statement)
    await connection.close()
    await create_topics(kafka, partitions=2, replication=1, topic_prefix=topic_prefix)


async def send(kafka: str, topic_prefix: str, numbers: range) -> None:
    producer = Producer(kafka, client_id="test", topic_prefix=topic_prefix)
    await producer.start()
    events = [erased(number) for number in numbers]
    records = [("leads", event.key, event.payload.to_json(), headers_of(event)) for event in events]
    await producer.send_all(records, deadline_seconds=20)
    await producer.stop()


async def test_a_process_reads_stands_and_drains(
    database_of: DatabaseOf, kafka: str, topic_prefix: str, keys: Path
) -> None:
    url = await database_of("scoring")
    await prepare(url, kafka, topic_prefix)
    async with greeter(environment_of(url, kafka, topic_prefix, keys), keys) as one:
        await until(one.is_ready)
        await send(kafka, topic_prefix, range(100))

        async def read_all() -> bool:
            return bool((await one.standing())["handled"] == 100)

        await until(read_all)
        standing = await one.standing()
        assert standing == {
            "service": "scoring", "handled": 100, "outbox_waiting": 0, "lag": 0, "due": 0, "next_due_at": None,
        }  # fmt: skip
        assert (await one.internal.get("/internal/verify", headers=one.headers())).json()["gap"] == 0
        assert b'baton_consumed_events_total{verdict="handled"} 100.0' in (await one.internal.get("/metrics")).content
        assert (await one.internal.get("/healthz/live")).status_code == 200
        greeting = await one.api.get("/v1/greeting", headers=one.headers())
        assert (greeting.status_code, greeting.json()) == (200, {"hello": "cli"})
        unproven = await one.api.get("/v1/greeting")
        assert (unproven.status_code, unproven.headers["content-type"]) == (401, "application/problem+json")
        one.process.send_signal(signal.SIGTERM)
        _, stderr = one.process.communicate(timeout=30)
        assert one.process.returncode == 0, stderr.decode()


async def test_clients_that_keep_their_connection_see_no_reset_when_it_stops(
    database_of: DatabaseOf, kafka: str, topic_prefix: str, keys: Path
) -> None:
    url = await database_of("scoring")
    await prepare(url, kafka, topic_prefix)
    broken: list[str] = []
    answered = [0] * 20

    async def all_were_answered() -> bool:
        return all(answered)

    async def ask_until_gone(one: Greeter, number: int) -> None:
        async with httpx2.AsyncClient(base_url=one.api.base_url) as client:
            while True:
                try:
                    answer = await client.get("/v1/greeting", headers=one.headers())
                except httpx2.ConnectError:
                    return  # it listens no more: what a client meets between two processes
                except httpx2.TransportError as error:
                    broken.append(repr(error))
                    return
                answered[number] += answer.status_code == httpx2.codes.OK
                await sleep(0.005)

    async with greeter(environment_of(url, kafka, topic_prefix, keys), keys) as one:
        await until(one.is_ready)
        async with asyncio.TaskGroup() as group:
            for number in range(len(answered)):
                group.create_task(ask_until_gone(one, number))
            await until(all_were_answered)
            one.process.send_signal(signal.SIGTERM)
        assert "process_ended" in await ended(one.process)
        assert one.process.returncode == 0
    assert broken == []


async def test_a_killed_process_goes_on_where_it_was(
    database_of: DatabaseOf, kafka: str, topic_prefix: str, keys: Path, tmp_path: Path
) -> None:
    url = await database_of("scoring")
    await prepare(url, kafka, topic_prefix)
    points = [
        {"step": step, "act": "kill", "nth": 1, "once_file": str(tmp_path / step.replace(":", "-"))}
        for step in ("batch:after_inbox", "batch:before_commit", "batch:after_commit")
    ]
    environment = {
        **environment_of(url, kafka, topic_prefix, keys),
        "BATON_TEST_FAILPOINTS": json.dumps(points),
    }
    await send(kafka, topic_prefix, range(2_000))
    entry = ("tests.support.failpoint_entry", "tests.integration.shared.greeter")
    kills = 0
    while kills < len(points):
        async with greeter(environment, keys, module=entry) as one:
            await ended(one.process)
            assert one.process.returncode == -signal.SIGKILL
            kills += 1
    async with greeter(environment, keys, module=entry) as one:
        await until(one.is_ready)
        connection = await asyncpg.connect(url)

        async def read_all() -> bool:
            return bool(await connection.fetchval("select sum(next_offset) = 2000 from progress"))

        await until(read_all)
        assert await connection.fetchval("select count(*) from applied") == 2000
        assert await connection.fetchval("select count(distinct event_id) from applied") == 2000
        assert await connection.fetchval("select count(*) from parked") == 0
        await connection.close()


async def test_a_part_that_clings_keeps_no_process_alive_in_which_another_failed(
    database_of: DatabaseOf, kafka: str, topic_prefix: str, keys: Path
) -> None:
    url = await database_of("scoring")
    await prepare(url, kafka, topic_prefix)
    environment = {**environment_of(url, kafka, topic_prefix, keys), "GREETER_CLINGS": "1"}
    connection = await asyncpg.connect(url)
    try:
        async with greeter(environment, keys) as one:
            await until(one.is_ready)
            await connection.execute("drop table outbox")  # the relay cannot go on, and says so in its own words
            stderr = await ended(one.process)
        assert one.process.returncode == 70, stderr
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"BATON_ENVIRONMENT": "production"}, "movable world clock"),
        ({"BATON_ENVIRONMENT": "production", "BATON_WORLD_CLOCK_FILE": "/nowhere"}, "only demo and test move it"),
    ],
)
async def test_production_refuses_a_movable_clock(
    database_of: DatabaseOf, kafka: str, topic_prefix: str, keys: Path, changed: dict[str, str], reason: str
) -> None:
    url = await database_of("scoring")
    process = start({**environment_of(url, kafka, topic_prefix, keys), **changed})
    stderr = await ended(process)
    assert process.returncode == 70
    assert reason in stderr


async def test_a_test_refuses_a_database_without_a_world_clock(
    database_of: DatabaseOf, kafka: str, topic_prefix: str, keys: Path
) -> None:
    url = await database_of("scoring")
    connection = await asyncpg.connect(url)
    await connection.execute(
        "create or replace function baton_now() returns timestamptz language sql stable parallel safe as 'select now()'"
    )
    await connection.execute("drop schema world_clock cascade")
    await connection.close()
    process = start(environment_of(url, kafka, topic_prefix, keys))
    stderr = await ended(process)
    assert process.returncode == 70
    assert "no world clock" in stderr


async def test_missing_settings_are_named() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    process = start(environment)
    stderr = await ended(process)
    assert process.returncode == 2
    assert "database_url" in stderr
