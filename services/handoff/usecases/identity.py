"""What merges and splits of people mean for handoffs: re-pointed, one of two ended, an ended one brought back.

A merge sets pointers, a split clears them; a lower identity_version changes nothing (DECISIONS 1).
"""

from services.handoff.domain.copies import replace
from services.handoff.domain.lifecycle import Handoff, State, inputs
from services.handoff.domain.lifecycle.states import OPEN
from services.handoff.domain.mirror import Lead, moved, root_of
from services.handoff.usecases.deciding import apply
from services.handoff.usecases.work import Cause, Held, Work
from shared.contracts.leads import LeadMerged, LeadSplit
from shared.ids import AccountId, LeadId
from shared.telemetry import count

__all__ = ["take_merge", "take_split"]

_FURTHER = (
    State.OPPORTUNITY,
    State.WORKING,
    State.ACCEPTED,
    State.ASSIGNED,
    State.QUEUED,
    State.QUALIFIED,
)


def take_merge(work: Work, payload: LeadMerged, cause: Cause) -> None:
    """The tree of a member hangs under another root: of two open handoffs the further stays."""
    changed = _move(work, payload, parent_id=LeadId(payload.into_lead_id))
    _follow(work, changed, cause)
    roots = {work.leads[each].root_id for each in changed}  # what was kept of the member is of the person now
    work.widened |= {held.handoff.id for held in _held(work) if held.handoff.root_lead_id in roots}


def take_split(work: Work, payload: LeadSplit, cause: Cause) -> None:
    """A member left its tree: its handoffs go with it, and one that the merge ended is qualified again."""
    changed = _move(work, payload, parent_id=None)
    if not changed:
        return
    _follow(work, changed, cause)
    for held in _held(work):
        if held.handoff.state is State.MERGED and not held.handoff.is_superseded:
            own, other = work.leads.get(held.handoff.lead_id), _lead_of_stayed(work, held.handoff)
            if own is not None and other is not None and own.root_id != other.root_id:
                _bring_back(work, held, own.root_id, cause)


def _move(work: Work, payload: LeadMerged | LeadSplit, *, parent_id: LeadId | None) -> set[LeadId]:
    """Set or clear a member's pointer and name the roots anew; whose root changed, nobody's under a later version.

    The root that the event names is not trusted: moves of other members may have overtaken this one.
    """
    lead = work.leads[LeadId(payload.lead_id)]
    if payload.identity_version <= lead.identity_version:
        count("baton_ignored_versions_total")
        return set()
    work.change_lead(moved(lead, parent_id=parent_id, root_id=lead.root_id, version=payload.identity_version))
    roots = {each: root_of(work.leads, each) for each in work.leads}
    changed = {each for each, root_id in roots.items() if work.leads[each].root_id != root_id}
    for each in sorted(changed):
        work.change_lead(replace(work.leads[each], root_id=roots[each]))
    return changed


def _follow(work: Work, changed: set[LeadId], cause: Cause) -> None:
    """Handoffs of those whose root changed go with them; where two are open for one person now, one ends."""
    for held in [each for each in _held(work) if each.handoff.lead_id in changed]:
        handoff = held.handoff
        root_id = work.leads[handoff.lead_id].root_id
        other = _open_other(work, root_id, handoff)
        if handoff.state in OPEN and other is not None:
            _end_one(work, held, other, root_id, cause)
        if held.handoff.state is not State.MERGED:
            _repoint(work, held, root_id, cause)


def _lead_of_stayed(work: Work, ended: Handoff) -> Lead | None:
    """The lead of the handoff in whose favour this one ended; None when it is not of these people."""
    stayed = None if ended.merged_into is None else work.held.get(ended.merged_into)
    return None if stayed is None else work.leads.get(stayed.handoff.lead_id)


def _bring_back(work: Work, held: Held, root_id: LeadId, cause: Cause) -> None:
    handoff = held.handoff
    scope_id = _scope(handoff, root_id)
    is_free = work.open_of(root_id, scope_id, handoff.motion) is None
    event = inputs.Split(root_lead_id=root_id, scope_id=scope_id, is_scope_free=is_free)
    apply(work, handoff.id, event, cause=cause)


def _end_one(work: Work, one: Held, other: Held, root_id: LeadId, cause: Cause) -> None:
    """The further state stays, then the older one; the other ends `merged`."""
    stays, ends = sorted((one, other), key=_rank)
    event = inputs.Merge(into=stays.handoff.id, root_lead_id=root_id)
    apply(work, ends.handoff.id, event, cause=cause)


def _rank(held: Held) -> tuple[int, str, str]:
    return (_FURTHER.index(held.handoff.state), held.times.opened_at.isoformat(), str(held.handoff.id))


def _repoint(work: Work, held: Held, root_id: LeadId, cause: Cause) -> None:
    handoff = held.handoff
    event = inputs.Repoint(root_lead_id=root_id, scope_id=_scope(handoff, root_id))
    if (handoff.root_lead_id, handoff.scope_id) != (event.root_lead_id, event.scope_id):
        apply(work, handoff.id, event, cause=cause)


def _scope(handoff: Handoff, root_id: LeadId) -> LeadId | AccountId:
    """A handoff of an account keeps its scope, one of a person follows the person."""
    return handoff.scope_id if handoff.scope_id == handoff.account_id else root_id


def _open_other(work: Work, root_id: LeadId, handoff: Handoff) -> Held | None:
    for held in _held(work):
        other = held.handoff
        is_same = work.root_of(other.lead_id, stored=other.root_lead_id) == root_id and other.motion == handoff.motion
        if other.id != handoff.id and is_same and other.state in OPEN:
            return held
    return None


def _held(work: Work) -> list[Held]:
    return [work.held[handoff_id] for handoff_id in sorted(work.held)]
