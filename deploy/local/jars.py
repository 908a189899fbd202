"""Kafka's jars: which files the lock names, where they lie in the cache, and which of them are missing or damaged.

fetching.py downloads what is missing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.places import cache_folder

__all__ = ["LOCK", "Jar", "is_right", "jars_folder", "kafka_version", "missing_jars", "read_lock"]

LOCK = Path(__file__).with_name("kafka-jars.lock")


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
    return [jar for jar in jars if not is_right(folder / jar.file_name, jar)]


def is_right(file: Path, jar: Jar) -> bool:
    """Whether a file is there and has the jar's checksum."""
    return file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == jar.sha256
