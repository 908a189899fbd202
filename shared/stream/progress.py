"""The positions of a consumer in PostgreSQL.

Made once, read at each opening, stopped by a reason that no restart overrules.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, Integer, Text, bindparam, text

from shared.db.engine import Database

__all__ = ["Standing", "first_positions", "read_positions", "stop_position"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one partition stands, and why it is stopped (None: it is not)."""

    next_offset: int
    stopped_because: str | None


_MAKE = text(
    """
    insert into progress (consumer, topic, partition, next_offset)
    select :consumer, topic, partition, next_offset
      from unnest(:topics, :partitions, :offsets) as row (topic, partition, next_offset)
    on conflict do nothing
    """
).bindparams(
    bindparam("topics", type_=ARRAY(Text)),
    bindparam("partitions", type_=ARRAY(Integer)),
    bindparam("offsets", type_=ARRAY(BigInteger)),
)
_READ = text("select topic, partition, next_offset, stopped_because from progress where consumer = :consumer")
_STOP = text(
    """
    update progress set stopped_because = :reason, moved_at = now()
     where consumer = :consumer and topic = :topic and partition = :partition
    """
)


async def first_positions(database: Database, consumer: str, offsets: Mapping[tuple[str, int], int]) -> None:
    """Make the rows that are missing, at the given offsets (the start of each log)."""
    keys: Sequence[tuple[str, int]] = list(offsets)
    async with database.connection() as connection:
        await connection.execute(
            _MAKE,
            {
                "consumer": consumer,
                "topics": [topic for topic, _ in keys],
                "partitions": [partition for _, partition in keys],
                "offsets": [offsets[key] for key in keys],
            },
        )


async def read_positions(database: Database, consumer: str) -> dict[tuple[str, int], Standing]:
    """All positions of a consumer, by topic and partition."""
    async with database.connection() as connection:
        rows = await connection.execute(_READ, {"consumer": consumer})
        return {(row.topic, row.partition): Standing(row.next_offset, row.stopped_because) for row in rows}


async def stop_position(database: Database, consumer: str, *, topic: str, partition: int, reason: str) -> None:
    """Write why a partition stopped: no restart opens it until a person cleared the reason."""
    async with database.connection() as connection:
        await connection.execute(
            _STOP, {"consumer": consumer, "topic": topic, "partition": partition, "reason": reason}
        )
