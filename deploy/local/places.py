"""Decides where the local stack keeps what it fetches and which ports are free.

The cache (jars, class archives) is shared by all checkouts of a user; it can be deleted at any time.
"""

import os
import shutil
import socket
import tempfile
from pathlib import Path

__all__ = ["cache_folder", "free_ports", "scratch_folder"]

# Below this, a container's small /dev/shm would fill up in the middle of a test run.
_MEMORY_FREE_BYTES = 1 << 30


def cache_folder() -> Path:
    """BATON_CACHE_DIR, else `baton` in the XDG cache folder. Not made yet."""
    named = os.environ.get("BATON_CACHE_DIR")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "baton"


def free_ports(count: int) -> list[int]:
    """`count` different ports of 127.0.0.1 that are free at this moment; another process may still take one."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def scratch_folder(prefix: str) -> Path:
    """A new folder for throw-away data: in memory where there is room (20 times faster for clones), else on disk."""
    memory = Path("/dev/shm")  # noqa: S108 - memory is the point; the folder itself is made private by mkdtemp
    is_roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _MEMORY_FREE_BYTES
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=memory if is_roomy else None))
    made.chmod(0o711)  # PostgreSQL may have to run as another user, who must be able to walk through
    return made
