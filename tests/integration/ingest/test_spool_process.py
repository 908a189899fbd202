"""The process around the spool: it opens without Kafka, and with a disk that fails its sync it takes nothing more.

Readiness is what takes such a process out of the traffic; a restart is what heals it.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from joserfc.jwk import OKPKey

from deploy.local.keys import make_keys, variables_of_keys
from deploy.local.places import free_ports
from shared.clock import monotonic, sleep
from shared.ids import new_id
from shared.web.auth import ServiceTokens

PATIENCE_SECONDS = 40.0
NOBODY = "127.0.0.1:9"  # a port where no broker listens
EVENT = {"type": "track", "event": "Form Submitted", "userId": "u1", "messageId": "m1"}


class Ingest:
    """One process with the role of the door alone."""

    def __init__(self, process: subprocess.Popen[bytes], api: int, internal: int, keys: Path) -> None:
        self.process, self._api, self._internal = process, api, internal
        signing = OKPKey.import_key((keys / "cli.pem").read_bytes())
        self._tokens = ServiceTokens("cli", signing_key=signing, public_keys={})

    async def call(self, method: str, path: str, *, is_internal: bool = False, **options: Any) -> httpx2.Response:  # noqa: ANN401
        headers = {
            "authorization": f"Bearer {self._tokens.make(audience='ingest')}",
            "idempotency-key": str(new_id()),
        } | options.pop("headers", {})
        port = self._internal if is_internal else self._api
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
            return await client.request(method, f"http://127.0.0.1:{port}{path}", headers=headers, **options)

    async def until_ready(self) -> None:
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            assert self.process.poll() is None, "the process ended"
            assert monotonic() < deadline, "it was not ready in time"
            try:
                if (await self.call("GET", "/healthz/ready", is_internal=True)).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await sleep(0.05)

    async def key(self) -> str:
        asked = {"sender": "segment", "name": "site", "settings": {"consent": "granted"}, "keys": ["server_key"]}
        made = await self.call("POST", "/v1/sources", json=asked)
        assert made.status_code == 201, made.text
        return str(made.json()["keys"][0]["key"])

    async def deliver(self, key: str) -> httpx2.Response:
        return await self.call("POST", "/v1/track", json=EVENT, headers={"authorization": f"Bearer {key}"})


def _started(module: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", module, "--role", "api"], env=environment)


@asynccontextmanager
async def running(module: str, url: str, folder: Path) -> AsyncIterator[Ingest]:
    make_keys(folder / "keys")
    api, internal = free_ports(2)
    environment = {
        **os.environ,
        **variables_of_keys(folder / "keys"),
        "BATON_ENVIRONMENT": "test",
        "BATON_INGEST_DATABASE_URL": url,
        "BATON_DATABASE_URL": url,
        "BATON_KAFKA_BOOTSTRAP_SERVERS": NOBODY,
        "BATON_API_PORT": str(api),
        "BATON_INTERNAL_PORT": str(internal),
        "BATON_INGEST_DOOR_FOLDER": str(folder / "door"),
    }
    process = _started(module, environment)
    try:
        ingest = Ingest(process, api, internal, folder / "keys")
        await ingest.until_ready()
        yield ingest
    finally:
        process.kill()
        process.wait()


async def test_a_disk_that_fails_its_sync_costs_readiness_and_gives_no_2xx(
    database_of: Callable[[str], Awaitable[str]], swift_folder: Path
) -> None:
    url = await database_of("ingest")
    async with running("tests.integration.ingest.failing_disk_entry", url, swift_folder) as ingest:
        key = await ingest.key()
        for _ in range(3):
            answer = await ingest.deliver(key)
            assert answer.status_code == 503
            assert 1 <= int(answer.headers["retry-after"]) <= 30
        ready = await ingest.call("GET", "/healthz/ready", is_internal=True)
        assert (ready.status_code, ready.json()["parts"]["spool"]) == (503, False)
        assert (await ingest.call("GET", "/healthz/live", is_internal=True)).status_code == 200
    async with running("services.ingest.app", url, swift_folder) as ingest:
        assert (await ingest.deliver(key)).status_code == 200, "the next process begins anew"
        metrics = (await ingest.call("GET", "/metrics", is_internal=True)).text
        assert "baton_spool_segments 2.0" in metrics, "the first process wrote one, whose sync failed: it is sent too"
        assert 'baton_accepted_total{lane="spool"} 1.0' in metrics
