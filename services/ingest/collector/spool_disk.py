"""What the spool asks of a file system, each as one plain call that may raise OSError. Knows no records.

Passed into the spool, so that a test can pass a disk that fails. All of it blocks: the spool calls it in its thread.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

__all__ = ["Disk"]

_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600  # a segment holds what people wrote


class Disk:
    """The real one."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder only we may enter, so that it is still there after a crash; one that is there stays."""
        if not folder.parent.is_dir():
            self.make_folder(folder.parent)
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        self.sync_folder(folder.parent)  # what is synced in a folder whose own name is lost, is lost

    def lock(self, file: Path) -> int | None:
        """Take the lock for as long as the descriptor is open; None while another process holds it."""
        descriptor = os.open(file, os.O_CREAT | os.O_RDWR, _FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def create(self, file: Path) -> int:
        """A new, empty file to write to."""
        return os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _FILE_MODE)

    def write(self, descriptor: int, data: bytes, *, at: int) -> None:
        """Write all of it at a place."""
        left = memoryview(data)
        while left:
            written = os.pwrite(descriptor, left, at)
            left, at = left[written:], at + written

    def sync(self, descriptor: int) -> None:
        """Return when what was written lies on the medium."""
        os.fdatasync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """Return when the names in a folder lie on the medium."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def cut(self, file: Path, length: int) -> None:
        """Let a file end there."""
        os.truncate(file, length)

    def read(self, file: Path, *, at: int, length: int) -> bytes:
        """Bytes of a file from a place on; fewer than length only at its end."""
        with file.open("rb") as opened:
            opened.seek(at)
            return opened.read(length)

    def names(self, folder: Path, suffix: str) -> list[Path]:
        """The files of a folder with this suffix, by name."""
        return sorted(folder.glob(f"*{suffix}"))

    def size_and_time(self, file: Path) -> tuple[int, float]:
        """How long a file is, and when it was last written to, in seconds since the epoch."""
        found = file.stat()
        return found.st_size, found.st_mtime

    def close(self, descriptor: int) -> None:
        """Give a descriptor back."""
        os.close(descriptor)

    def delete(self, file: Path) -> None:
        """Delete a file; one that is not there is fine."""
        file.unlink(missing_ok=True)
