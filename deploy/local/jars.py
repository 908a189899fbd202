"""Fetches Kafka's jars: exactly those of the lock file, each checked against its SHA-256.

The downloader is used for downloading only. Its own resolver mixes versions (KAFKA 3), so the lock names every file.
Invariant: a file is in the folder under its name only when its checksum was right.
"""

import hashlib
import logging
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.local.missing import no_jars
from deploy.local.places import cache_folder

__all__ = ["LOCK", "Jar", "fetch", "jars_folder", "kafka_version", "missing_jars", "read_lock"]

LOCK = Path(__file__).with_name("kafka-jars.lock")
_AT_ONCE = 8
_SECONDS_A_FILE = 60


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock: group:artifact:version sha256:hexadecimal."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name in the folder."""
        return f"{self.artifact}-{self.version}.jar"


def read_lock(text: str) -> list[Jar]:
    """The jars of a lock file's text, in its order. Raises ValueError that names the line when one is malformed."""
    jars = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        coordinate, _, digest = line.strip().partition(" ")
        parts, kind, sha256 = coordinate.split(":"), *digest.partition(":")[::2]
        if len(parts) != 3 or kind != "sha256" or len(sha256) != 64:
            raise ValueError(f"line {number} is not 'group:artifact:version sha256:<64 hexadecimal digits>': {line!r}")
        jars.append(Jar(parts[0], parts[1], parts[2], sha256))
    return jars


def kafka_version(jars: Sequence[Jar]) -> str:
    """The version of the broker itself."""
    return next(jar.version for jar in jars if jar.artifact.startswith("kafka_2"))


def jars_folder(jars: Sequence[Jar]) -> Path:
    """Where the jars of this lock lie in the cache; not made yet."""
    return cache_folder() / f"kafka-{kafka_version(jars)}" / "libs"


def missing_jars(jars: Sequence[Jar], folder: Path) -> list[Jar]:
    """The jars that are not in the folder with the right checksum."""
    return [jar for jar in jars if not _is_right(folder / jar.file_name, jar)]


def fetch(jars: Sequence[Jar], folder: Path) -> int:
    """Fill the folder; how many were fetched. Raises Missing when one cannot be fetched or its checksum differs."""
    wanted = missing_jars(jars, folder)
    if not wanted:
        return 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch, ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda jar: _fetch_one(jar, folder, Path(scratch)), wanted))
    except Exception as error:
        # The downloader raises what its HTTP library raises; whatever it is, the reader needs the way out, not a trace.
        raise no_jars(str(folder), f"{type(error).__name__}: {error}") from error
    return len(wanted)


def _fetch_one(jar: Jar, folder: Path, scratch: Path) -> None:
    from jgo.maven import MavenContext  # noqa: PLC0415 - half a second that only a cold cache pays

    logging.getLogger("jgo").setLevel(logging.ERROR)
    maven = MavenContext(repo_cache=scratch / jar.file_name, timeout=_SECONDS_A_FILE)
    got = Path(maven.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve())
    if not _is_right(got, jar):
        raise ValueError(f"the checksum of {jar.file_name} differs from the lock's, nothing installed")
    got.replace(folder / jar.file_name)


def _is_right(file: Path, jar: Jar) -> bool:
    return file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == jar.sha256


if __name__ == "__main__":
    _jars = read_lock(LOCK.read_text())
    print(f"{fetch(_jars, jars_folder(_jars))} of {len(_jars)} jars fetched into {jars_folder(_jars)}")
