"""Where the stacks of this machine may be; what runs there is the business of `stacks`."""

from pathlib import Path

from deploy.local.state import home_folder

__all__ = ["homes"]


def homes() -> list[Path]:
    """The usual place, and those of the demo and of the replay beside it."""
    return [home_folder(), home_folder() / "demo", home_folder() / "replay"]
