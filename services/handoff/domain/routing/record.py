"""The decision record: one JSON value that holds what a decision read, asked and answered, and recomputes it.

Rows (members, reps) are lists in the order of their column names, so a record of 30 candidates stays small. Invariant:
`replay(make_record(...))` gives the same result; the format grows by columns, and never drops one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from services.handoff.domain.assignment import Exclusion, Floor
from services.handoff.domain.copies import replace
from services.handoff.domain.rules import all_rules
from services.handoff.domain.things import (
    LeadView,
    Member,
    Need,
    OpenHandoff,
    Pool,
    Rep,
    RouteResult,
    RoutingInput,
)
from shared.ids import AccountId, DecisionId, HandoffId, LeadId, TeamId, UserId

__all__ = ["FORMAT", "input_of", "make_record", "reps_named", "table"]

FORMAT = 1

# A pool of people who may hold hundreds each must not make each record a list of thousands.
_HOLDING_MAX = 20
_MEMBER = (
    "rep_id", "weight", "load_max", "leads_per_30_days", "received", "credited", "entitled", "taken_30_days",
    "is_member",
)  # fmt: skip
_REP = ("id", "team_id", "is_on", "why_off", "load", "holding", "languages", "skills", "calendar")
_PLAIN_NEED = (
    "product", "tier", "priority", "is_hand_raiser", "policy", "propensity", "is_waiting",
)  # fmt: skip
_RULE = ("rule", "result", "reason", "pool", "rep_id")
_CANDIDATE = ("rep_id", "pool", "exclusion", "load", "received", "entitled")


def make_record(asked: RoutingInput, floor: Floor, result: RouteResult) -> dict[str, Any]:
    """The record of one decision made on this floor (as it stood before the decision).

    Holds the pools that were asked with all members and, of other pools, only the places of reps a rule named; the
    reps of these; and the versions of the agreement and of every rule.
    """
    pools = _relevant_pools(floor.pools, result)
    rep_ids = {member.rep_id for pool in pools for member in pool.members} | _named(result.need)
    return {
        "format": FORMAT,
        "decided_at": asked.now.isoformat(),
        "agreement_id": asked.agreement_id,
        "agreement_version": asked.agreement_version,
        "routing": {key: asked.routing[key] for key in ("handoff_scope", "rules", "fallback") if key in asked.routing},
        "rule_versions": {answer.rule: all_rules()[answer.rule].version for answer in result.rules},
        "need": _need(result.need),
        "pools": [_pool(pool) for pool in pools],
        "reps": {"columns": list(_REP), "rows": _rows(_REP, _relevant_reps(floor.reps, rep_ids, result))},
        "rules": {"columns": list(_RULE), "rows": _rows(_RULE, result.rules)},
        "candidates": {"columns": list(_CANDIDATE), "rows": _rows(_CANDIDATE, result.candidates)},
        "result": {
            "rep_id": _plain(result.rep_id),
            "queue": result.queue,
            "queue_owner": result.queue_owner,
            "attach_to": _plain(result.attach_to),
            "is_refused": result.is_refused,
            "pool": result.pool,
            "is_rotated": result.is_rotated,
            "reason": result.reason,
        },
        "served_before": _plain(result.served_before),
    }


def input_of(record: Mapping[str, Any]) -> RoutingInput:
    """The round of one need that the record was made of. Raises ValueError when the format is newer than this code."""
    if record["format"] > FORMAT:
        raise ValueError(f"record format {record['format']} is newer than this release; replay it with a newer one")
    pools = [_read_pool(value) for value in record["pools"]]
    reps = [_read_rep(row) for row in table(record["reps"])]
    return RoutingInput(
        now=datetime.fromisoformat(record["decided_at"]),
        agreement_id=record["agreement_id"],
        agreement_version=record["agreement_version"],
        routing=record["routing"],
        needs=(_read_need(record["need"]),),
        pools={pool.name: pool for pool in pools},
        reps={rep.id: rep for rep in reps},
    )


def reps_named(record: Mapping[str, Any]) -> list[UserId]:
    """Every rep the record speaks of, by id."""
    rows = (*table(record["reps"]), *table(record["candidates"]), *table(record["rules"]))
    found = {row.get("id") or row.get("rep_id") for row in rows} | {record["result"]["rep_id"]}
    return sorted(UserId(UUID(one)) for one in found if one is not None)


def table(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a record's table as one mapping each, by column name."""
    return [dict(zip(value["columns"], row, strict=True)) for row in value["rows"]]


