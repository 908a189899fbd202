"""Import jobs: what was sent, how far the consumer is, which records were not taken."""

from typing import Any
from uuid import UUID

from shared.db.engine import ReadTx, Tx

__all__ = ["begin_import", "end_import", "import_progress", "import_rejects", "newest_imports", "note_sent"]

IMPORTS_SHOWN_MAX = 50


async def begin_import(
    tx: Tx, *, import_id: UUID, kind: str, source_id: UUID, name: str, sha256: str, by: str, note: str = ""
) -> str:
    """Note that a file is being cut; the state it had before ("" when it is new)."""
    former = (await tx.execute("select state from import_job where id = :id for update", {"id": import_id})).scalar()
    if former is None:
        await tx.execute(
            """
            insert into import_job (id, kind, source_id, name, sha256, state, by, note, created_at, updated_at)
            values (:id, :kind, :source_id, :name, :sha256, 'cutting', :by, :note, baton_now(), baton_now())
            on conflict do nothing
            """,
            {
                "id": import_id,
                "kind": kind,
                "source_id": source_id,
                "name": name,
                "sha256": sha256,
                "by": by,
                "note": note,
            },
        )
    return former or ""


async def note_sent(tx: Tx, import_id: UUID, *, records: int, deliveries: int) -> None:
    """Note how far the cutting is; a file that was sent before says more already."""
    await tx.execute(
        """
        update import_job set records = greatest(records, :records), deliveries = greatest(deliveries, :deliveries),
               updated_at = baton_now()
         where id = :id
        """,
        {"id": import_id, "records": records, "deliveries": deliveries},
    )


async def end_import(tx: Tx, import_id: UUID, *, state: str, records: int, deliveries: int) -> None:
    """Note how the cutting ended, and how much was sent."""
    await tx.execute(
        """
        update import_job set state = :state, records = :records, deliveries = :deliveries, updated_at = baton_now()
         where id = :id
        """,
        {"id": import_id, "state": state, "records": records, "deliveries": deliveries},
    )


async def import_progress(tx: ReadTx, import_id: UUID) -> dict[str, Any] | None:
    """One import with the sums of what its deliveries became, or None."""
    row = (
        await tx.execute(
            """
            select j.id, j.kind, j.name, j.state, j.note, j.records, j.deliveries, j.created_at,
                   count(r.delivery_id) as deliveries_handled, coalesce(sum(r.events), 0) as records_handled,
                   coalesce(sum(r.leads_new), 0) as leads_new, coalesce(sum(r.operations), 0) as operations,
                   coalesce(sum(r.activities), 0) as activities, coalesce(sum(r.repeats), 0) as repeats,
                   coalesce(sum(r.refused), 0) as refused, coalesce(sum(r.suppressed), 0) as suppressed,
                   coalesce(sum(r.counted), 0) as counted, coalesce(sum(r.conflicts), 0) as conflicts
              from import_job j left join delivery_result r on r.import_id = j.id
             where j.id = :id group by j.id
            """,
            {"id": import_id},
        )
    ).mappings()
    found = row.first()
    return None if found is None else dict(found)


async def newest_imports(tx: ReadTx) -> list[dict[str, Any]]:
    """The newest imports, as far as they were cut."""
    rows = await tx.execute(
        """
        select id, kind, name, state, note, records, deliveries, created_at from import_job
         order by created_at desc, id limit :most
        """,
        {"most": IMPORTS_SHOWN_MAX},
    )
    return [dict(row) for row in rows.mappings()]


async def import_rejects(tx: ReadTx, import_id: UUID, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Records that were not taken as they asked, in the order of the file."""
    rows = await tx.execute(
        """
        select index as record, reason, detail from delivery_refusal
         where import_id = :id and index > :after order by index, reason limit :most
        """,
        {"id": import_id, "after": after, "most": limit},
    )
    return [dict(row) for row in rows.mappings()]
