"""A transaction that counts its statements: what a batch costs in round trips must not grow with what it holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, Executable
from typing_extensions import override

from shared.db.engine import Tx

__all__ = ["CountingTx"]


class CountingTx(Tx):
    """Counts what is executed by it; the transaction's own statements (first, outbox, commit) are not."""

    statements = 0

    @override
    async def execute(
        self, statement: Executable | str, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        self.statements += 1
        return await super().execute(statement, parameters)
