"""`baton doctor`: says what is there, what is missing and what to do about it, before anything starts."""

import ctypes
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

from deploy.cli.exits import Exit
from deploy.cli.homes import homes
from deploy.cli.output import AsJson, show_document
from deploy.local import jars, postgres, stack
from deploy.local.java import find_java
from deploy.local.missing import Missing
from deploy.local.places import cache_folder
from deploy.local.state import home_folder
from shared.config import PORTS

__all__ = ["Finding", "doctor", "examine"]

_FREE_BYTES = 2 << 30
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. is_needed False: only the browser tests want it."""

    name: str
    is_there: bool
    said: str
    to_do: str = ""
    is_needed: bool = True


def examine() -> list[Finding]:
    """Look at everything; nothing is started, fetched or changed."""
    looks: list[Callable[[], Finding]] = [_python, _java, _jars, _postgres, _libgomp, _ports, _disk, _stack, _browser]
    findings = []
    for look in looks:
        try:
            findings.append(look())
        except Missing as missing:
            first, _, rest = str(missing).partition("\n")
            findings.append(Finding(look.__name__.strip("_"), is_there=False, said=first, to_do=rest.strip()))
    return findings


def doctor(*, as_json: AsJson = False) -> int:
    """Say what this machine has, and what to do about the rest.

    Exit code 4 when one is missing.
    """
    findings = examine()
    if as_json:
        show_document({"findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            mark = "ok     " if finding.is_there else "MISSING" if finding.is_needed else "without"
            print(f"  {mark}  {finding.name:<11} {finding.said}")
            if finding.to_do and not finding.is_there:
                print("\n".join(f"{'':22}{line.strip()}" for line in finding.to_do.splitlines()))
    is_complete = all(finding.is_there for finding in findings if finding.is_needed)
    return Exit.DONE if is_complete else Exit.MISSING


def _python() -> Finding:
    version = sys.version.split()[0]
    return Finding("python", sys.version_info >= (3, 11), version, "Baton needs Python 3.11 or newer.")


def _java() -> Finding:
    java = find_java()
    return Finding("java", is_there=True, said=f"{java.version} ({java.program})")


def _jars() -> Finding:
    locked = jars.read_lock(jars.LOCK.read_text())
    folder = jars.jars_folder(locked)
    absent = jars.missing_jars(locked, folder)
    said = f"Kafka {jars.kafka_version(locked)}, {len(locked) - len(absent)} of {len(locked)} jars in {folder}"
    if absent:
        said += "; the first `baton up` fetches the rest (10 s)"
    return Finding("jars", is_there=True, said=said)


def _postgres() -> Finding:
    binaries = postgres.find_binaries()
    ways = postgres.ways_to_run()
    said = f"{postgres.version_of(binaries)} ({binaries}), {ways[0].name if ways else 'no way to run it'}"
    to_do = "Start Baton as an ordinary user with a name, or set BATON_DATABASE_URL."
    return Finding("postgres", is_there=bool(ways), said=said, to_do=to_do)


def _libgomp() -> Finding:
    name = "libgomp.so.1" if sys.platform == "linux" else "libomp.dylib"
    try:
        ctypes.CDLL(name)
    except OSError as error:
        return Finding(
            "libgomp",
            is_there=False,
            said=str(error),
            to_do="Debian, Ubuntu: apt install libgomp1; macOS: brew install libomp",
        )
    return Finding("libgomp", is_there=True, said=name)


def _ports() -> Finding:
    taken = []
    for port in PORTS.values():
        with socket.socket() as one:
            one.settimeout(0.2)
            if one.connect_ex(("127.0.0.1", port)) == 0:
                taken.append(port)
    said = (
        f"taken: {', '.join(map(str, taken))}; others are chosen"
        if taken
        else f"{', '.join(map(str, PORTS.values()))} are free"
    )
    return Finding("ports", is_there=True, said=said)


def _disk() -> Finding:
    place = home_folder()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    said = f"{free >> 30} GiB free for {home_folder()}; cache {cache_folder()}"
    return Finding("room", free > _FREE_BYTES, said, "Baton needs 2 GiB; BATON_HOME names another place.")


def _stack() -> Finding:
    running = [str(home) for home in homes() if stack.find(home)]
    said = f"runs in {', '.join(running)}" if running else "not running (baton up)"
    return Finding("stack", is_there=True, said=said)


def _browser() -> Finding:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        to_do = "Only the browser tests need it. Debian: apt install chromium"
        return Finding("chromium", is_there=False, said="none on PATH", to_do=to_do, is_needed=False)
    asked = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return Finding("chromium", is_there=True, said=asked.stdout.strip() or program, is_needed=False)
