"""The one process behind `baton up`: starts everything, starts again what ends, and takes everything down when told.

It reports each step as a line of JSON on its standard output until the stack is ready; a reader that goes away before
that takes the stack down again, so nothing half-started stays. It holds a lock on its home: one stack per home.
"""

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from deploy.local import kafka, postgres, state
from deploy.local.environment import choose_services, service_variables
from deploy.local.healthcheck import is_ready
from deploy.local.kafka import Kafka
from deploy.local.keys import make_keys
from deploy.local.missing import Missing
from deploy.local.places import free_ports
from deploy.local.postgres import Postgres
from deploy.local.processes import Running, end, is_running, spawn, started_at, tail_of
from deploy.local.restarts import Attempts, pause_before_restart
from deploy.local.state import Server, State
from shared.clock import machine_now, monotonic
from shared.config import Environment
from shared.ids import secret_token

__all__ = ["main"]

_LOOK_SECONDS = 0.1
_READY_SECONDS = 90
_STOP_SECONDS = {"services": 20, "servers": 20}
# A service that ends this often before it was ever ready will not become ready by itself.
_ENDS_BEFORE_GIVING_UP = 3
_ROOT = Path(__file__).resolve().parents[2]


class _Failed(Exception):
    """The stack does not come up; the text says why and where to look."""


