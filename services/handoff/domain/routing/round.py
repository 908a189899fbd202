"""Decides one round: every handoff that needs a rep now, one after the other, over the same pools.

Freed load serves the queue first, hand-raisers before the others, oldest first, then new leads. Each result carries its
decision record. Invariant: the order of service depends on the needs alone, never on how they arrived.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from services.handoff.domain.assignment import Choice, Exclusion, Floor, choose, take
from services.handoff.domain.copies import replace
from services.handoff.domain.routing.policy import BoundRule, Policy, read_policy
from services.handoff.domain.routing.record import make_record
from services.handoff.domain.rules import Assign, Attach, Pass, Refuse, ToPool
from services.handoff.domain.things import (
    Candidate,
    Need,
    QueueName,
    Rep,
    RoutedRound,
    RouteResult,
    RoutingInput,
    RuleAnswer,
)
from shared.ids import HandoffId, UserId

__all__ = ["order_of_service", "route"]

# Who went before is shown to a person, who reads a few; a queue of thousands must not swell every record.
_SERVED_BEFORE_MAX = 20


def route(asked: RoutingInput) -> RoutedRound:
    """Decide all needs of the round in order of service: one result per need, in that order, and the pools after.

    Raises PolicyInvalid when the routing section cannot be read; `check_policy` refuses such a draft before it is
    signed.
    """
    policy = read_policy(asked.routing)
    floor = Floor(pools=asked.pools, reps=asked.reps)
    results: list[RouteResult] = []
    still_waiting: list[HandoffId] = []
    for need in order_of_service(asked.needs):
        result, after = _decide(need, floor, policy)
        before = _served_before(result, floor.reps, still_waiting)
        result = replace(result, served_before=before)
        results.append(replace(result, record=make_record(asked, floor, result)))
        if need.is_waiting and result.queue is not None:
            still_waiting.append(need.handoff_id)
        floor = after
    changed = {name: pool for name, pool in floor.pools.items() if pool != asked.pools[name]}
    return RoutedRound(results=tuple(results), pools=changed)


def order_of_service(needs: Iterable[Need]) -> list[Need]:
    """Who is served first: those that wait in a queue before new ones, hand-raisers, priority, oldest, then id."""
    return sorted(
        needs,
        key=lambda need: (
            not need.is_waiting,
            not need.is_hand_raiser,
            -need.priority,
            need.waiting_since,
            need.handoff_id,
        ),
    )


def _decide(need: Need, floor: Floor, policy: Policy) -> tuple[RouteResult, Floor]:
    walk = _Walk(need, policy)
    for bound in policy.rules_for(need):
        if not bound.is_asked(need.lead.facts):
            walk.note(bound, "pass", "its condition does not hold")
            continue
        outcome = bound.rule.decide(need, floor, bound.params)
        match outcome:
            case Assign(rep_id, reason):
                walk.note(bound, "assign", reason, rep_id=rep_id)
                return walk.assigned(rep_id, reason), take(floor, rep_id, need.handoff_id)
            case Attach(handoff_id, reason):
                walk.note(bound, "attach", reason)
                return walk.result(reason=reason, attach_to=handoff_id), floor
            case Refuse(reason):
                walk.note(bound, "refuse", reason)
                return walk.result(reason=reason, is_refused=True), floor
            case Pass():
                walk.passed(bound, outcome, floor)
            case ToPool():
                choice = walk.ask_pool(bound, outcome, floor)
                if choice.rep_id is not None:
                    floor = Floor({**floor.pools, choice.pool.name: choice.pool}, floor.reps)
                    after = take(floor, choice.rep_id, need.handoff_id)
                    return walk.assigned(choice.rep_id, outcome.reason, pool=choice.pool.name), after
                if outcome.is_exclusive:
                    break
            case _:
                assert_never(outcome)
    return walk.queued(), floor


class _Walk:
    """What has been asked and seen for one need on the way through the policy."""

    def __init__(self, need: Need, policy: Policy) -> None:
        self.need = need
        self.policy = policy
        self.rules: list[RuleAnswer] = []
        self.candidates: list[Candidate] = []
        self.wished: frozenset[str] = frozenset()
        self.first_pool: str | None = None

    def note(
        self, bound: BoundRule, result: str, reason: str, *, pool: str | None = None, rep_id: UserId | None = None
    ) -> None:
        self.rules.append(RuleAnswer(bound.rule.name, result, reason, pool=pool, rep_id=rep_id))

    def passed(self, bound: BoundRule, outcome: Pass, floor: Floor) -> None:
        self.wished |= outcome.wished
        rep_id = None
        if outcome.excluded is not None:
            rep_id, exclusion = outcome.excluded
            rep = floor.reps.get(rep_id)
            self.candidates.append(Candidate(rep_id, None, exclusion, load=rep.load if rep else 0))
        self.note(bound, "pass", outcome.reason, rep_id=rep_id)

    def ask_pool(self, bound: BoundRule, outcome: ToPool, floor: Floor) -> Choice:
        """Rotate in the pool."""
        self.first_pool = self.first_pool or outcome.pool
        choice = choose(self.need, floor.pools[outcome.pool], floor.reps, wished=self.wished)
        self.candidates.extend(choice.candidates)
        reason = outcome.reason if choice.rep_id is not None else "nobody in it may take it now"
        if choice.is_wish_dropped:
            reason = f"{reason}; nobody free has {', '.join(sorted(self.wished))}"
        self.note(bound, "pool", reason, pool=outcome.pool, rep_id=choice.rep_id)
        return choice

    def assigned(self, rep_id: UserId, reason: str, *, pool: str | None = None) -> RouteResult:
        return self.result(reason=reason, rep_id=rep_id, pool=pool, is_rotated=pool is not None)

    def queued(self) -> RouteResult:
        if self.first_pool is not None:
            queue, reason = QueueName.NO_ELIGIBLE_REP.value, "nobody in the pools asked may take it now"
        else:
            queue, reason = self.policy.fallback_queue, "no rule named a pool or a rep"
        return self.result(reason=reason, queue=queue, pool=self.first_pool)

    def result(
        self,
        *,
        reason: str,
        rep_id: UserId | None = None,
        pool: str | None = None,
        queue: str | None = None,
        is_rotated: bool = False,
        attach_to: HandoffId | None = None,
        is_refused: bool = False,
    ) -> RouteResult:
        return RouteResult(
            need=self.need,
            rep_id=rep_id,
            queue=queue,
            reason=reason,
            pool=pool,
            is_rotated=is_rotated,
            attach_to=attach_to,
            is_refused=is_refused,
            queue_owner=None if queue is None else self.policy.fallback_owner,
            rules=tuple(self.rules),
            candidates=tuple(self.candidates),
        )


def _served_before(
    result: RouteResult, reps: Mapping[UserId, Rep], still_waiting: Sequence[HandoffId]
) -> tuple[HandoffId, ...]:
    """Who has the load that this need must wait for: what its full candidates hold, then who waits before it."""
    if result.queue is None:
        return ()
    full = [reps[one.rep_id].holding for one in result.candidates if one.exclusion == Exclusion.FULL]
    before = dict.fromkeys([*(held for holding in full for held in holding), *still_waiting])
    return tuple(before)[:_SERVED_BEFORE_MAX]
