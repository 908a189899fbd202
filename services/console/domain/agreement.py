"""The agreement as people read it: every clause of the document as sentences and tables, in the order of its sections.

Reads the published JSON and nothing else, so what stands on the page is what decides. A clause this page does not know
is shown under "Further clauses", never left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.console.domain.records import AgreementRow
from services.console.domain.words import DASH, label, points_text, spoken

__all__ = ["AgreementPage", "Block", "Section", "agreement_page", "condition_sentence", "in_force", "span_sentence"]

Doc = Mapping[str, Any]
_KNOWN = frozenset(
    {"agreement", "parties", "products", "qualification", "routing", "sla", "reasons", "commitments", "reports"}
)
_REASON_TITLES = {"reject": "Reasons to reject", "recycle": "Reasons to recycle", "lost": "Reasons a deal was lost"}
_OPERATORS = {"is": "is", "in": "is one of", "not": "is not", "at_least": "is at least", "at_most": "is at most"}


@dataclass(frozen=True, slots=True)
class Block:
    """One table of a section; `headers` empty means plain lines."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One chapter of the document."""

    anchor: str
    title: str
    intro: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class AgreementPage:
    """The version shown, its signatures, and its chapters."""

    row: AgreementRow
    sections: tuple[Section, ...]


def in_force(rows: Iterable[AgreementRow], *, now: datetime) -> AgreementRow | None:
    """The version that decides now: the highest one that has become effective."""
    effective = [row for row in rows if row.effective_from <= now]
    return max(effective, key=lambda row: row.version, default=None)


def agreement_page(row: AgreementRow) -> AgreementPage:
    """The whole document as chapters."""
    doc = row.document
    sections = [
        _parties(doc.get("parties") or {}),
        *(_criteria(item) for item in doc.get("qualification") or ()),
        _routing(doc.get("routing") or {}),
        _sla(doc.get("sla") or {}),
        _reasons(doc.get("reasons") or {}),
        _commitments(doc.get("commitments") or ()),
        _reports(doc.get("reports") or ()),
        _further(doc),
    ]
    return AgreementPage(row, tuple(section for section in sections if section.blocks or section.intro))


def span_sentence(span: Mapping[str, Any]) -> str:
    """A span of the agreement in words: {"hours": 4} reads "4 hours of open time"."""
    for key, value in span.items():
        unit = key.removeprefix("wall_")
        if unit in {"seconds", "minutes", "hours", "days"} and value is not None:
            noun = unit if value != 1 else unit[:-1]
            return f"{value:g} {noun}" + ("" if key.startswith("wall_") else " of open time")
    return ""


def condition_sentence(condition: Any) -> str:  # noqa: ANN401  # a rule tree in JSON
    """A rule tree in words: "country is one of DE, AT, CH"."""
    if not isinstance(condition, Mapping):
        return "always"
    for key, joint in (("all", " and "), ("any", " or ")):
        if condition.get(key):
            return joint.join(condition_sentence(part) for part in condition[key])
    if condition.get("not"):
        return f"not ({condition_sentence(condition['not'])})"
    if "fact" in condition:
        operator = str(condition.get("op", "is"))
        value = condition.get("value")
        fact = spoken(str(condition["fact"])).lower()
        if operator == "is" and str(value).lower() == "true":
            return fact
        values = value if isinstance(value, (list, tuple)) else [value]
        text = ", ".join(str(item).replace("_", " ") for item in values)
        return f"{fact} {_OPERATORS.get(operator, operator)} {text}"
    return "always"


def _parties(parties: Doc) -> Section:
    rows = tuple(
        (team.capitalize(), spoken(str(party.get("signs", ""))), "; ".join(_owes(party.get("owes") or ())))
        for team, party in sorted(parties.items())  # Marketing, then Sales
        if isinstance(party, Mapping)
    )
    return Section(
        "parties",
        "Who agrees",
        str(parties.get("pledge") or ""),
        (Block("", ("Team", "Signs", "Owes"), rows),) if rows else (),
    )


def _owes(owes: Sequence[Any]) -> Iterable[str]:
    for item in owes:
        if isinstance(item, Mapping):
            yield from (f"{spoken(role)}: {duty}" for role, duty in item.items() if duty)
        else:
            yield str(item)


