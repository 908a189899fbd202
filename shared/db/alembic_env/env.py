"""Run by Alembic: executes the pending files on the connection that `shared.db.migrate` hands over.

One transaction each.
"""

from alembic import context
from sqlalchemy import Connection, text

_LOCK_TIMEOUT = "4s"  # a migration that waits longer would queue every request behind it
_STATEMENT_TIMEOUT = "5s"


def _run() -> None:
    connection: Connection = context.config.attributes["connection"]
    connection.execute(text(f"set lock_timeout = '{_LOCK_TIMEOUT}'"))
    connection.execute(text(f"set statement_timeout = '{_STATEMENT_TIMEOUT}'"))
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


_run()
