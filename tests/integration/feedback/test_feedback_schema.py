"""The migrated schema is what tables.py says."""

from services.feedback.tables import METADATA
from tests.integration.feedback.desk import FeedbackDesk


async def test_every_table_has_the_columns_that_tables_py_lists(desk: FeedbackDesk) -> None:
    rows = await desk.rows(
        """
        select table_name, column_name, is_nullable = 'YES' as is_nullable from information_schema.columns
         where table_schema = 'public' and table_name = any(cast(:names as text[]))
        """,
        names=sorted(METADATA.tables),
    )
    migrated = {(row.table_name, row.column_name): row.is_nullable for row in rows}
    listed = {
        (table.name, column.name): bool(column.nullable)
        for table in METADATA.tables.values()
        for column in table.columns
    }
    assert migrated == listed