def _criteria(item: Doc) -> Section:
    names = ("qualify", "demote", "dwell_hours", "fit_floor", "engagement_floor", "horizon_days")
    bound = {name: _plain((item.get("thresholds") or {}).get(name)) for name in names}
    intro = (
        f"A lead qualifies at {bound['qualify']} points and stops being qualified below {bound['demote']}, not before "
        f"{bound['dwell_hours']} hours. Fit must be at least {bound['fit_floor']} and engagement at least "
        f"{bound['engagement_floor']}; a win counts within {bound['horizon_days']} days."
    )
    fit = tuple(
        (spoken(str(line.get("fact", ""))), _value(str(line.get("fact", "")), value), points_text(int(points)))
        for line in item.get("fit") or ()
        for value, points in sorted((line.get("points") or {}).items(), key=lambda pair: (-pair[1], pair[0]))
    )
    blocks = [
        _lines("Never qualifies", [spoken(str(rule)) for rule in item.get("hard_rules") or ()]),
        Block("Fit: who they are", ("Fact", "Value", "Points"), fit),
        *(_engagement(group) for group in item.get("engagement") or ()),
        _negative(item.get("negative") or {}),
        _lines("Hand-raisers skip the engagement points", [_what(line) for line in item.get("hand_raisers") or ()]),
        _account(item.get("account") or {}),
        _exploration(item.get("exploration") or {}),
        _examples(item.get("examples") or ()),
    ]
    title = f"Qualified: {item.get('product', 'default')}"
    return Section(f"qualified-{item.get('product', 'default')}", title, intro, _filled(blocks))


def _engagement(group: Doc) -> Block:
    rows = tuple(_engagement_row(line) for line in group.get("lines") or ())
    cap = f", at most {_plain(group['cap'])}" if group.get("cap") else ""
    return Block(
        f"Engagement: {spoken(str(group.get('group', ''))).lower()}{cap}", ("Activity", "Halves in", "Points"), rows
    )


def _engagement_row(line: Doc) -> tuple[str, ...]:
    return (_what(line), f"{line.get('half_life_days') or 30:g} days", points_text(int(line.get("points", 0))))


def _negative(negative: Doc) -> Block:
    rows = tuple(_engagement_row(line) for line in negative.get("lines") or ())
    floor = f", at least {points_text(int(negative['floor']))}" if negative.get("floor") is not None else ""
    return Block(f"Points taken off{floor}", ("Activity", "Halves in", "Points"), rows)


def _what(line: Doc) -> str:
    kind = label("activity", line.get("kind", ""))
    content = f": {spoken(str(line['content'])).lower()}" if line.get("content") else ""
    return kind + content + (" (hard)" if line.get("is_hard") else "")


def _account(account: Doc) -> Block:
    if not account:
        return Block("", (), ())
    return _lines(
        "Accounts",
        [
            (
                f"An account qualifies at {_plain(account.get('qualify'))} points with at least "
                f"{_plain(account.get('engaged_people_min'))} engaged people; each person counts up to "
                f"{_plain(account.get('person_cap'))} points, each further active person of the last "
                f"{_plain(account.get('breadth_days'))} days adds {_plain(account.get('breadth_points'))}, at most "
                f"{_plain(account.get('breadth_max'))}."
            )
        ],
    )


def _exploration(exploration: Doc) -> Block:
    if not exploration:
        return Block("", (), ())
    return _lines(
        "Exploration",
        [
            (
                f"{float(exploration.get('share', 0)):.0%} of the leads below the threshold are drawn by chance, "
                f"{float(exploration.get('share_small', 0)):.0%} when fewer than "
                f"{exploration.get('small_under_leads_per_day')} leads come a day, so that we learn there."
            )
        ],
    )


def _examples(examples: Sequence[Doc]) -> Block:
    rows = tuple(
        (
            ", ".join(f"{spoken(k)}: {_value(k, v)}" for k, v in (example.get("facts") or {}).items()),
            ", ".join(label("activity", a).lower() for a in example.get("activities") or ()),
            "Qualified" if example.get("is_qualified") else "Not qualified",
        )
        for example in examples
    )
    return Block("Examples both teams agreed on", ("Person", "Did", "Is"), rows)


def _routing(routing: Doc) -> Section:
    rules = tuple(
        (f"{number}. {spoken(str(rule.get('rule', '')))}", condition_sentence(rule.get("when")), _rule_target(rule))
        for number, rule in enumerate(routing.get("rules") or (), start=1)
    )
    pools = tuple(
        (
            spoken(str(pool.get("name", ""))),
            str(len(pool.get("members") or ())),
            ", ".join(spoken(str(skill)).lower() for skill in pool.get("skills") or ()) or DASH,
        )
        for pool in routing.get("pools") or ()
    )
    limits = routing.get("limits") or {}
    fallback = routing.get("fallback") or {}
    whole = "the account" if routing.get("handoff_scope", "account") == "account" else "the person"
    intro = (
        f"Rules are asked in this order; the first that answers decides. One handoff is open for {whole} at a time. A "
        f"lead that no rule places waits in {fallback.get('queue', 'unrouted')}, which "
        f"{fallback.get('owner', 'revops')} owns. It is offered to at most {limits.get('assignments_max', '?')} reps."
    )
    blocks = [
        Block("Rules", ("Rule", "When", "Gives it to"), rules),
        Block("Pools", ("Pool", "Members", "Skills"), pools),
    ]
    return Section("routing", "To whom", intro if routing else "", _filled(blocks))


