"""Walks the production reducer breadth first: in every state every input with every token ever issued, in any order.

A message may come again, late or never. `explore` returns the first finding, or None when nothing is broken in reach.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from services.handoff.domain.lifecycle import broken, decide, inputs
from services.handoff.domain.lifecycle.effects import (
    AssignmentBegan,
    AssignmentEnded,
    ClockArmed,
    ClockEnded,
    ClockRetracted,
    Decision,
    Escalate,
    Verdict,
)
from services.handoff.domain.lifecycle.states import (
    CLOSED,
    PROMISES,
    Clock,
    ClockKind,
    ClockState,
    Handoff,
    Policy,
    ReasonRoute,
    RouteWord,
    State,
)
from services.handoff.domain.things import Actor, ActorKind
from shared.ids import DecisionId, HandoffId, LeadId, UserId

Reducer = Callable[[Handoff | None, inputs.Input, Policy], Decision]

ANNA, BERT = UserId(UUID(int=1)), UserId(UUID(int=2))
LEAD, OTHER_ROOT = LeadId(UUID(int=11)), LeadId(UUID(int=12))
DECISION = DecisionId(UUID(int=21))
DEAL = UUID(int=31)
MANAGER = Actor(ActorKind.MANAGER)

POLICY = Policy(
    rungs={
        ClockKind.ROUTE: ("flag_system",),
        ClockKind.QUEUE: ("mail_queue_owner",),
        ClockKind.ACCEPT: ("message_rep", "reassign"),
        ClockKind.TOUCH: ("reassign",),
        ClockKind.DISPOSE: ("flag_manager",),
        ClockKind.PULL_BACK: ("notice", "pull_back"),
        ClockKind.STALE: ("message_rep",),
        ClockKind.ENROL: ("mail_marketing",),
        ClockKind.COOLOFF: ("end",),
        ClockKind.RESUME: ("end",),
    },
    reject={
        "wrong_rep": ReasonRoute(RouteWord.REROUTE),
        "no_need": ReasonRoute(RouteWord.NURTURE),
        "bad_data": ReasonRoute(RouteWord.ENRICH),
        "no_fit": ReasonRoute(RouteWord.DISQUALIFY, "sub_reason"),
        "do_not_contact": ReasonRoute(RouteWord.SUPPRESS),
    },
    recycle={"bad_timing": ReasonRoute(RouteWord.NURTURE, "until_on")},
    lost={"price": ReasonRoute(RouteWord.NURTURE)},
    pause=frozenset({"lead_away"}),
    assignments_max=2,
    cycles_max_per_year=2,
)


@dataclass(frozen=True, slots=True)
class Node:
    """A reachable world: the handoff, and what has ever happened to its clocks, rungs and assignments."""

    handoff: Handoff | None
    ended: frozenset[int] = frozenset()
    fired: frozenset[tuple[int, int]] = frozenset()
    owned: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    node: Node
    event: inputs.Input


def explore(reducer: Reducer = decide, *, depth: int, states_max: int = 10_000_000) -> tuple[Finding | None, int, int]:
    """The first finding (or None), states seen, transitions tried."""
    front = [Node(None)]
    seen = {_key(front[0])}
    tried = 0
    for _ in range(depth):
        following: list[Node] = []
        for node in front:
            for event in events_of(node.handoff):
                tried += 1
                decision = reducer(node.handoff, event, POLICY)
                if decision.verdict is not Verdict.OK:
                    if decision.handoff is not node.handoff or decision.effects:
                        return Finding("a refused input changed something", node, event), len(seen), tried
                    continue
                after, finding = _follow(node, event, decision)
                if finding:
                    return Finding(finding, node, event), len(seen), tried
                key = _key(after)
                if key not in seen:
                    seen.add(key)
                    following.append(after)
                    if len(seen) >= states_max:
                        return None, len(seen), tried
        front = following
    return None, len(seen), tried


def events_of(handoff: Handoff | None) -> Iterator[inputs.Input]:
    """Every input that may arrive in this state, with every token that was ever issued."""
    yield _qualify(handoff)
    if handoff is None:
        return
    yield from _messages(handoff)
    for token in range(1, handoff.token + 1):
        yield from _commands(token)
        for number in range(max(1, handoff.clocks_made - 3), handoff.clocks_made + 1):
            for level in (0, 1):
                yield inputs.Fire(token=token, number=number, level=level)


def _qualify(handoff: Handoff | None) -> inputs.Qualify:
    cycle = 1 if handoff is None else handoff.cycle + 1
    opening = inputs.Opening(
        id=HandoffId(UUID(int=100 + cycle)),
        lead_id=LEAD,
        root_lead_id=LEAD,
        account_id=None,
        scope_id=LEAD,
        motion="new_business",
        product="default",
        tier="scored",
        policy="score",
        cycle=cycle,
        decision_id=DECISION,
    )
    return inputs.Qualify(opening=opening, cycles_this_year=cycle - 1)


def _messages(handoff: Handoff) -> Iterator[inputs.Input]:
    yield inputs.Attach(decision_id=DECISION)
    yield inputs.Touch()
    yield inputs.Touch(is_in_time=False)
    yield inputs.Touch(is_owners_side=False)
    yield inputs.RepOff(rep_id=ANNA)
    yield inputs.RepOff(rep_id=BERT)
    yield inputs.Withdraw()
    yield inputs.Merge(into=HandoffId(UUID(int=99)), root_lead_id=OTHER_ROOT)
    yield inputs.Split(root_lead_id=LEAD, scope_id=LEAD)
    yield inputs.Repoint(root_lead_id=OTHER_ROOT, scope_id=OTHER_ROOT)
    yield inputs.Supersede()
    yield inputs.Reschedule(why="calendar")
    yield inputs.Dispose(by=None, how="opportunity")
    yield from _too_late(handoff)
    for number in range(max(1, handoff.clocks_made - 3), handoff.clocks_made + 1):
        yield inputs.LateEvidence(number=number)
    yield inputs.CrmResult(result="won", version=1)
    yield inputs.CrmResult(result="lost", version=2, reason_code="price")
    yield inputs.CrmResult(result="open", version=3)
    yield inputs.CrmResult(result="lost", version=1, deal_id=DEAL)
    yield inputs.CrmResult(result="moved", version=2, deal_id=DEAL)


def _too_late(handoff: Handoff) -> Iterator[inputs.Input]:
    """The acts that would meet a promise, after the due instants of all that is armed, before the clocks could fire."""
    missed = tuple(clock.number for clock in handoff.clocks)
    token = handoff.token
    match handoff.state:
        case State.QUEUED:
            yield inputs.Pull(token=token, rep_id=ANNA, missed=missed)
        case State.ASSIGNED:
            yield inputs.Accept(token=token, by=ANNA, missed=missed)
            yield inputs.Reject(token=token, by=ANNA, reason=inputs.Reason(code="wrong_rep"), missed=missed)
            yield inputs.Dispose(by=None, how="opportunity", missed=missed)
            yield inputs.Reassign(token=token, rep_id=BERT, actor=MANAGER, missed=missed)
        case State.ACCEPTED:
            yield inputs.Dispose(by=None, how="opportunity", missed=missed)
            yield inputs.Pause(token=token, by=ANNA, reason_code="lead_away", missed=missed)
            yield inputs.Reassign(token=token, rep_id=BERT, actor=MANAGER, missed=missed)
        case State.WORKING:
            yield inputs.Pause(token=token, by=ANNA, reason_code="lead_away", missed=missed)
            yield inputs.Dispose(token=token, by=ANNA, how="opportunity", missed=missed)
        case State.NURTURE:
            yield inputs.Enrol(token=token, missed=missed)
        case _:
            pass


def _commands(token: int) -> Iterator[inputs.Input]:
    for rep in (ANNA, BERT):
        yield inputs.Route(token=token, rep_id=rep, decision_id=DECISION)
        yield inputs.Pull(token=token, rep_id=rep)
        yield inputs.Reassign(token=token, rep_id=rep, actor=MANAGER)
        yield inputs.Accept(token=token, by=rep)
        yield inputs.Pause(token=token, by=rep, reason_code="lead_away")
        yield inputs.Resume(token=token, by=rep)
        yield inputs.Dispose(token=token, by=rep, how="opportunity")
        yield inputs.Dispose(token=token, by=rep, how="return")
    yield inputs.NoRoute(token=token, queue="no_eligible_rep", reason="all_full", pool="default")
    yield inputs.Revoke(token=token, reason="demoted")
    yield inputs.Enrol(token=token)
    yield inputs.Touch(token=token)
    for code in ("wrong_rep", "no_need", "bad_data", "do_not_contact"):
        yield inputs.Reject(token=token, by=ANNA, reason=inputs.Reason(code=code))
    yield inputs.Reject(token=token, by=ANNA, reason=inputs.Reason(code="no_fit", sub_reason="size"))
    yield inputs.Reject(token=token, by=ANNA, reason=None)
    yield inputs.Reject(token=token, by=ANNA, reason=inputs.Reason(code="no_fit"))
    recycled = inputs.Reason(code="bad_timing", until_on=date(2026, 9, 1))
    yield inputs.Dispose(token=token, by=ANNA, how="recycle", reason=recycled)
    unfit = inputs.Reason(code="no_fit", sub_reason="size")
    yield inputs.Dispose(token=token, by=ANNA, how="disqualify", reason=unfit)


def _follow(node: Node, event: inputs.Input, decision: Decision) -> tuple[Node, str]:
    """The node after an ok decision, and what is broken there ('' when nothing)."""
    before, after = node.handoff, decision.handoff
    if after is None:
        return node, "an ok decision without a handoff"
    if before is None or after.id != before.id:
        node = Node(after)
        opened = True
    else:
        opened = False
        if event.token is not None and event.token < before.token:
            return node, "an older token took effect"
        if after.token < before.token or after.seq < before.seq:
            return node, "a counter went back"
        if isinstance(event, inputs.Fire) and before.state in CLOSED - {State.NURTURE, State.LOST}:
            return node, "a clock fired after the end"
    if names := broken(after):
        return node, ", ".join(names)
    ended, fired, owned = set(node.ended), set(node.fired), list(node.owned)
    for effect in decision.effects:
        match effect:
            case ClockEnded(clock=clock):
                if clock.number in ended:
                    return node, "a clock ended twice"
                ended.add(clock.number)
            case Escalate(number=number, level=level):
                if (number, level) in fired:
                    return node, "a rung fired twice"
                fired.add((number, level))
            case ClockArmed(clock=clock):
                if clock.number in ended or (not opened and before is not None and clock.number <= before.clocks_made):
                    return node, "a clock's number was used before"
            case AssignmentBegan(attempt=attempt):
                owned.append(attempt)
            case AssignmentEnded(attempt=attempt):
                if attempt not in owned:
                    return node, "an assignment ended that was not current"
                owned.remove(attempt)
            case ClockRetracted(number=number):
                if number not in ended:
                    return node, "a running clock was retracted"
            case _:
                pass
    if what := _ladder_finding(event, decision, fired):
        return node, what
    if len(owned) > 1 or (len(owned) == 1) != (after.owner_id is not None):
        return node, "not exactly one current assignment"
    armed = {clock.number for clock in after.clocks}
    if armed & ended or armed | ended != set(range(1, after.clocks_made + 1)):
        return node, "armed is not made less ended"
    return Node(after, frozenset(ended), frozenset(fired), tuple(owned)), ""


def _ladder_finding(event: inputs.Input, decision: Decision, fired: set[tuple[int, int]]) -> str:
    """What the ledger says of clocks that end: their level is the last rung fired, a breach has the last of all.

    But for an act that was too late and came before the clock could fire.
    """
    last = {effect.number for effect in decision.effects if isinstance(effect, Escalate) and effect.is_last}
    is_late_touch = isinstance(event, inputs.Touch) and not event.is_in_time
    for effect in decision.effects:
        if not isinstance(effect, ClockEnded):
            continue
        clock = effect.clock
        if clock.level != max((level for number, level in fired if number == clock.number), default=clock.level_at_arm):
            return "a clock ended at a level that did not fire"
        must_breach = clock.number in last or (is_late_touch and _is_stopped(clock))
        may_breach = clock.number in event.missed and clock.kind in PROMISES
        if effect.state is ClockState.MET and may_breach:
            return "a promise was kept after its due instant"
        is_breach = effect.state is ClockState.BREACHED
        if (must_breach and not is_breach) or (is_breach and not must_breach and not may_breach):
            return "a breach without its last rung, or a last rung without its breach"
    return ""


def _is_stopped(clock: Clock) -> bool:
    return clock.kind in {ClockKind.ACCEPT, ClockKind.TOUCH}


def _key(node: Node) -> tuple[object, ...]:
    """What decides the future: counters of published events and of evidence do not."""
    handoff = node.handoff
    return (None if handoff is None else replace(handoff, seq=1, evidence=1), node.fired, node.owned)
