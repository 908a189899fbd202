"""Field case 19 with a real process: killed in the middle of a call, started again at once under the same name."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.local.keys import make_keys, variables_of_keys
from deploy.local.places import free_ports
from services.handoff.store.attempts import write_test
from services.handoff.store.endpoints import add_secret, insert_endpoint
from services.handoff.store.secrets import Wrapping
from shared.db.engine import Database, reading, transaction
from shared.ids import new_id
from tests.integration.handoff.world import DatabaseOf
from tests.integration.handoff_routing.conftest import SECRET
from tests.integration.shared.stage import until
from tests.support.receiver import Reply, receiving

COLUMNS = {
    "description": "", "types": [], "pools": [], "products": [], "is_sharing": False, "notify_email": None,
    "rate_per_second": 50,
}  # fmt: skip


@contextmanager
def dispatching(url: str, keys: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service with the one role that sends, under a fixed instance name; killed at the end."""
    (internal,) = free_ports(1)
    environment = {
        **os.environ,
        **variables_of_keys(keys),
        "BATON_ENVIRONMENT": "test",
        "BATON_DATABASE_URL": url,
        "BATON_HANDOFF_DATABASE_URL": url,
        "BATON_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "BATON_INTERNAL_PORT": str(internal),
        "BATON_INSTANCE": "7",
        "BATON_HANDOFF_IS_LOOPBACK_ALLOWED": "true",
    }
    command = [sys.executable, "-m", "services.handoff.app", "--role", "dispatches"]
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.timeout(240)  # two processes start, beside other workers of the run
async def test_case_19_a_killed_process_leaves_an_unknown_dispatch_that_is_repeated_by_itself(
    database_of: DatabaseOf, tmp_path: Path
) -> None:
    make_keys(tmp_path)
    url = await database_of("handoff")
    database = Database(url, pool_size=2)
    wrapping = Wrapping.from_file(tmp_path / "fernet.key")
    event_id = new_id()

    async def log() -> list[tuple[int, str, bool]]:
        async with reading(database) as tx:
            rows = await tx.execute("select number, outcome, is_repeat from attempt order by number")
            return [(row.number, row.outcome, row.is_repeat) for row in rows]

    async def is_done() -> bool:
        async with reading(database) as tx:
            return bool((await tx.execute("select state = 'done' from dispatch")).scalar())

    gate = asyncio.Event()
    async with receiving(Reply(200, gate=gate.wait), Reply(200)) as receiver:
        async with transaction(database, "command") as tx:
            endpoint = await insert_endpoint(
                tx, {**COLUMNS, "url": receiver.url}, headers={}, by=None, wrapping=wrapping
            )
            await add_secret(tx, endpoint, SECRET, overlap=timedelta(0), wrapping=wrapping)
            await write_test(tx, endpoint, event_type="baton.endpoint.tested.v1", body="{}", event_id=event_id)
        with dispatching(url, tmp_path) as first:
            await receiver.until(1, within_seconds=60)
            first.send_signal(signal.SIGKILL)
            first.wait(10)
        assert await log() == [(1, "unknown", False)]
        with dispatching(url, tmp_path):
            gate.set()  # the receiver answers the first call all the same; nobody is there to hear it
            async with transaction(database, "command") as tx:  # 45 s later
                await tx.execute("update dispatch set leased_until = now()")
            await until(is_done, within_seconds=60)
    assert await log() == [(1, "unknown", False), (2, "delivered", True)]
    assert [request.headers["webhook-id"] for request in receiver.received] == [str(event_id)] * 2
    await database.close()
