"""The exit codes of the command and the errors that carry them (STACK 8).

0 done · 1 failed · 2 wrong use · 3 refused by a rule · 4 needs something missing · 5 done in part · 130 interrupted.
"""

from enum import IntEnum

__all__ = ["CommandError", "DoneInPart", "Exit", "Failed", "NeedsMissing", "RefusedByRule", "WrongUse"]


class Exit(IntEnum):
    """What the process ends with."""

    DONE = 0
    FAILED = 1
    WRONG_USE = 2
    REFUSED = 3
    MISSING = 4
    IN_PART = 5
    INTERRUPTED = 130


class CommandError(Exception):
    """A command did not do all it was asked; the text says what to do next."""

    code = Exit.FAILED


class Failed(CommandError):
    """Something went wrong that the reader cannot have foreseen."""


class WrongUse(CommandError):
    """The arguments do not make sense together."""

    code = Exit.WRONG_USE


class RefusedByRule(CommandError):
    """A service or a check said no."""

    code = Exit.REFUSED


class NeedsMissing(CommandError):
    """Something must be there first."""

    code = Exit.MISSING


class DoneInPart(CommandError):
    """The good part is done, the rest is in a file that the text names."""

    code = Exit.IN_PART