class Supervisor:
    """Owns the processes of one stack."""

    def __init__(self, *, home: Path, environment: str, prepare: str) -> None:
        self.home = home
        self.prepare_module = prepare
        self.stopping = Event()
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.attempts: dict[str, Attempts] = {}
        self.began: dict[str, float] = {}
        self.due: dict[str, float] = {}
        self.workers = ThreadPoolExecutor(2)
        self.mending: dict[Path, Future[Running]] = {}
        self.postgres: Postgres | None = None
        self.kafka: Kafka | None = None
        own = Running(os.getpid(), started_at(os.getpid()) or "")
        self.state = State(environment, machine_now().isoformat(timespec="seconds"), own, str(home))

    def run(self) -> int:
        """Bring the stack up, keep it up until told to stop, take it down. The exit code of the process."""
        try:
            with _only_one(self.home):
                try:
                    self._bring_up()
                    _report(ready=True)
                    _be_silent()
                    self._watch()
                finally:
                    self._take_down()
        except Missing as missing:
            _report(missing=str(missing))
            return 4
        except _Failed as failed:
            _report(failed=str(failed))
            return 1
        except BrokenPipeError:
            return 1
        return 0

    def _bring_up(self) -> None:
        self._save()
        _report(step="keys")
        make_keys(self.home / "keys")
        (self.home / "logs").mkdir(exist_ok=True)
        _report(step="PostgreSQL and Kafka")
        starting = [self.workers.submit(self._start_postgres), self.workers.submit(self._start_kafka)]
        wait(starting)  # both, also when one fails: what was started is then known and taken down
        for started in starting:
            started.result()
        assert self.state.postgres is not None
        assert self.state.kafka is not None
        self.state.services = choose_services(self.home / "logs", environment=self.state.environment)
        self.state.variables = service_variables(
            self.state.services,
            environment=self.state.environment,
            database_url=self.state.postgres.address,
            kafka=self.state.kafka.address,
            home=self.home,
        )
        self._save()
        _report(step="databases and topics")
        self._prepare()
        _report(step="services")
        for name in self.state.services:
            self._start_service(name)
        self._wait_until_ready()
        self.state.is_ready = True
        self._save()

    def _start_postgres(self) -> None:
        given = os.environ.get("BATON_DATABASE_URL")
        if given:
            self.state.postgres = Server(given, version="given")
            return
        folder = self.home / "postgres"
        secret = self.home / "keys" / "postgres.password"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(secret_token(24))
        is_durable = not Environment(self.state.environment).has_world_clock
        self.postgres = Postgres(folder, free_ports(1)[0], secret.read_text(), is_durable=is_durable)
        self.postgres.prepare()
        version = str(postgres.version_of(self.postgres.binaries))
        running = self.postgres.start()
        log = str(self.postgres.log)
        self.state.postgres = Server(self.postgres.url, version, running, str(self.postgres.data), log)
        self._save()

    def _start_kafka(self) -> None:
        given = os.environ.get("BATON_KAFKA_BOOTSTRAP_SERVERS")
        if given:
            self.state.kafka = Server(given, version="given")
            return
        self.kafka = Kafka(self.home / "kafka", *free_ports(2))
        self.kafka.prepare()
        self.kafka.train()
        running = self.kafka.start()
        data = str(self.kafka.folder / "data")
        self.state.kafka = Server(self.kafka.address, self.kafka.version, running, data, str(self.kafka.log))
        self._save()

    def _prepare(self) -> None:
        log = self.home / "logs" / "prepare.log"
        command = [sys.executable, "-m", self.prepare_module]
        with log.open("wb") as out:
            done = subprocess.run(command, env=self._variables(), cwd=_ROOT, stdout=out, stderr=out, check=False)
        if done.returncode != 0:
            raise _Failed(f"Databases and topics could not be prepared; {log} ends with:\n{tail_of(log)}")

    def _start_service(self, name: str) -> None:
        service = self.state.services[name]
        child = spawn(
            [sys.executable, "-m", f"services.{name}.app"], log=Path(service.log), env=self._variables(), cwd=_ROOT
        )
        self.children[name] = child
        self.began[name] = monotonic()
        service.process = Running(child.pid, started_at(child.pid) or "ended")
        self._save()

    def _wait_until_ready(self) -> None:
        waiting = set(self.state.services)
        deadline = monotonic() + _READY_SECONDS
        while waiting:
            self._restart_what_ended()
            for name in sorted(waiting):
                if self.attempts.get(name, Attempts()).in_a_row >= _ENDS_BEFORE_GIVING_UP:
                    log = self.state.services[name].log
                    raise _Failed(f"{name} ends again and again; {log} ends with:\n{tail_of(Path(log))}")
                if is_ready(self.state.services[name].internal_url):
                    waiting.discard(name)
                    _report(step=f"{name} is ready")
            if monotonic() > deadline:
                logs = ", ".join(self.state.services[name].log for name in sorted(waiting))
                raise _Failed(f"Not ready within {_READY_SECONDS} s: {', '.join(sorted(waiting))}; see {logs}")
            if self.stopping.wait(_LOOK_SECONDS):
                raise _Failed("Stopped while starting.")

    def _watch(self) -> None:
        while not self.stopping.wait(_LOOK_SECONDS):
            self._restart_what_ended()

    def _restart_what_ended(self) -> None:
        for server, own in ((self.state.postgres, self.postgres), (self.state.kafka, self.kafka)):
            if server and own and server.process and not is_running(server.process):
                self._mend(server, own)
        for name, child in list(self.children.items()):
            if name not in self.due:
                if child.poll() is None:
                    continue
                lived = monotonic() - self.began[name]
                self.attempts[name] = self.attempts.get(name, Attempts()).after_end(lived_seconds=lived)
                self.due[name] = monotonic() + pause_before_restart(self.attempts[name])
            if monotonic() >= self.due[name]:
                del self.due[name]
                self.state.services[name].restarts += 1
                self._start_service(name)

    def _mend(self, server: Server, own: Postgres | Kafka) -> None:
        """Start a server again, on its old data and port; beside everything else, for it takes seconds."""
        mending = self.mending.get(own.log)
        if mending is None:
            assert server.process is not None
            end(server.process, by=signal.SIGKILL, within_seconds=1)  # takes its exit code
            self.mending[own.log] = self.workers.submit(own.start)
        elif mending.done():
            del self.mending[own.log]
            try:
                server.process = mending.result()
                self._save()
            except Missing as missing:  # killed again while it was starting: it is tried again
                print(missing, file=sys.stderr, flush=True)

    def _take_down(self) -> None:
        self.workers.shutdown()
        for server, own in ((self.state.postgres, self.postgres), (self.state.kafka, self.kafka)):
            if server and own and own.log in self.mending:
                self._mend(server, own)
        living = [child for child in self.children.values() if child.poll() is None]
        for child in living:
            child.terminate()
        deadline = monotonic() + _STOP_SECONDS["services"]
        for child in living:
            try:
                child.wait(max(0.0, deadline - monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for server, by in ((self.state.kafka, kafka.STOP_SIGNAL), (self.state.postgres, postgres.STOP_SIGNAL)):
            if server and server.process:
                end(server.process, by=by, within_seconds=_STOP_SECONDS["servers"])
        state.forget(self.home)

    def _variables(self) -> dict[str, str]:
        return {**os.environ, **self.state.variables}

    def _save(self) -> None:
        state.write(self.home, self.state)


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _Failed(f"Another supervisor holds {home}.") from error
        yield


def _report(**what: object) -> None:
    print(json.dumps(what), flush=True)


def _be_silent() -> None:
    """From here on nobody reads: a later line must not end the process by a broken pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def main() -> int:
    """Entry of the process."""
    parser = argparse.ArgumentParser(description="Keeps a local stack running. Started by `baton up`.")
    parser.add_argument("home", type=Path)
    parser.add_argument("environment", choices=[str(one) for one in Environment])
    parser.add_argument("--prepare", default="deploy.local.prepare")
    chosen = parser.parse_args()
    supervisor = Supervisor(home=chosen.home, environment=chosen.environment, prepare=chosen.prepare)
    for by in (signal.SIGTERM, signal.SIGINT):
        signal.signal(by, lambda *_: supervisor.stopping.set())
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main())
