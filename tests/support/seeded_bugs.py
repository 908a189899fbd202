"""Starts a service with ONE guarantee deliberately broken, to show that the proofs would notice (RELIABILITY 8, T21).

`python -m tests.support.seeded_bugs services.ingest.app [arguments]` with BATON_TEST_SEEDED_BUG naming a row of BUGS:
before the service's own `main` runs, one function is replaced by its careless twin; empty breaks nothing. Failpoints
work as in failpoint_entry. Only tests can do this.
"""

import asyncio
import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from shared.db.connection import Connection
from shared.db.outbox_rows import headers_from_text
from shared.stream.producer import Unacked
from tests.support import failpoint_entry

__all__ = ["BUGS", "SeededBug", "main"]

Function = Callable[..., Any]

_LINGER_SECONDS = 0.05
_later: set[asyncio.Task[None]] = set()


def _without_fence(_true: Function) -> Function:
    """The position is set, wherever it stands and whoever moved it."""

    async def enter(
        connection: Connection, values: Mapping[str, Any], event_ids: Sequence[UUID]
    ) -> tuple[datetime, bool, Sequence[UUID]]:
        await connection.execute(
            "update progress set next_offset = :next, worker = :worker, moved_at = now()"
            " where consumer = :consumer and topic = :topic and partition = :partition",
            values,
        )
        new = await connection.execute(
            "insert into inbox (consumer, event_id) select :consumer, * from unnest(cast(:event_ids as uuid[]))"
            " on conflict do nothing returning event_id",
            {"consumer": values["consumer"], "event_ids": event_ids},
        )
        return await connection.now(), True, new.scalars().all()

    return enter


def _without_inbox(true_enter: Function) -> Function:
    """Every event is taken for a new one."""

    async def enter(
        connection: Connection, values: Mapping[str, Any], event_ids: Sequence[UUID]
    ) -> tuple[datetime, bool, Sequence[UUID]]:
        now, is_ours, _ = await true_enter(connection, values, event_ids)
        return now, is_ours, event_ids

    return enter


def _answering_at_once(send: Function) -> Function:
    """The answer goes before the acknowledgement: the record is sent a moment later, as a lingering batch would be."""

    async def send_later(*args: Any, **named: Any) -> None:  # noqa: ANN401 - whatever the true one takes
        loop = asyncio.get_running_loop()

        def begin() -> None:
            task = loop.create_task(send(*args, **named))
            _later.add(task)
            task.add_done_callback(_later.discard)

        loop.call_later(_LINGER_SECONDS, begin)

    return send_later


def _deleting_first(_true: Function) -> Function:
    """The relay deletes a round before it was acknowledged."""

    async def publish_round(self: Any) -> int:  # noqa: ANN401 - the relay, with its private parts
        async with self._database.engine.begin() as connection:
            statement = "delete from outbox returning id, topic, key, headers, payload"
            rows = sorted((await connection.execute(text(statement))).all())
        records = [(row.topic, row.key, row.payload.encode(), headers_from_text(row.headers)) for row in rows]
        try:
            await self._producer.send_all(records, deadline_seconds=10, half_way="relay:mid_send")
        except Unacked:
            return 0
        return len(rows)

    return publish_round


def _whatever_the_token(true_fire: Function) -> Function:
    """What is armed fires, whatever the state it was armed for."""

    def fire(work: Any, claimed: Any, *rest: Any) -> None:  # noqa: ANN401 - of the service, which is not imported
        held = work.held[claimed.handoff_id]
        token = held.handoff.token
        held.handoff = replace(held.handoff, clocks=tuple(replace(one, token=token) for one in held.handoff.clocks))
        true_fire(work, replace(claimed, token=token), *rest)

    return fire


@dataclass(frozen=True, slots=True)
class SeededBug:
    """One function to replace; twin makes the careless one of the true one. path may lead through a class."""

    module: str
    path: str
    twin: Callable[[Function], Function]

    def plant(self) -> None:
        """Replace the function in this process. Raises AttributeError when there is none of that name."""
        owner: Any = importlib.import_module(self.module)
        *outer, name = self.path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        setattr(owner, name, self.twin(getattr(owner, name)))


BUGS = {
    "no_fence": SeededBug("shared.stream.batch", "_enter", _without_fence),
    "no_inbox": SeededBug("shared.stream.batch", "_enter", _without_inbox),
    "reply_before_ack": SeededBug("services.ingest.collector.keep", "Keeper.send", _answering_at_once),
    "relay_deletes_before_ack": SeededBug("shared.stream.relay", "Relay.publish_round", _deleting_first),
    "clock_without_token": SeededBug("services.handoff.usecases.firing", "_fire", _whatever_the_token),
}


def main() -> None:
    """Plant the bug that the environment names, if any, and go on as failpoint_entry does."""
    bug = os.environ.get("BATON_TEST_SEEDED_BUG", "")
    if bug:
        BUGS[bug].plant()
    failpoint_entry.main()


if __name__ == "__main__":
    main()
