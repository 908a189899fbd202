"""Decides where the local stack keeps what it fetches and which ports are free.

The cache (jars, class archives) is shared by all checkouts of a user; it can be deleted at any time.
"""

import os
import shutil
import socket
import tempfile
from pathlib import Path

from shared.ids import jitter

__all__ = ["cache_folder", "free_ports", "scratch_folder"]

# Below this, a container's small /dev/shm would fill up in the middle of a test run.
_MEMORY_FREE_BYTES = 1 << 30
_PORT_FIRST, _PORTS, _PORT_TRIES = 20_000, 12_000, 50


def cache_folder() -> Path:
    """BATON_CACHE_DIR, else `baton` in the XDG cache folder. Not made yet."""
    named = os.environ.get("BATON_CACHE_DIR")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "baton"


def free_ports(count: int) -> list[int]:
    """`count` ports of 127.0.0.1 that nobody uses and that no living process was given before.

    Each is kept by a bound socket that never listens: Linux lets a server with SO_REUSEADDR (ours, Java's and
    PostgreSQL's have it) listen beside it, while the probe here, which has it not, finds the port taken. Below those
    that systems give to outgoing connections: one of these could sit on the port of a service that is just being
    started again. Raises OSError when none is found.
    """
    found: list[socket.socket] = []
    for _ in range(count * _PORT_TRIES):
        one = socket.socket()
        try:
            one.bind(("127.0.0.1", _PORT_FIRST + int(jitter() * _PORTS)))
        except OSError:
            one.close()
            continue
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.append(one)
        if len(found) == count:
            ports = [one.getsockname()[1] for one in found]
            for one in found:
                one.detach()  # open for this process's life
            return ports
    for one in found:
        one.close()
    raise OSError(f"no {count} free ports found in {count * _PORT_TRIES} tries from {_PORT_FIRST} on")


def scratch_folder(prefix: str) -> Path:
    """A new folder for throw-away data: in memory where there is room (20 times faster for clones), else on disk."""
    memory = Path("/dev/shm")  # noqa: S108 - memory is the point; the folder itself is made private by mkdtemp
    is_roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _MEMORY_FREE_BYTES
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=memory if is_roomy else None))
    made.chmod(0o711)  # PostgreSQL may have to run as another user, who must be able to walk through
    return made
