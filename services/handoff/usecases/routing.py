"""Gives every handoff of a unit of work that needs a rep to routing, freed load to the queue first, in one round.

Locks pools and reps after leads and handoffs; the choice itself is the pure `route` (RELIABILITY 3.7).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from services.handoff.domain.lifecycle import State, inputs
from services.handoff.domain.lifecycle.states import MAY_HAVE_A_DEAL
from services.handoff.domain.mirror import view_of
from services.handoff.domain.routing import route
from services.handoff.domain.things import Need, Pool, QueueName, Rep, RouteResult, RoutingInput
from services.handoff.store import agreements, handoffs, pools
from services.handoff.store.early import read_early
from services.handoff.usecases.deciding import Cause, apply
from services.handoff.usecases.evidencing import claim_kept
from services.handoff.usecases.overtaken import claim_kept_results
from services.handoff.usecases.work import Held, Work
from shared.ids import AccountId, DecisionId, UserId, derived_id

__all__ = ["SERVED_QUEUES", "routing_input", "settle"]

# Queues that freed load serves; what waits in the others waits for a person.
SERVED_QUEUES = (QueueName.NO_ELIGIBLE_REP.value,)
# One round looks at so many that wait and could be served: a freed rep takes one or two.
_SERVED_AT_ONCE = 50
# A round that sends some back (a rule refused) is followed by another; more than this is a mistake in the rules.
_ROUNDS_MAX = 4


async def settle(work: Work, *, cause: Cause, serves: tuple[str, ...] = SERVED_QUEUES) -> None:
    """Route all that is `qualified`, let freed load serve those that wait, and count what had come too early.

    Call it before flush, whatever was decided: a pull or a manager's word makes an owner as well as a round does.
    """
    await pools.credit_members(work.tx, work.to_write.credits)  # before a round, which looks at the ledger
    for _ in range(_ROUNDS_MAX):
        new = [held for _, held in sorted(work.held.items()) if held.handoff.state is State.QUALIFIED]
        if not new and not work.is_load_freed and not work.widened:
            return
        if new or work.is_load_freed:
            await _route(work, new, cause=cause, serves=serves)
            work.is_load_freed = False
        found = [work.held[each] for each in sorted(work.widened)]
        work.widened.clear()
        takers = [held for held in found if held.handoff.state in MAY_HAVE_A_DEAL and not held.handoff.is_superseded]
        await _claim_early(work, takers, cause=cause)


async def _route(work: Work, new: list[Held], *, cause: Cause, serves: tuple[str, ...]) -> None:
    """Run one round."""
    tx, terms = work.tx, work.terms
    ground = await pools.lock_ground(tx, terms, queues=serves, accounts=_accounts(new))
    locked, owners = ground.pools | work.to_write.pools, ground.owners
    waiting = await _waiting(work, locked, serves) if ground.is_anybody_waiting else []
    if not new and not waiting:
        return
    if waiting:
        await work.read_people(held.handoff.lead_id for held in waiting)
        accounts = _accounts([*new, *waiting])
        owners = (await pools.lock_ground(tx, terms, accounts=accounts)).owners
    of_leads = (work.leads[held.handoff.lead_id].account_id for held in (*new, *waiting))
    await work.read_accounts(account_id for account_id in of_leads if account_id is not None)
    former = {held.handoff.former_owner_id for held in new if held.handoff.former_owner_id is not None}
    others = set(owners.values()) | former | set(work.load_changes)
    counted, crew, work.crew = await pools.reps_for_routing(
        tx, locked, work.crew, others=others, load_changes=work.load_changes
    )
    work.locked_reps |= set(crew)
    needs = [_need(work, held, _owner(held, owners)) for held in (*new, *waiting)]
    routed = route(routing_input(work, needs, pools=counted, crew=crew))
    for result in routed.results:
        held = work.held[result.need.handoff_id]
        _take(work, result, cause=(None if result.need.is_waiting else held.cause) or cause)
    work.to_write.pools |= routed.pools


def routing_input(
    work: Work,
    needs: Sequence[Need],
    *,
    pools: Mapping[str, Pool] = MappingProxyType({}),
    crew: Mapping[UserId, Rep] = MappingProxyType({}),
) -> RoutingInput:
    """What one round reads, under the agreement in force."""
    return RoutingInput(
        now=work.now,
        agreement_id=work.terms.agreement_id,
        agreement_version=work.terms.version,
        routing=agreements.routing_value(work.terms),
        needs=tuple(needs),
        pools=pools,
        reps=crew,
    )


def _accounts(handoffs_: Sequence[Held]) -> set[AccountId]:
    return {held.handoff.account_id for held in handoffs_ if held.handoff.account_id is not None}


async def _claim_early(work: Work, takers: list[Held], *, cause: Cause) -> None:
    """Count what came before these handoffs had an owner: tries of Sales, then results."""
    if not takers:
        return
    roots = {held.handoff.root_lead_id for held in takers}
    scopes = {held.handoff.scope_id for held in takers}
    kept, told = await read_early(work.tx, work.members_of(roots), roots=roots, scopes=scopes)
    await claim_kept(work, takers, kept, cause=cause)
    await claim_kept_results(work, takers, told, cause=cause)


async def _waiting(work: Work, locked: dict[str, Pool], serves: tuple[str, ...]) -> list[Held]:
    """What waits and could be served now: looked for only when some member of a pool has room."""
    if not any(pool.members for pool in locked.values()):
        return []
    rooms = await pools.rooms(work.tx, work.load_changes)
    if not rooms:
        return []
    exclusive = {
        rule.pool for rule in work.terms.document.routing.rules if rule.pool and rule.params.get("is_exclusive")
    }
    ids = await handoffs.waiting_ids(work.tx, serves, rooms=rooms, exclusive=exclusive, limit=_SERVED_AT_ONCE)
    fresh = [each for each in ids if each not in work.held or work.held[each].handoff.state is State.QUEUED]
    await work.hold(fresh)
    return [work.held[each] for each in fresh if work.held[each].handoff.state is State.QUEUED]


def _owner(held: Held, owners: Mapping[AccountId, UserId]) -> UserId | None:
    return None if held.handoff.account_id is None else owners.get(held.handoff.account_id)


def _need(work: Work, held: Held, account_owner: UserId | None) -> Need:
    handoff = held.handoff
    lead = work.leads[handoff.lead_id]
    account_facts = work.facts_of_account(lead.account_id)
    is_waiting = handoff.state is State.QUEUED
    more = {"is_hand_raiser": str(handoff.is_hand_raiser).lower(), "product": handoff.product, "tier": handoff.tier}
    return Need(
        decision_id=DecisionId(derived_id("routing decision", handoff.id, handoff.token)),
        handoff_id=handoff.id,
        lead=view_of(lead, account_facts=account_facts, more=more),
        product=handoff.product,
        tier=handoff.tier,
        priority=handoff.priority,
        waiting_since=held.times.waiting_since or held.times.opened_at,
        is_hand_raiser=handoff.is_hand_raiser,
        policy=handoff.policy,
        propensity=handoff.propensity,
        tried=handoff.tried,
        preferred=handoff.former_owner_id if handoff.former_owner_id not in handoff.tried else None,
        account_owner=account_owner,
        is_waiting=is_waiting,
    )


def _take(work: Work, result: RouteResult, *, cause: Cause) -> None:
    """Carry one answer out; a queue again for one that waits already changes nothing and is not kept."""
    handoff_id = result.need.handoff_id
    held = work.held[handoff_id]
    if result.need.is_waiting and result.rep_id is None and not result.is_refused:
        return
    work.to_write.decisions.append(result)
    token = held.handoff.token
    if result.is_refused:
        apply(work, handoff_id, inputs.Withdraw(reason="suppressed"), cause=cause)
    elif result.rep_id is not None:
        event = inputs.Route(
            token=token,
            rep_id=result.rep_id,
            decision_id=result.need.decision_id,
            pool=result.pool,
            is_rotated=result.is_rotated,
        )
        apply(work, handoff_id, event, cause=cause)
    else:
        queue = result.queue or QueueName.UNROUTED.value
        # The reason in the event is the queue's own word; the sentence stays in the decision record.
        apply(work, handoff_id, inputs.NoRoute(token=token, queue=queue, reason=queue, pool=result.pool), cause=cause)
