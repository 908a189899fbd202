"""Commands of people and the CRM on one handoff: lock, decide by the token seen, follow through, and answer.

A refused command leaves its line in the audit; what people typed goes into a note, never into an event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.handoff.domain import sla
from services.handoff.domain.lifecycle import ClockKind, Decision, State, Verdict, inputs
from services.handoff.domain.things import Actor, ActorKind
from services.handoff.store import handoffs, leads, pools, reps
from services.handoff.usecases.deciding import apply
from services.handoff.usecases.evidencing import are_same_side, note_touch
from services.handoff.usecases.opening import Ask, open_or_attach
from services.handoff.usecases.postponing import forgive_outages
from services.handoff.usecases.routing import settle
from services.handoff.usecases.work import Cause, Held, Work, begin_work
from services.handoff.usecases.writing import flush
from shared.db.engine import Tx
from shared.errors import FieldError, NotFound, Refused
from shared.ids import DecisionId, HandoffId, LeadId, UserId, derived_id, new_id
from shared.telemetry import announce

__all__ = [
    "Commanded",
    "OpenByHand",
    "TypedNote",
    "act",
    "lock_all",
    "open_by_hand",
    "pause",
    "pull",
    "reassign",
    "touch",
]


@dataclass(frozen=True, slots=True)
class TypedNote:
    """What somebody typed with a command, and about what."""

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Commanded:
    """A command's decision and the handoff after it, changed or not."""

    decision: Decision
    held: Held
    work: Work

    @property
    def is_ok(self) -> bool:
        """Whether it took effect."""
        return self.decision.verdict is Verdict.OK


async def act(
    tx: Tx, handoff_id: UUID, event: inputs.Input, *, command_id: UUID, note: TypedNote | None = None
) -> Commanded:
    """Give one input to one handoff, route what follows, and save. Raises NotFound."""
    work, held = await _lock(tx, handoff_id)
    return await _finish(work, held, event, command_id=command_id, note=note)


async def lock_all(tx: Tx, handoff_ids: Sequence[UUID]) -> None:
    """Lock what several commands of one transaction will touch, in the order in which everybody locks.

    One by one they would lock in their own order, and people after the pools of the command before: two such
    transactions, or one and a batch of events, could each hold what the other waits for.
    """
    await leads.lock_trees(tx, await handoffs.leads_of(tx, handoff_ids))
    await handoffs.lock_handoffs(tx, handoff_ids)


async def touch(
    tx: Tx,
    handoff_id: UUID,
    *,
    token: int,
    actor: Actor,
    by: UserId | None,
    touched_at: datetime | None,
    kind: str,
    command_id: UUID,
    note: TypedNote | None = None,
) -> Commanded:
    """The owner's side tried to reach the lead; touched_at defaults to now and never lies ahead.

    by: whose try it is; None for whoever owns it. A manager speaks for the team.
    Raises Refused for a try before the lead qualified: by it every missed promise could be told as kept.
    """
    work, held = await _lock(tx, handoff_id)
    if touched_at is not None and touched_at < held.times.qualified_at:
        wrong = FieldError("/touched_at", "too_early", "lies before the lead qualified")
        raise Refused("Say when you tried to reach this lead; leave it out for now.", errors=[wrong])
    at = min(touched_at or work.now, work.now)
    is_owners_side = await _is_owners_side(work, held, by) or actor.kind is ActorKind.MANAGER
    running = [held.clocks[clock.number] for clock in held.handoff.clocks if clock.kind in _STOPPED]
    is_in_time = all(at <= clock.timing.due_at for clock in running)
    event = inputs.Touch(token=token, actor=actor, touched_at=at, is_in_time=is_in_time, is_owners_side=is_owners_side)
    commanded = await _decide(work, held, event, command_id=command_id)
    if commanded.is_ok:
        note_touch(work, held, kind=kind, activity_id=derived_id("touch", command_id), event=event)
        _note(work, held, note, actor)
    return await _save(commanded, command_id)


async def pause(
    tx: Tx, handoff_id: UUID, *, token: int, actor: Actor, by: UserId, reason: str, until: datetime, command_id: UUID
) -> Commanded:
    """The owner stops the clocks until an instant within the agreed number of open days."""
    work, held = await _lock(tx, handoff_id)
    calendar = work.crew.calendar_of(held.handoff.owner_id)
    latest = sla.latest_pause_end(held.terms, calendar, now=work.now)
    is_within = work.now < until <= latest
    event = inputs.Pause(token=token, actor=actor, by=by, reason_code=reason, until_at=until, is_within_limit=is_within)
    return await _finish(work, held, event, command_id=command_id)


async def pull(tx: Tx, handoff_id: UUID, *, token: int, actor: Actor, rep_id: UserId, command_id: UUID) -> Commanded:
    """A member of a pool takes it from a queue; counted in the pool's ledger by the load alone."""
    work, held = await _lock(tx, handoff_id)
    locked = (await pools.lock_ground(tx, work.terms)).pools
    await work.know_reps([rep_id])
    rows = await reps.lock_reps(tx, [rep_id])
    work.locked_reps |= set(rows)
    places = [one for pool in locked.values() for one in pool.members if one.rep_id == rep_id and one.is_member]
    asked = held.handoff.pool if held.handoff.pool in locked else None  # its pool may have left the agreement
    own = [one for one in places if asked in {None, one.pool}]
    if not own or rep_id not in rows:
        raise NotFound("You are no member of a pool that may pull from this queue.")
    has_room = rows[rep_id].load < max(one.load_max for one in own)
    is_on = work.crew.why_off(rep_id) is None
    event = inputs.Pull(token=token, actor=actor, rep_id=rep_id, is_on=is_on, has_room=has_room)
    return await _finish(work, held, event, command_id=command_id)


