"""Ingest as a process whose disk fails every sync: its own entry, with a disk handed in that is a plain value."""

from functools import partial

from services.ingest.app import build
from shared.runtime import main
from tests.integration.ingest.disks import FailingDisk

__all__: list[str] = []


def failing() -> FailingDisk:
    disk = FailingDisk()
    disk.is_sync_failing = True
    return disk


if __name__ == "__main__":
    main(partial(build, disk=failing()))
