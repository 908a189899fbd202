"""Which lane a delivery takes, Kafka or straight to the spool, and how long a sender that finds no room shall wait.

Pure but for the gauge: the moment is an argument. After a missed deadline deliveries go straight to the spool until a
probe, one a second, is acknowledged (RELIABILITY 3.1); so an outage costs one sender its 500 ms, not every one.
"""

from typing import Final

from shared.telemetry import gauge, log

__all__ = ["PROBE_SECONDS", "Lane", "seconds_to_wait"]

PROBE_SECONDS: Final = 1.0
_WAIT_OF_FILL: Final = 20  # seconds more, from an empty spool to a full one
_SPREAD_LEAST, _SPREAD_OF_FILL = 2, 7  # all senders at once would only find it full again


class Lane:
    """Where deliveries go now; begins with Kafka, since a producer that has not started is never asked."""

    def __init__(self) -> None:
        self._missed_at: float | None = None
        self._probed_at = 0.0

    @property
    def is_straight(self) -> bool:
        """Whether deliveries go straight to the spool."""
        return self._missed_at is not None

    def missed(self, now: float) -> None:
        """A send was not acknowledged within its deadline."""
        if self._missed_at is None:
            self._missed_at = self._probed_at = now
            gauge("baton_spool_mode", 1)
            log.warning("door_spools")

    def acked(self, now: float) -> None:
        """A send was acknowledged."""
        if self._missed_at is not None:
            log.info("door_sends", after_seconds=round(now - self._missed_at, 1))
            self._missed_at = None
            gauge("baton_spool_mode", 0)

    def takes_probe(self, now: float) -> bool:
        """Whether the one who asks shall be this second's probe; True for one of them."""
        if now - self._probed_at < PROBE_SECONDS:
            return False
        self._probed_at = now
        return True


def seconds_to_wait(fill: float, *, jitter: float) -> int:
    """Retry-After of a 503: whole seconds, 1 to 30, more the fuller the spool is. fill and jitter: 0 to 1."""
    return int(1 + _WAIT_OF_FILL * fill + jitter * (_SPREAD_LEAST + _SPREAD_OF_FILL * fill))
