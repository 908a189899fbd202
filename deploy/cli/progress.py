"""Progress of a long command, to stderr: a line that is drawn over in a terminal, a line now and then elsewhere."""

import sys
from types import TracebackType
from typing import Self

from shared.clock import monotonic

__all__ = ["Progress"]

_DRAW_SECONDS = 0.1
_LINE_SECONDS = 15.0
_WIDTH = 30
_SHARE_TO_JUDGE_BY = 0.02


class Progress:
    """Shows a share done, what it stands for, the rate and the time left. Use as a context manager."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._began: tuple[float, float] | None = None  # when it was shown first, and the share done then
        self._is_terminal = sys.stderr.isatty()
        self._shown = 0.0
        self._is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_open:
            print(file=sys.stderr, flush=True)

    def show(self, share: float, detail: str) -> None:
        """Show share (0 to 1) done, if the last showing is long enough ago."""
        now = monotonic()
        if now - self._shown < (_DRAW_SECONDS if self._is_terminal else _LINE_SECONDS) and share < 1:
            return
        self._shown = now
        began, done_before = self._began = self._began or (now, share)
        done = share - done_before
        left = f", {(now - began) * (1 - share) / done:.0f} s left" if done > _SHARE_TO_JUDGE_BY else ""
        if self._is_terminal:
            drawn = round(_WIDTH * share)
            bar = "█" * drawn + "░" * (_WIDTH - drawn)
            print(f"\r  {self.what} {bar} {share:4.0%}  {detail}{left}\x1b[K", end="", file=sys.stderr, flush=True)
            self._is_open = True
        else:
            print(f"  {self.what}: {share:.0%}, {detail}{left}", file=sys.stderr, flush=True)
