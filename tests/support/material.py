"""Finds the material handed to the engineers, which lies beside the checkout and is never copied into it."""

from pathlib import Path

__all__ = ["material"]

_BESIDE = Path(__file__).resolve().parents[3] / "shared"


def material(name: str) -> Path | None:
    """The path of `../shared/<name>`, or None (said in one line) when it is not there.

    The project's own samples still speak.
    """
    path = _BESIDE / name
    if path.exists():
        return path
    print(f"../shared/{name} is not here: this part of the test has nothing to compare with")  # noqa: T201 - said once
    return None
