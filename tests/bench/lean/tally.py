"""The smallest service our runtime can carry: counts activities per lead. What it costs is what the guarantees cost."""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from shared.config import ServiceSettings
from shared.contracts.activities import ActivityRecorded
from shared.contracts.envelope import Event
from shared.db.engine import Tx
from shared.runtime import Runtime, main
from shared.stream.handlers import Handlers

__all__ = ["TABLE", "build", "tally"]

TABLE = "create table tally (lead_id uuid primary key, activities bigint not null) with (fillfactor = 60)"
_COUNT = """
insert into tally as t (lead_id, activities)
select * from unnest(cast(:leads as uuid[]), cast(:activities as bigint[])) as row (lead_id, activities)
order by lead_id
on conflict (lead_id) do update set activities = t.activities + excluded.activities
"""


class Settings(ServiceSettings):
    """A service of the bench alone; it borrows scoring's place."""

    service: ClassVar[str] = "scoring"


async def tally(tx: Tx, received: Sequence[Event[ActivityRecorded]]) -> None:
    """One statement for the whole batch."""
    counts = Counter(event.payload.lead_id for event in received)
    await tx.execute(_COUNT, {"leads": list(counts), "activities": list(counts.values())})


def build() -> Runtime:
    """The smallest app.py."""
    runtime = Runtime(Settings())
    worker = runtime.database("worker")
    runtime.serve_internal(worker)
    runtime.consume(Handlers("tally", {ActivityRecorded: tally}), worker)
    return runtime


if __name__ == "__main__":
    main(build)
