"""Ends a Kafka client that does not end by itself, because Kafka says nothing: else it goes on in the background.

It would write all it holds once Kafka is back, beside the client that followed it (KAFKA 6). What it has sent already
may still be written; that is unknown, as ever. The client offers no way, so this is the one place that knows its parts.
"""

import asyncio
from itertools import chain
from typing import Any

from aiokafka.errors import KafkaConnectionError, KafkaError

__all__ = ["cut_off"]

LOOK_SECONDS = 0.05


async def cut_off(kafka: Any, *, within_seconds: float) -> None:  # noqa: ANN401 - the client has no types
    """Close the connections of a producer, end its sender, and fail what it still holds."""
    sender = kafka._sender.sender_task if kafka._sender is not None else None  # noqa: SLF001 - see above
    try:
        async with asyncio.timeout(within_seconds):
            if sender is not None:
                sender.cancel()
            await kafka.client.close()  # requests that wait for an answer fail
            while sender is not None and not sender.done():
                await asyncio.wait([sender], timeout=LOOK_SECONDS)
                _answer_metadata(kafka.client)
    except (TimeoutError, KafkaError, OSError):
        pass
    _fail_batches(kafka._message_accumulator)  # noqa: SLF001


def _answer_metadata(client: Any) -> None:  # noqa: ANN401
    """After a failed request the sender waits for metadata that nobody fetches any more."""
    asked = client._md_update_fut  # noqa: SLF001
    if asked is not None and not asked.done():
        asked.set_result(False)


def _fail_batches(accumulator: Any) -> None:  # noqa: ANN401
    pending = accumulator._pending_batches  # noqa: SLF001
    held = {*chain.from_iterable(accumulator._batches.values()), *pending}  # noqa: SLF001
    pending.update(held)  # where each batch that ends is looked for
    for batch in held:
        batch.failure(KafkaConnectionError("The client was given up."))
        for future in (batch.future, batch._drain_waiter):  # noqa: SLF001
            if future.done() and not future.cancelled():
                future.exception()  # whoever sent it has gone at the deadline
