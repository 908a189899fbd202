"""A real Apache Kafka broker (KRaft, one node) as a child process.

Decides its files, flags and when it is ready: when a Metadata request names one broker, not when the port is open.
The request is written by hand, so no client library is needed here. Exact values and their measurements: KAFKA 2.
"""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.jars import LOCK, jars_folder, kafka_version, missing_jars, read_lock
from deploy.local.java import Java, find_java
from deploy.local.missing import Missing
from deploy.local.places import free_ports, scratch_folder
from deploy.local.processes import Running, end, is_running, launch, wait_until
from shared.ids import secret_token

__all__ = ["STOP_SIGNAL", "Kafka", "answers"]

STOP_SIGNAL = signal.SIGTERM  # ends with exit code 143, which is the clean case
_ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 60
_STOP_SECONDS = 20

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{control}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
num.network.threads=2
num.io.threads=2
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.hours=720
log.segment.bytes=67108864
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=200
"""
_LOGGING = """\
status=error
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1} %m%n
"""


@dataclass(slots=True)
class Kafka:
    """One broker with its data folder; `start` may be called again after it died."""

    folder: Path
    port: int
    control_port: int
    java: Java = field(init=False)
    libs: Path = field(init=False)
    version: str = field(init=False, default="")

    @property
    def address(self) -> str:
        """host:port for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What the broker says, warnings and worse."""
        return self.folder / "kafka.log"

    def prepare(self) -> None:
        """Find Java and the jars (fetching them), write the files, format the data folder once. Raises Missing."""
        self.java = find_java()
        jars = read_lock(LOCK.read_text())
        self.libs, self.version = jars_folder(jars), kafka_version(jars)
        if missing_jars(jars, self.libs):
            _fetch()
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = _PROPERTIES.format(port=self.port, control=self.control_port, data=self.folder / "data")
        (self.folder / "server.properties").write_text(properties)
        (self.folder / "log4j2.properties").write_text(_LOGGING)
        self._format()

    def start(self, *, flags: Sequence[str] | None = None) -> Running:
        """Start the broker and wait until it answers. Raises Missing with the end of its log when it does not.

        flags are Java's for the class archive; unless given, the archive that `train` made is used.
        """
        archive = self.java.use_archive(self.java.archive(self.libs.parent)) if flags is None else flags
        properties = str(self.folder / "server.properties")
        running = launch(self._java(archive, "kafka.Kafka", properties), log=self.log, cwd=self.folder)
        if not wait_until(lambda: answers(self.port) or not is_running(running), within_seconds=_READY_SECONDS):
            end(running, by=signal.SIGKILL, within_seconds=5)  # nothing half-started stays
            raise Missing(f"Kafka was not ready within {_READY_SECONDS} s; see {self.log}.")
        if not is_running(running):
            end(
                running, by=signal.SIGKILL, within_seconds=1
            )  # takes its exit code: a zombie looks alive to the next one
            raise Missing(f"Kafka ended at once; the end of {self.log} says:\n{self.log.read_text()[-1500:]}")
        return running

    def train(self) -> None:
        """Make the archive of loaded classes, once per Java and Kafka version: later starts take half the time.

        A run of its own on throw-away data. Failure changes nothing but the speed.
        """
        archive = self.java.archive(self.libs.parent)
        if archive.exists():
            return
        own = Kafka(scratch_folder("baton-train-"), *free_ports(2))
        unfinished = archive.with_name(f"{archive.name}.{os.getpid()}")
        try:
            own.prepare()
            running = own.start(flags=self.java.write_archive(unfinished))
            end(running, by=STOP_SIGNAL, within_seconds=_STOP_SECONDS)
            if unfinished.exists():
                unfinished.replace(archive)
        finally:
            shutil.rmtree(own.folder, ignore_errors=True)

    def _format(self) -> None:
        if (self.folder / "data" / "meta.properties").exists():
            return
        # With the equals sign: an id that begins with "-" would be taken for an option.
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={secret_token(16)}", "--ignore-formatted"]
        command = self._java([], *tool, "-c", str(self.folder / "server.properties"))
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder)
        if done.returncode != 0:
            raise Missing(f"Kafka's data folder could not be made: {done.stderr or done.stdout}")

    def _java(self, archive: Sequence[str], *rest: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return [self.java.program, *self.java.flags(), *archive, logging, "-cp", f"{self.libs}/*", *rest]


def _fetch() -> None:
    command = [sys.executable, "-m", "deploy.local.fetching"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_ROOT)
    if done.returncode != 0:
        raise Missing(done.stderr.strip())


def answers(port: int) -> bool:
    """Whether a broker on this port answers a Metadata request (version 1, no topics) with exactly one broker."""
    body = struct.pack(">hhi", 3, 1, 1) + struct.pack(">h", 5) + b"baton" + struct.pack(">i", 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            (length,) = struct.unpack(">i", _exactly(connection, 4))
            answer = _exactly(connection, length)
    except (OSError, EOFError):
        return False
    _, brokers = struct.unpack_from(">ii", answer)
    return bool(brokers == 1)


def _exactly(connection: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = connection.recv(count - len(got))
        if not part:
            raise EOFError
        got += part
    return got