def _rule_target(rule: Doc) -> str:
    if rule.get("pool"):
        return f"Pool {rule['pool']}"
    return f"By {spoken(str(rule['fact'])).lower()}" if rule.get("fact") else DASH


def _sla(sla: Doc) -> Section:
    tiers = tuple(
        (
            label("tier", tier.get("name", "")),
            condition_sentence(tier.get("when")),
            span_sentence(tier.get("accept") or {}),
            span_sentence(tier.get("touch") or {}),
            spoken(str(tier.get("ladder", ""))),
        )
        for tier in sla.get("tiers") or ()
    )
    ladders = tuple(
        (
            spoken(str(name)),
            ", ".join(
                f"at {float(rung.get('at', 0)):.0%} {label('rung', rung.get('do', '')).lower()}" for rung in rungs
            ),
        )
        for name, rungs in (sla.get("ladders") or {}).items()
    )
    common = tuple((label("clock", name), span_sentence(span)) for name, span in (sla.get("common") or {}).items())
    pause = sla.get("pause") or {}
    intro = (
        "A promise is measured in the open hours of the rep who holds the lead, unless it says otherwise. A clock may "
        f"be paused {pause.get('max', 1)} time for at most {pause.get('business_days', '?')} business days."
    )
    blocks = [
        Block("Promises per tier", ("Tier", "When", "Accept within", "First touch within", "Ladder"), tiers),
        Block("Ladders", ("Ladder", "Steps"), ladders),
        Block("Further clocks", ("Clock", "Runs"), common),
    ]
    return Section("sla", "By when", intro if sla else "", _filled(blocks))


def _reasons(reasons: Doc) -> Section:
    blocks = []
    for group, codes in reasons.items():
        if not isinstance(codes, Mapping):
            blocks.append(_lines(f"Reasons to {group}", [label("reason", code) for code in codes]))
            continue
        rows = tuple((label("reason", code), *_reason_route(route)) for code, route in codes.items())
        blocks.append(Block(_REASON_TITLES.get(group, spoken(group)), ("Reason", "The lead", "Also asks for"), rows))
    intro = "Nobody gives a lead back without one of these." if reasons else ""
    return Section("reasons", "Reasons", intro, _filled(blocks))


def _reason_route(route: Any) -> tuple[str, str]:  # noqa: ANN401  # a code's route is a text or an object
    if isinstance(route, Mapping):
        needs = label("need", route["needs"]) if route.get("needs") else ""
        return label("route", route.get("route", "")) if route.get("route") else DASH, needs or DASH
    return label("route", route), DASH


def _commitments(commitments: Sequence[Doc]) -> Section:
    rows = tuple(
        (
            spoken(str(item.get("team", ""))),
            spoken(str(item.get("measure", ""))),
            _bound(item),
            f"per {item.get('per', 'month')}",
        )
        for item in commitments
    )
    blocks = _filled([Block("", ("Team", "Measure", "Promise", "Period"), rows)])
    return Section("commitments", "What both teams promise", "", blocks)


def _bound(item: Doc) -> str:
    for key, word in (("at_least", "at least"), ("at_most", "at most")):
        if item.get(key) is not None:
            value = float(item[key])
            is_share = str(item.get("measure", "")).endswith("_share")
            return f"{word} {value:.0%}" if is_share else f"{word} {value:g}"
    return DASH


def _reports(reports: Sequence[Doc]) -> Section:
    rows = tuple(
        (
            spoken(str(report.get("name", ""))),
            ", ".join(spoken(str(number).removesuffix("_minor")).lower() for number in report.get("numbers") or ()),
            f"every {report.get('every', 'week')}",
        )
        for report in reports
    )
    return Section("reports", "What we look at together", "", _filled([Block("", ("Page", "Numbers", "When"), rows)]))


def _further(doc: Doc) -> Section:
    rows = tuple((spoken(key), str(value)) for key, value in doc.items() if key not in _KNOWN)
    return Section("further", "Further clauses", "", _filled([Block("", ("Clause", "Says"), rows)]))


def _plain(value: Any) -> str:  # noqa: ANN401  # a number of the document
    return "?" if value is None else f"{float(value):g}"


def _value(fact: str, value: Any) -> str:  # noqa: ANN401  # a value of the document
    return {"true": "yes", "false": "no"}.get(str(value).lower()) or label(fact, value)


def _lines(title: str, lines: Sequence[str]) -> Block:
    return Block(title, (), tuple((line,) for line in lines))


def _filled(blocks: Iterable[Block]) -> tuple[Block, ...]:
    return tuple(block for block in blocks if block.rows)
