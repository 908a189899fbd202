"""How a door answers to guesses: after five failed tries each further one waits twice as long, after ten it is shut.

Counted per user name and per address, so that neither many addresses nor many names help; forgotten after 15 minutes.
"""

import math

__all__ = ["FREE_TRIES", "SHUT_AFTER", "SHUT_SECONDS", "wait_seconds"]

FREE_TRIES = 5
SHUT_AFTER = 10
SHUT_SECONDS = 15 * 60


def wait_seconds(failures: int, *, since_last: float) -> int:
    """Seconds until the next try is looked at, 0 when it may come now; since_last >= 0 is of the latest failure.

    Waits are 2 ** (failures - FREE_TRIES) seconds, and SHUT_SECONDS from the tenth failure on (SECURITY section 1).
    """
    if failures < FREE_TRIES:
        return 0
    wait = SHUT_SECONDS if failures >= SHUT_AFTER else 2 ** (failures - FREE_TRIES)
    return max(0, math.ceil(wait - since_last))
