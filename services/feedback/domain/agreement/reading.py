"""The agreement as people read it, and what changed between two versions, in sentences that name the clause.

Reading is total: every clause comes out in one line, in the order of the document, so that nothing is agreed
unread. Items of a list are compared by their name, not by their place, so moving a line is not a change of every
line after it. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.feedback.domain.commitments import MEASURES
from shared.contracts.agreement import Agreement, ClockTerm, Commitment, EngagementLine, NegativeLine, SlaTier

# What names an item of a list; the first that is there. Without one its place does.
NAMING = ("name", "product", "rule", "group", "fact", "channel", "measure", "kind", "rep", "at")


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the document as sentences."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One clause that differs: where, the value before and after (empty when absent), and the sentence."""

    path: str
    before: str
    after: str
    sentence: str


def sections(agreement: Agreement) -> tuple[Section, ...]:
    """The whole document in sentences."""
    return (
        Section("Parties", tuple(_parties(agreement))),
        Section("Qualification", tuple(_qualification(agreement))),
        Section("Routing", tuple(_routing(agreement))),
        Section("Clocks", tuple(_clocks(agreement))),
        Section("Reasons", tuple(_reasons(agreement))),
        Section("Commitments", tuple(commitment_sentence(each) for each in agreement.commitments)),
        Section(
            "Reports",
            tuple(f"{each.name}, every {each.every}: {', '.join(each.numbers)}." for each in agreement.reports),
        ),
    )


def commitment_sentence(commitment: Commitment) -> str:
    """What one team promises, as a sentence."""
    is_count = commitment.measure in MEASURES and MEASURES[commitment.measure].is_count
    bound = commitment.at_least if commitment.at_least is not None else commitment.at_most
    word = "at least" if commitment.at_least is not None else "at most"
    number = "" if bound is None else f"{bound:g}" if is_count else f"{bound:.0%}"
    return f"{commitment.team.capitalize()} promises per {commitment.per}: {commitment.measure} {word} {number}."


def changes(before: Agreement, after: Agreement) -> tuple[Change, ...]:
    """Every clause that differs, in the order of the newer document, what was taken out last.

    Version and date aside.
    """
    old = dict(_leaves(_body(before), ""))
    new = dict(_leaves(_body(after), ""))
    found = [_change(path, old.get(path, ""), value) for path, value in new.items() if old.get(path) != value]
    found += [_change(path, value, "") for path, value in old.items() if path not in new]
    return tuple(found)


def _parties(agreement: Agreement) -> Iterator[str]:
    for team, party in (("Marketing", agreement.parties.marketing), ("Sales", agreement.parties.sales)):
        owed = "; ".join(f"{role}: {duty}" for owes in party.owes for role, duty in owes.items())
        yield f"{team}: {party.signs} signs. Owed by {owed}." if owed else f"{team}: {party.signs} signs."
    yield agreement.parties.pledge


def _qualification(agreement: Agreement) -> Iterator[str]:
    for criteria in agreement.qualification:
        terms = criteria.thresholds
        yield (
            f"{criteria.product}: a lead qualifies from {terms.qualify} points with fit of at least {terms.fit_floor} "
            f"and engagement of at least {terms.engagement_floor}; demoted below {terms.demote}; "
            f"at least {terms.dwell_hours:g} h between two changes; a win counts within {terms.horizon_days} days."
        )
        yield f"Never handed off: {', '.join(criteria.hard_rules)}."
        for fit in criteria.fit:
            yield f"Fit, {fit.fact}: {', '.join(f'{value} {points:+d}' for value, points in fit.points.items())}."
        for group in criteria.engagement:
            lines = "; ".join(_engagement(line) for line in group.lines)
            yield f"Engagement, {group.group} (at most {group.cap:g}): {lines}."
        negative = "; ".join(_negative(line) for line in criteria.negative.lines)
        yield f"Against it (never below {criteria.negative.floor:g}): {negative}."
        raisers = ", ".join(
            each.kind.value + (f" on {each.content}" if each.content else "") for each in criteria.hand_raisers
        )
        yield f"Asks for a conversation, so goes ahead: {raisers}."
        explored = criteria.exploration
        yield f"Explored by chance: {explored.share:.0%} of handoffs, {explored.share_small:.0%} in a small team."


