"""The agreement as people read it: every clause of the document as sentences and tables, in the order of its sections.

Reads the published JSON and nothing else, so what stands on the page is what decides. A clause this page does not know
is shown under "Further clauses", never left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.console.domain.agreement.blocks import Block, Doc, Section, filled, lines
from services.console.domain.agreement.criteria import criteria_section
from services.console.domain.agreement.terms import routing_section, sla_section
from services.console.domain.records import AgreementRow
from services.console.domain.words import DASH, label, spoken

__all__ = ["AgreementPage", "agreement_page", "in_force"]

_KNOWN = frozenset(
    {"agreement", "parties", "products", "qualification", "routing", "sla", "reasons", "commitments", "reports"}
)
_REASON_TITLES = {"reject": "Reasons to reject", "recycle": "Reasons to recycle", "lost": "Reasons a deal was lost"}


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
        *(criteria_section(item) for item in doc.get("qualification") or ()),
        routing_section(doc.get("routing") or {}),
        sla_section(doc.get("sla") or {}),
        _reasons(doc.get("reasons") or {}),
        _commitments(doc.get("commitments") or ()),
        _reports(doc.get("reports") or ()),
        _further(doc),
    ]
    return AgreementPage(row, tuple(section for section in sections if section.blocks or section.intro))


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


def _reasons(reasons: Doc) -> Section:
    blocks = []
    for group, codes in reasons.items():
        if not isinstance(codes, Mapping):
            blocks.append(lines(f"Reasons to {group}", [label("reason", code) for code in codes]))
            continue
        rows = tuple((label("reason", code), *_reason_route(route)) for code, route in codes.items())
        blocks.append(Block(_REASON_TITLES.get(group, spoken(group)), ("Reason", "The lead", "Also asks for"), rows))
    intro = "Nobody gives a lead back without one of these." if reasons else ""
    return Section("reasons", "Reasons", intro, filled(blocks))


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
    blocks = filled([Block("", ("Team", "Measure", "Promise", "Period"), rows)])
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
    return Section("reports", "What we look at together", "", filled([Block("", ("Page", "Numbers", "When"), rows)]))


def _further(doc: Doc) -> Section:
    rows = tuple((spoken(key), str(value)) for key, value in doc.items() if key not in _KNOWN)
    return Section("further", "Further clauses", "", filled([Block("", ("Clause", "Says"), rows)]))