async def reassign(
    tx: Tx,
    handoff_id: UUID,
    *,
    token: int,
    actor: Actor,
    rep_id: UserId,
    command_id: UUID,
    note: TypedNote | None = None,
) -> Commanded:
    """A manager gives it to another rep, over capacity if need be."""
    work, held = await _lock(tx, handoff_id)
    await work.know_reps([rep_id])
    if rep_id not in work.crew.reps:
        raise NotFound("There is no rep with this id.")
    event = inputs.Reassign(token=token, actor=actor, rep_id=rep_id, is_on=work.crew.why_off(rep_id) is None)
    return await _finish(work, held, event, command_id=command_id, note=note)


@dataclass(frozen=True, slots=True)
class OpenByHand:
    """A handoff that a person asks for: policy `manual`, and a rep when it is for a certain one."""

    lead_id: LeadId
    product: str
    actor: Actor
    is_hand_raiser: bool = False
    rep_id: UserId | None = None
    note: TypedNote | None = None


async def open_by_hand(tx: Tx, asked: OpenByHand, *, command_id: UUID) -> tuple[Held | None, Work]:
    """Open a cycle, or attach to the open one; None with the reason in the audit when the machine refused."""
    work = await begin_work(tx)
    if not await leads.read_leads(tx, [asked.lead_id]):
        raise NotFound("There is no lead with this id here.")
    await work.lock_people([asked.lead_id])
    lead = work.leads[asked.lead_id]
    scopes = [] if lead.account_id is None else [lead.account_id]
    await work.lock_accounts(scopes)
    ids, cycles = await handoffs.around(tx, [lead.root_id], scopes, since=work.now)
    await work.hold(ids)
    ask = Ask(
        lead=lead,
        account_id=lead.account_id,
        product=asked.product,
        policy="manual",
        decision_id=DecisionId(command_id),
        priority=int(float(lead.facts.get("score", "0"))),
        facts={"is_hand_raiser": str(asked.is_hand_raiser).lower(), "product": asked.product, "policy": "manual"},
    )
    cause = Cause(command_id)
    held = open_or_attach(work, ask, cycles, cause=cause, correlation_id=command_id, actor=asked.actor)
    if held is not None:
        _note(work, held, asked.note, asked.actor)
        if asked.rep_id is not None and held.handoff.state is State.QUALIFIED:
            await work.know_reps([asked.rep_id])
            is_on = work.crew.why_off(asked.rep_id) is None
            given = inputs.Reassign(rep_id=asked.rep_id, is_on=is_on, actor=asked.actor)
            apply(work, held.handoff.id, given, cause=cause)
    await settle(work, cause=cause)
    await flush(work)
    return held, work


_STOPPED = frozenset({ClockKind.ACCEPT, ClockKind.TOUCH})


async def _is_owners_side(work: Work, held: Held, by: UserId | None) -> bool:
    owner = held.handoff.owner_id
    if by is None or owner is None:
        return True
    await work.know_reps([by])
    return are_same_side(work, by, owner)


async def _lock(tx: Tx, handoff_id: UUID) -> tuple[Work, Held]:
    lead_id = await handoffs.lead_of(tx, handoff_id)
    if lead_id is None:
        raise NotFound("There is no handoff with this id.")
    work = await begin_work(tx)
    await work.lock_people([lead_id])
    await work.hold([handoff_id])
    await forgive_outages(work)
    await announce("command:after_locks")
    return work, work.held[HandoffId(handoff_id)]


async def _finish(
    work: Work, held: Held, event: inputs.Input, *, command_id: UUID, note: TypedNote | None = None
) -> Commanded:
    commanded = await _decide(work, held, event, command_id=command_id)
    if commanded.is_ok:
        _note(work, held, note, event.actor)
    return await _save(commanded, command_id)


async def _decide(work: Work, held: Held, event: inputs.Input, *, command_id: UUID) -> Commanded:
    pressed_at = event.pressed_at if isinstance(event, inputs.Reject) else None
    decision = apply(work, held.handoff.id, event, cause=Cause(command_id), at=pressed_at)
    return Commanded(decision, held, work)


async def _save(commanded: Commanded, command_id: UUID) -> Commanded:
    if commanded.is_ok:
        await settle(commanded.work, cause=Cause(command_id))
    await flush(commanded.work)
    return commanded


def _note(work: Work, held: Held, note: TypedNote | None, actor: Actor) -> None:
    if note is None or not note.text:
        return
    row: dict[str, Any] = {
        "id": new_id(),
        "handoff_id": held.handoff.id,
        "by_id": actor.id,
        "about": note.about,
        "text": note.text,
        "written_at": work.now,
    }
    work.to_write.notes.append(row)
