"""The steps a process announces: signals for tests, and failpoints.

In production `announce` does nothing and no setting can change that; only a test's own entry installs a hook, before it
calls a service's `main`. Every commit and every foreign call has a step before and after it.
"""

from collections.abc import Awaitable, Callable
from typing import Literal

__all__ = ["Step", "announce", "install_hook", "is_watched"]

Step = Literal[
    "accept:before_send", "accept:after_ack", "accept:deadline", "accept:before_reply",
    "spool:after_append", "spool:before_sync", "spool:after_sync", "spool:drain_after_ack", "spool:before_delete",
    "producer:rebuild",
    "partition:after_open", "partition:after_throw_away",
    "batch:after_fetch", "batch:after_fence", "batch:after_inbox", "batch:after_locks", "batch:after_save",
    "batch:after_outbox", "batch:before_commit", "batch:after_commit", "batch:after_kafka_commit",
    "park:after_mark", "park:before_commit", "park:after_commit", "park:replay_before_commit",
    "park:replay_after_commit", "batch_start:before_commit", "batch_start:after_commit",
    "relay:after_read", "relay:mid_send", "relay:after_ack", "relay:before_move", "relay:after_move",
    "clocks:after_claim", "clocks:before_commit", "clocks:after_commit", "clocks:tick",
    "command:after_key", "command:after_locks", "command:before_commit", "command:after_commit", "command:before_reply",
    "dispatch:after_claim", "dispatch:before_call", "dispatch:after_call", "dispatch:before_result",
    "dispatch:before_commit", "dispatch:after_commit",
    "active:before_switch", "active:after_switch",
    "periodic:before_commit", "periodic:after_commit",
    "rechecks:after_claim", "rechecks:before_commit", "rechecks:after_commit",
    "tuner:before_commit", "tuner:after_commit",
]  # fmt: skip

_hook: Callable[[Step], Awaitable[None]] | None = None


def install_hook(hook: Callable[[Step], Awaitable[None]] | None) -> None:
    """For the entry of tests alone: each announced step is awaited through the hook, which may stall, raise, kill."""
    global _hook  # noqa: PLW0603 - one hook per process, set before anything runs
    _hook = hook


def is_watched() -> bool:
    """Whether a test installed a hook: what is done in one go may then be cut in two, with a step between."""
    return _hook is not None


async def announce(step: Step) -> None:
    """Say that a step was reached. A no-op unless a test installed a hook."""
    if _hook is not None:
        await _hook(step)
