"""Builds one value of routing each: reps, pools, needs and rounds, with defaults for all that a test does not say."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.handoff.domain.things import LeadView, Member, Need, OpenHandoff, Pool, Rep, RoutingInput
from shared.ids import AccountId, DecisionId, HandoffId, LeadId, UserId, derived_id

__all__ = ["NOW", "POLICY", "handoff_id", "lead", "need", "open_handoff", "pool", "rep", "rep_id", "round_of"]

NOW = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)
POLICY: dict[str, Any] = {
    "handoff_scope": "account",
    "rules": [
        {"rule": "suppression"},
        {"rule": "open_handoff_of_account"},
        {"rule": "account_owner"},
        {"rule": "territory", "when": {"fact": "country", "op": "in", "value": ["DE", "AT", "CH"]}, "pool": "dach"},
        {"rule": "skill", "fact": "language"},
        {"rule": "pool", "pool": "default"},
    ],
    "fallback": {"queue": "unrouted", "owner": "revops"},
}


def rep_id(name: object) -> UserId:
    return UserId(derived_id("rep", name))


def handoff_id(name: object) -> HandoffId:
    return HandoffId(derived_id("handoff", name))


def rep(name: object, **changes: Any) -> Rep:  # noqa: ANN401 - any field of Rep
    return Rep(**{"id": rep_id(name), "team_id": None, "is_on": True, **changes})


def pool(
    name: str, members: Iterable[object], *, skills: Sequence[str] = (), terms: Mapping[object, Mapping[str, Any]] = {}
) -> Pool:
    """A pool of these reps by name; terms holds what differs from a default membership, by rep name."""
    places = (Member(**{"pool": name, "rep_id": rep_id(one), **terms.get(one, {})}) for one in members)
    return Pool(name=name, members=tuple(sorted(places, key=lambda one: one.rep_id)), skills=tuple(skills))


def lead(name: object, **changes: Any) -> LeadView:  # noqa: ANN401 - any field of LeadView
    one = LeadId(derived_id("lead", name))
    account = AccountId(derived_id("account", name))
    return LeadView(**{"id": one, "root_id": one, "account_id": account, **changes})


def need(name: object, *, minute: int = 0, facts: Mapping[str, str] | None = None, **changes: Any) -> Need:  # noqa: ANN401 - any field of Need
    values: dict[str, Any] = {
        "decision_id": DecisionId(derived_id("decision", name)),
        "handoff_id": handoff_id(name),
        "lead": lead(name, facts=facts or {}),
        "product": "default",
        "tier": "scored",
        "priority": 0,
        "waiting_since": NOW + timedelta(minutes=minute),
    }
    return Need(**{**values, **changes})


def open_handoff(name: object, *, state: str = "assigned") -> OpenHandoff:
    return OpenHandoff(id=handoff_id(name), owner_id=rep_id("anna"), state=state)


def round_of(
    needs: Iterable[Need],
    *,
    pools: Iterable[Pool] = (),
    reps: Iterable[Rep] = (),
    routing: Mapping[str, Any] | None = None,
) -> RoutingInput:
    return RoutingInput(
        now=NOW,
        agreement_id="default",
        agreement_version=1,
        routing=POLICY if routing is None else routing,
        needs=tuple(needs),
        pools={one.name: one for one in pools},
        reps={one.id: one for one in reps},
    )
