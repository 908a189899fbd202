"""How a door answers to guesses: after five failed tries each further one waits twice as long, after ten it is shut.

Counted per user name and per address, so that neither many addresses nor many names help; forgotten after 15 minutes.
A try counts as failed from its beginning until it proves right, so that tries at the same time do not pass together.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

__all__ = ["FREE_TRIES", "SHUT_AFTER", "SHUT_SECONDS", "Tries", "longest_wait", "network_of", "wait_seconds"]

FREE_TRIES = 5
SHUT_AFTER = 10
SHUT_SECONDS = 15 * 60
_HOST_BITS = 64


def wait_seconds(failures: int, *, since_last: float) -> int:
    """Seconds until the next try is looked at, 0 when it may come now; since_last >= 0 is of the latest failure.

    Waits are 2 ** (failures - FREE_TRIES) seconds, and SHUT_SECONDS from the tenth failure on (SECURITY section 1).
    """
    if failures < FREE_TRIES:
        return 0
    wait = SHUT_SECONDS if failures >= SHUT_AFTER else 2 ** (failures - FREE_TRIES)
    return max(0, math.ceil(wait - since_last))


@dataclass(frozen=True, slots=True)
class Tries:
    """The failed tries of one subject within the memory, and the seconds since the latest."""

    failures: int
    since_last: float


def longest_wait(tries: Iterable[Tries]) -> int:
    """The wait of the subject that has to wait longest."""
    return max((wait_seconds(one.failures, since_last=one.since_last) for one in tries), default=0)


def network_of(address: str) -> str:
    """What is counted of an address: of IPv6 the /64, which one household has whole."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> _HOST_BITS << _HOST_BITS)}/64"
