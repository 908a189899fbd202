"""Sends commands that waited to be taken back, once their ten seconds are over, even when the tab is closed.

The row stays until its owner answered, and its id is the idempotency key: a crash sends it again, with one effect.
"""

from services.console.commands.act import Pressed, act
from services.console.commands.owners import Owners
from services.console.store import leaving, people
from shared.db.engine import Database, reading, transaction
from shared.runtime import Pace
from shared.telemetry import log
from shared.web.auth import Principal

__all__ = ["UNDO_SECONDS", "WAITING", "send_due"]

UNDO_SECONDS = 10.0
WAITING = frozenset({"reject", "pause"})  # an accept wins a race and stops a clock: it is sent at once
LOOK_SECONDS = 0.5


async def send_due(database: Database, owners: Owners, pace: Pace) -> None:
    """The loop: every half second send what is due. What is not answered stays and is sent again."""
    while await pace.until(at_most_seconds=LOOK_SECONDS):
        async with reading(database) as tx:
            due = await leaving.claim_due(tx)
            users = await people.users(tx)
        for row in due:
            user = users.get(row.user_id)
            if user is not None and user.is_active:
                principal = Principal("user", str(user.user_id), user.role, user.team_id)  # type: ignore[arg-type]  # held by the table's check
                pressed = Pressed(row.command, row.handoff_id, row.token, str(row.leaving_id), row.body)
                outcome = await act(owners, pressed, principal=principal)
                if outcome.kind == "away":
                    continue
                log.info("command_left", command=row.command, handoff_id=str(row.handoff_id), end=outcome.kind)
            async with transaction(database, "command") as writing:
                await leaving.remove_leaving(writing, row.leaving_id)
