"""Fetches Kafka's missing jars, each checked against its SHA-256: `python -m deploy.local.fetching`.

The downloader is used for downloading only; its own resolver mixes versions (KAFKA 3). A process of its own, so that
only a cold cache pays for its imports. Invariant: a file is in the folder under its name only when its checksum was
right.
"""

import logging
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.maven import MavenContext

from deploy.local.jars import LOCK, Jar, is_right, jars_folder, missing_jars, read_lock
from deploy.local.missing import Missing, no_jars

__all__ = ["fetch"]

_AT_ONCE = 8
_SECONDS_A_FILE = 60


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
    logging.getLogger("jgo").setLevel(logging.ERROR)
    maven = MavenContext(repo_cache=scratch / jar.file_name, timeout=_SECONDS_A_FILE)
    got = Path(maven.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve())
    if not is_right(got, jar):
        raise ValueError(f"the checksum of {jar.file_name} differs from the lock's, nothing installed")
    got.replace(folder / jar.file_name)


def main() -> int:
    """Fill the cache; exit code 4 with the way out when that is not possible."""
    jars = read_lock(LOCK.read_text())
    try:
        print(f"{fetch(jars, jars_folder(jars))} of {len(jars)} jars fetched into {jars_folder(jars)}")
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
