"""Disks that fail: plain values handed to a spool. What they do not spoil is the real file system's."""

import errno
from pathlib import Path
from threading import Event

from typing_extensions import override

from services.ingest.collector.spool_disk import Disk

HELD_SECONDS = 10.0


class FailingDisk(Disk):
    """A disk whose syncs and writes fail while the test says so; counts syncs."""

    def __init__(self) -> None:
        self.is_sync_failing = self.is_write_failing = self.is_cut_failing = False
        self.syncs = 0

    @override
    def write(self, descriptor: int, data: bytes, *, at: int) -> None:
        if self.is_write_failing:
            super().write(descriptor, data[: len(data) // 2], at=at)  # a full disk takes a part
            raise OSError(errno.ENOSPC, "no space left on device")
        super().write(descriptor, data, at=at)

    @override
    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        if self.is_sync_failing:
            raise OSError(errno.EIO, "input/output error")
        super().sync(descriptor)

    @override
    def cut(self, file: Path, length: int) -> None:
        if self.is_cut_failing:
            raise OSError(errno.EIO, "input/output error")
        super().cut(file, length)


class SlowDisk(Disk):
    """A disk whose syncs wait until the test lets them."""

    def __init__(self) -> None:
        self.may_sync, self.has_begun = Event(), Event()
        self.syncs = 0

    @override
    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        self.has_begun.set()
        assert self.may_sync.wait(30)
        super().sync(descriptor)


class NotingDisk(Disk):
    """A disk that says which folders had their names synced, in order."""

    def __init__(self) -> None:
        self.synced_folders: list[Path] = []

    @override
    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self.synced_folders.append(folder)


class HeldDisk(Disk):
    """A disk whose syncs wait until they are let go; says when a read was done."""

    def __init__(self) -> None:
        self.may_sync, self.is_syncing, self.has_read = Event(), Event(), Event()
        self.may_sync.set()

    @override
    def sync(self, descriptor: int) -> None:
        self.is_syncing.set()
        self.may_sync.wait(HELD_SECONDS)
        super().sync(descriptor)

    @override
    def read(self, file: Path, *, at: int, length: int) -> bytes:
        found = super().read(file, at=at, length=length)
        self.has_read.set()
        return found
