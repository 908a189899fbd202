"""Decides where a body is read: a large or packed one in a thread, so that it never holds the others at the door.

What costs less than waking a thread stays on the loop.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from shared.senders import InboundRequest

__all__ = ["THREAD_FROM_BYTES", "aside"]

THREAD_FROM_BYTES: Final = 256 * 1024  # smaller bodies are read faster than a thread is woken
Read = TypeVar("Read")


async def aside(request: InboundRequest, read: Callable[[], Read]) -> Read:
    """What `read` makes of the request. Raises what it raises."""
    if len(request.body) >= THREAD_FROM_BYTES or request.headers.get("content-encoding"):
        return await asyncio.to_thread(read)
    return read()