def _relevant_pools(pools: Mapping[str, Pool], result: RouteResult) -> list[Pool]:
    asked = {answer.pool for answer in result.rules}
    named = _named(result.need)
    found: list[Pool] = []
    for name in sorted(pools):
        pool = pools[name]
        if name in asked:
            found.append(pool)
            continue
        own = tuple(member for member in pool.members if member.rep_id in named)
        if own:
            found.append(Pool(name=name, members=own, skills=pool.skills, sequence=pool.sequence))
    return found


def _relevant_reps(reps: Mapping[UserId, Rep], ids: set[UserId], result: RouteResult) -> list[Rep]:
    """These reps by id; what a rep holds is kept of the full ones alone, who are why somebody must wait."""
    full = {one.rep_id for one in result.candidates if one.exclusion == Exclusion.FULL}
    return [
        replace(reps[one], holding=reps[one].holding[:_HOLDING_MAX] if one in full else ())
        for one in sorted(ids & set(reps))
    ]


def _named(need: Need) -> set[UserId]:
    return {rep_id for rep_id in (need.account_owner, need.preferred) if rep_id is not None}


def _rows(columns: Sequence[str], values: Sequence[object]) -> list[list[Any]]:
    get = attrgetter(*columns)
    return [[_plain(cell) for cell in get(value)] for value in values]


def _plain(value: Any) -> Any:  # noqa: ANN401 - any cell to a JSON value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


def _pool(pool: Pool) -> dict[str, Any]:
    return {
        "name": pool.name,
        "skills": list(pool.skills),
        "sequence": pool.sequence,
        "members": {"columns": list(_MEMBER), "rows": _rows(_MEMBER, pool.members)},
    }


def _read_pool(value: Mapping[str, Any]) -> Pool:
    members = (
        Member(**{**row, "rep_id": UserId(UUID(row["rep_id"])), "pool": value["name"]})
        for row in table(value["members"])
    )
    return Pool(name=value["name"], members=tuple(members), skills=tuple(value["skills"]), sequence=value["sequence"])


def _read_rep(row: dict[str, Any]) -> Rep:
    team = row["team_id"]
    return Rep(
        **{
            **row,
            "id": UserId(UUID(row["id"])),
            "team_id": None if team is None else TeamId(UUID(team)),
            "holding": tuple(HandoffId(UUID(one)) for one in row["holding"]),
            "languages": tuple(row["languages"]),
            "skills": tuple(row["skills"]),
        }
    )


def _need(need: Need) -> dict[str, Any]:
    lead = need.lead
    return {
        "decision_id": _plain(need.decision_id),
        "handoff_id": _plain(need.handoff_id),
        "lead": {
            "id": _plain(lead.id),
            "root_id": _plain(lead.root_id),
            "account_id": _plain(lead.account_id),
            "is_suppressed": lead.is_suppressed,
            "has_consent": lead.has_consent,
            "is_erased": lead.is_erased,
            "facts": dict(lead.facts),
        },
        **{name: getattr(need, name) for name in _PLAIN_NEED},
        "waiting_since": need.waiting_since.isoformat(),
        "tried": _plain(need.tried),
        "preferred": _plain(need.preferred),
        "account_owner": _plain(need.account_owner),
        "open_handoff": None if need.open_handoff is None else _plain(_open(need.open_handoff)),
    }


def _read_need(value: Mapping[str, Any]) -> Need:
    lead = value["lead"]
    others = value["open_handoff"]
    account = lead["account_id"]
    return Need(
        decision_id=DecisionId(UUID(value["decision_id"])),
        handoff_id=HandoffId(UUID(value["handoff_id"])),
        lead=LeadView(
            **{
                **lead,
                "id": LeadId(UUID(lead["id"])),
                "root_id": LeadId(UUID(lead["root_id"])),
                "account_id": None if account is None else AccountId(UUID(account)),
            }
        ),
        **{name: value[name] for name in _PLAIN_NEED},
        waiting_since=datetime.fromisoformat(value["waiting_since"]),
        tried=tuple(UserId(UUID(one)) for one in value["tried"]),
        preferred=_user(value["preferred"]),
        account_owner=_user(value["account_owner"]),
        open_handoff=None
        if others is None
        else OpenHandoff(id=HandoffId(UUID(others[0])), owner_id=_user(others[1]), state=others[2]),
    )


def _open(other: OpenHandoff) -> tuple[HandoffId, UserId | None, str]:
    return other.id, other.owner_id, other.state


def _user(text: str | None) -> UserId | None:
    return None if text is None else UserId(UUID(text))
