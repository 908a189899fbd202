"""Whether somebody is qualified, as both teams agreed: one section of the page per product."""

from collections.abc import Sequence
from typing import Any

from services.console.domain.agreement.blocks import (
    Block,
    Doc,
    Section,
    filled,
    lines,
)
from services.console.domain.words import label, points_text, spoken

__all__ = ["criteria_section"]


def criteria_section(item: Doc) -> Section:
    """The criteria of one product: thresholds, points, what is taken off, exploration, examples."""
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
        lines("Never qualifies", [spoken(str(rule)) for rule in item.get("hard_rules") or ()]),
        Block("Fit: who they are", ("Fact", "Value", "Points"), fit),
        *(_engagement(group) for group in item.get("engagement") or ()),
        _negative(item.get("negative") or {}),
        lines("Hand-raisers skip the engagement points", [_what(line) for line in item.get("hand_raisers") or ()]),
        _account(item.get("account") or {}),
        _exploration(item.get("exploration") or {}),
        _examples(item.get("examples") or ()),
    ]
    title = f"Qualified: {item.get('product', 'default')}"
    return Section(f"qualified-{item.get('product', 'default')}", title, intro, filled(blocks))


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
    return lines(
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
    return lines(
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


def _plain(value: Any) -> str:  # noqa: ANN401  # a number of the document
    return "?" if value is None else f"{float(value):g}"


def _value(fact: str, value: Any) -> str:  # noqa: ANN401  # a value of the document
    return {"true": "yes", "false": "no"}.get(str(value).lower()) or label(fact, value)
