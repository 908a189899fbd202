"""How long bodies of parked deliveries stay: 30 days as on the log, and less when somebody in them is erased.

A body that is gone leaves its row: it says so, is still counted, and can only be discarded. A settled row goes when the
inbox no longer asks for it, since until then it is the proof that its delivery was not lost.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from services.ingest.domain.traces import Trace
from services.ingest.store.statements import by_columns
from shared.db.engine import Tx
from shared.stream.parked import OPEN_MOST
from shared.telemetry import log

__all__ = ["BODY_DAYS", "empty_bodies_with", "forget_bodies"]

BODY_DAYS: Final = 30
_ROWS_MAX: Final = 1_000  # of one statement of housekeeping: a longer one would hold its rows too long
_REFUSALS_MAX: Final = 5_000
_SLICE_ROWS: Final = 200
_SLICE_BYTES: Final = 8 * 1024 * 1024  # some 100 ms to look through: a statement of a command has two seconds
_LOOKED_BYTES: Final = 128 * 1024 * 1024  # of one erasure, newest first: what is behind is gone after BODY_DAYS
_GONE: Final = """
    payload = '', headers = '{}', key = '',
    detail = 'The body is gone: it was older than 30 days, or somebody in it was erased. It can only be discarded.'
"""
_OLD: Final = f"""
    update parked set {_GONE}
     where id in (
           select id from parked
            where consumer = 'ingest' and headers <> '{{}}' and parked_at < now() - make_interval(days => :days)
            limit :most for update skip locked)
"""  # noqa: S608 - our own texts
_SETTLED: Final = """
    delete from parked
     where id in (
           select id from parked p
            where consumer = 'ingest' and state <> 'open' and headers = '{}'
              and parked_at < now() - make_interval(days => :days)
              and not exists (select from inbox i where i.consumer = p.consumer and i.event_id = p.event_id)
            limit :most for update skip locked)
"""
# The id of an event is the sender's own text: some name the address in it.
_REFUSED: Final = """
    update delivery_refusal set event_id = null
     where (delivery_id, index, reason) in (
           select delivery_id, index, reason from delivery_refusal
            where event_id is not null and refused_at < baton_now() - make_interval(days => :days) limit :most)
"""
_BODIES: Final = """
    select id, octet_length(payload) + length(headers) as size from parked
     where consumer = 'ingest' and headers <> '{}' order by state = 'open' desc, parked_at desc, id limit :most
"""
_EMPTY: Final = by_columns(
    f"""
    with body as materialized (
        select id, lower(concat_ws(' ', headers, key, encode(payload, 'escape'))) as text
          from parked where id = any(:ids)
    )
    update parked set {_GONE}
     where id in (
           select body.id from body join unnest(:texts, :patterns) as trace (text, pattern)
                  on position(trace.text in body.text) > 0 and body.text ~ trace.pattern)
    """,  # noqa: S608 - our own texts
    ids="uuid",
    texts="text",
    patterns="text",
)


async def forget_bodies(tx: Tx) -> None:
    """One step of forgetting: old bodies, settled rows behind them, ids of refused events."""
    await tx.execute(_OLD, {"days": BODY_DAYS, "most": _ROWS_MAX})
    await tx.execute(_SETTLED, {"days": BODY_DAYS, "most": _ROWS_MAX})
    await tx.execute(_REFUSED, {"days": BODY_DAYS, "most": _REFUSALS_MAX})


async def empty_bodies_with(tx: Tx, traces: Sequence[Trace]) -> int:
    """Empty the parked bodies that hold one of these, the open ones looked at first; how many those were."""
    if not traces:
        return 0
    looked_for = {"texts": [one.text for one in traces], "patterns": [one.pattern for one in traces]}
    rows: Sequence[Any] = (await tx.execute(_BODIES, {"most": OPEN_MOST})).all()
    emptied = 0
    for ids in _slices([(row.id, int(row.size)) for row in rows]):
        emptied += (await tx.execute(_EMPTY, {"ids": ids, **looked_for})).rowcount
    return emptied


def _slices(bodies: Sequence[tuple[UUID, int]]) -> Iterator[list[UUID]]:
    """Bodies that are looked through in one statement, up to _LOOKED_BYTES of all."""
    ids: list[UUID] = []
    size = looked = 0
    for place, (body_id, octets) in enumerate(bodies):
        looked += octets
        if looked > _LOOKED_BYTES:
            log.warning("parked_bodies_not_looked_at", bodies=len(bodies) - place)
            break
        if ids and (size + octets > _SLICE_BYTES or len(ids) == _SLICE_ROWS):
            yield ids
            ids, size = [], 0
        ids.append(body_id)
        size += octets
    if ids:
        yield ids