def _engagement(line: EngagementLine) -> str:
    return f"{line.name} {line.points:+g}, halves in {line.half_life_days:g} days, at most {line.cap_points:g}"


def _negative(line: NegativeLine) -> str:
    return f"{line.name} {line.points:+g}, halves in {line.half_life_days:g} days"


def _routing(agreement: Agreement) -> Iterator[str]:
    routing = agreement.routing
    yield f"One open handoff per {routing.handoff_scope}."
    rules = ", ".join(rule.rule + (f" to {rule.pool}" if rule.pool else "") for rule in routing.rules)
    yield f"Rules in order: {rules}."
    for pool in routing.pools:
        yield f"Pool {pool.name}: {len(pool.members)} reps{', needs ' + ', '.join(pool.skills) if pool.skills else ''}."
    yield f"What no rule places waits in {routing.fallback.queue}, owned by {routing.fallback.owner}."
    yield f"At most {routing.limits.assignments_max} assignments, then the queue overflow."


def _clocks(agreement: Agreement) -> Iterator[str]:
    for tier in agreement.sla.tiers:
        yield _tier(tier)
    for name, steps in agreement.sla.ladders.items():
        yield f"Ladder {name}: {', '.join(f'{step.do} at {step.at:.0%}' for step in steps)}."
    yield f"At most {agreement.sla.pause.max} pause of {agreement.sla.pause.business_days} business days."


def _tier(tier: SlaTier) -> str:
    times = f"accepted within {_length(tier.accept)}, touched within {_length(tier.touch)}"
    return f"{tier.name}: {times}; ladder {tier.ladder}."


def _length(term: ClockTerm) -> str:
    seconds = term.length_seconds
    size = f"{seconds // 60:g} minutes" if seconds < 3600 else f"{seconds / 3600:g} hours"
    return f"{size} {'of the wall clock' if term.is_wall else 'of open time'}"


def _reasons(agreement: Agreement) -> Iterator[str]:
    terms = agreement.reasons
    for what, codes in (("reject", terms.reject), ("recycle", terms.recycle), ("lost", terms.lost)):
        listed = ", ".join(
            f"{code} to {term.route}" + (f" (needs {term.needs})" if term.needs else "") for code, term in codes.items()
        )
        yield f"{what.capitalize()}: {listed}."
    yield f"Pause: {', '.join(terms.pause)}."


def _body(agreement: Agreement) -> dict[str, Any]:
    body: dict[str, Any] = agreement.model_dump(mode="json", by_alias=True, exclude_none=True)
    body.pop("agreement")
    return body


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Every clause with its path; list items are named, so that order alone changes nothing but a stated order."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path} / {key}" if path else str(key))
    elif isinstance(value, list) and not any(isinstance(each, Mapping) for each in value):
        yield path, ", ".join(_text(each) for each in value)
    elif isinstance(value, list):
        names = _names(value)
        if path.endswith("rules") and names:
            yield f"{path} / order", ", ".join(names)
        for name, inner in zip(names, value, strict=True):
            yield from _leaves(inner, f"{path} / {name}")
    else:
        yield path, _text(value)


def _names(items: Sequence[object]) -> list[str]:
    """A name per item, unique within the list."""
    seen: dict[str, int] = {}
    names: list[str] = []
    for at, item in enumerate(items, start=1):
        name = _name(item) or str(at)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _name(item: object) -> str:
    key = next((each for each in NAMING if isinstance(item, Mapping) and each in item), None)
    if not isinstance(item, Mapping) or key is None:
        return ""
    return f"{item[key]} on {item['content']}" if "content" in item else str(item[key])


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _change(path: str, before: str, after: str) -> Change:
    if not before:
        sentence = f"{path}: new, {after}"
    elif not after:
        sentence = f"{path}: taken out (was {before})"
    else:
        sentence = f"{path}: {before} becomes {after}"
    return Change(path=path, before=before, after=after, sentence=sentence)
