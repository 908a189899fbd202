"""Sends commands that waited to be taken back, once their ten seconds are over, even when the tab is closed.

The row stays until its owner answered, and its id is the idempotency key: a crash sends it again, with one effect.
Who pressed has left the page perhaps: a lost race or a refusal is kept until it was read.
"""

from services.console.commands.act import Outcome, Pressed, act
from services.console.commands.owners import Owners
from services.console.domain.durations import zone_of
from services.console.domain.races import lost_race_sentence, unsent_sentence
from services.console.domain.records import UserRow
from services.console.store import changes, leaving, pages, people
from services.console.store.leaving import LeavingRow, UnsentRow
from shared.db.engine import Database, Tx, reading, transaction
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
            if user is None or not user.is_active:
                async with transaction(database, "command") as writing:
                    await leaving.remove_leaving(writing, row.leaving_id)
                continue
            principal = Principal("user", str(user.user_id), user.role, user.team_id)  # type: ignore[arg-type]  # held by the table's check
            pressed = Pressed(row.command, row.handoff_id, row.token, str(row.leaving_id), row.body, row.pressed_at)
            outcome = await act(owners, pressed, principal=principal)
            if outcome.kind == "away":
                continue
            log.info("command_left", command=row.command, handoff_id=str(row.handoff_id), end=outcome.kind)
            async with transaction(database, "command") as writing:
                await _settle(writing, row, user, outcome)


async def _settle(tx: Tx, row: LeavingRow, user: UserRow, outcome: Outcome) -> None:
    """Forget what left; what did not take effect is kept for its person, and open pages hear of it."""
    await leaving.remove_leaving(tx, row.leaving_id)
    handoff = await pages.handoff(tx, row.handoff_id)
    if outcome.kind == "done" or handoff is None:
        return
    lost = ""
    if outcome.kind == "lost":
        zone = zone_of(user.time_zone)
        users = await people.users(tx)
        lost = lost_race_sentence(handoff, users, me=user.user_id, zone=zone, current=outcome.current)
    told = unsent_sentence(row.command, lost=lost, refused=outcome.detail)
    await leaving.add_unsent(tx, UnsentRow(row.leaving_id, user.user_id, handoff.lead_id, told))
    await changes.number_changes(tx, [(handoff.root_lead_id, handoff.handoff_id)])
