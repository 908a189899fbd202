"""Says in sentences why this rep got a lead, and why another one did not: from the stored record alone."""

from collections.abc import Callable, Mapping
from typing import Any

from services.handoff.domain.assignment import Exclusion
from services.handoff.domain.routing.record import table
from shared.ids import UserId

__all__ = ["decided_by", "explain", "why_not"]

_WHY_EXCLUDED = {
    Exclusion.UNKNOWN: "is not set up as a rep",
    Exclusion.AWAY: "was away",
    Exclusion.ABSENCE: "was absent by calendar",
    Exclusion.INACTIVE: "was not active",
    Exclusion.TRIED: "had this lead before in this cycle",
    Exclusion.SKILL: "lacks a skill or language that was asked for",
    Exclusion.FULL: "was at capacity",
    Exclusion.CAP: "had its full number of new leads of 30 days",
}


def decided_by(record: Mapping[str, Any]) -> str:
    """The rule by which the decision fell; `fallback` when none took it and it waits in a queue."""
    rules = table(record["rules"])
    return str(rules[-1]["rule"]) if rules and record["result"]["queue"] is None else "fallback"


def explain(record: Mapping[str, Any], *, names: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The decision as sentences: the answer, each rule asked in order, each rep excluded, who went before.

    names: what to call a rep or handoff, by the text of its id; an id without a name stands for itself.
    """
    call = _caller(names or {})
    sentences = [_answer(record, call)]
    sentences += [_rule(number, row, call) for number, row in enumerate(table(record["rules"]), start=1)]
    sentences += [_excluded(row, call) for row in table(record["candidates"]) if row["exclusion"] is not None]
    if record["result"]["is_rotated"]:
        sentences.append(_turn(record, call))
    if record["served_before"]:
        went = ", ".join(call(one) for one in record["served_before"])
        sentences.append(f"Before it, the free places went to: {went}.")
    return tuple(sentences)


def why_not(record: Mapping[str, Any], rep_id: UserId, *, names: Mapping[str, str] | None = None) -> str:
    """Why this rep did not get the lead, in one sentence."""
    call, asked = _caller(names or {}), str(rep_id)
    if record["result"]["rep_id"] == asked:
        return f"{call(asked)} did get it."
    rows = [row for row in table(record["candidates"]) if row["rep_id"] == asked]
    for row in rows:
        if row["exclusion"] is not None:
            return _excluded(row, call)
    if rows:
        return f"{call(asked)} could have taken it; it was the turn of {call(record['result']['rep_id'])}."
    return f"{call(asked)} was not looked at: the decision fell by {decided_by(record)}, which does not name that rep."


def _answer(record: Mapping[str, Any], call: Callable[[str], str]) -> str:
    result, version = record["result"], record["agreement_version"]
    if result["is_refused"]:
        return f"Nobody gets it: {result['reason']} (agreement version {version})."
    if result["attach_to"] is not None:
        return f"It joins handoff {call(result['attach_to'])}: {result['reason']} (agreement version {version})."
    if result["rep_id"] is None:
        owner = result["queue_owner"]
        return f"It waits in {result['queue']}, owned by {owner}: {result['reason']} (agreement version {version})."
    pool = f", pool {result['pool']}" if result["pool"] else ""
    return f"{call(result['rep_id'])} gets it: {result['reason']}{pool} (agreement version {version})."


def _rule(number: int, row: Mapping[str, Any], call: Callable[[str], str]) -> str:
    about = f" ({call(row['rep_id'])})" if row["rep_id"] else ""
    pool = f" {row['pool']}" if row["pool"] else ""
    return f"{number}. {row['rule'].replace('_', ' ')}: {row['result']}{pool}, {row['reason']}{about}."


def _excluded(row: Mapping[str, Any], call: Callable[[str], str]) -> str:
    why = _WHY_EXCLUDED[Exclusion(row["exclusion"])]
    load = f" with {row['load']} handoffs" if row["exclusion"] == Exclusion.FULL else ""
    return f"{call(row['rep_id'])} {why}{load}."


def _turn(record: Mapping[str, Any], call: Callable[[str], str]) -> str:
    result = record["result"]
    rows = [row for row in table(record["candidates"]) if row["pool"] == result["pool"] and row["exclusion"] is None]
    own = next(row for row in rows if row["rep_id"] == result["rep_id"])
    return (
        f"Of {len(rows)} eligible reps it was the turn of {call(own['rep_id'])}: "
        f"{own['received']} received of {own['entitled']:.1f} entitled before this lead."
    )


def _caller(names: Mapping[str, str]) -> Callable[[str], str]:
    return lambda one: names.get(one, one)
