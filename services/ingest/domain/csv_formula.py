"""Decides which cells a spreadsheet would run as formulas, and how a file of ours carries them as texts.

Such a cell gets a quote in front, and loses it when the file is imported again: nothing is lost on the way there and
back. Plain signed numbers, and phone numbers with their +, stay as they are.
"""

import re
from typing import Final

__all__ = ["as_meant", "as_text"]

_QUOTE: Final = "'"
_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_HARMLESS: Final = re.compile(r"[+-][0-9 ().,/-]*+")


def as_text(cell: str) -> str:
    """The cell as a file for a spreadsheet may hold it."""
    return _QUOTE + cell if _is_run(cell.lstrip(_QUOTE)) else cell  # one that has quotes of its own keeps them


def as_meant(cell: str) -> str:
    """What `as_text` was given."""
    return cell[1:] if cell.startswith(_QUOTE) and _is_run(cell.lstrip(_QUOTE)) else cell


def _is_run(cell: str) -> bool:
    return cell.startswith(_STARTS) and _HARMLESS.fullmatch(cell) is None
