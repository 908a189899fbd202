"""What money brought: spend, sourced pipeline and revenue, new customers, CAC and ROI per source and campaign.

Sourced = the credits of one attribution model; what no touchpoint explains stands in its own visible line, so the
lines sum to the whole. Currencies are never added. Pure. DOMAIN 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from services.feedback.domain.attribution import Model
from services.feedback.domain.commitments import Period
from services.feedback.domain.journeys import Deal
from services.feedback.domain.reports import Cell, Report

UNATTRIBUTED = "unattributed"


@dataclass(frozen=True, slots=True)
class CreditLine:
    """One stored credit of a deal; no source means nobody was touched."""

    opportunity_id: UUID
    traffic_source: str
    campaign: str
    is_attributed: bool
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Spend:
    """Money spent on a source or campaign over whole days, both ends included."""

    since_on: date
    until_on: date
    traffic_source: str
    campaign: str
    amount_minor: int
    currency: str


@dataclass(slots=True)
class _Line:
    """What one source and campaign came to, in one currency."""

    spend: int = 0
    pipeline: int = 0
    revenue: int = 0
    customers: float = 0.0
    lead_ids: tuple[UUID, ...] = ()

    @property
    def cac(self) -> float | None:
        """Spend per new customer."""
        return self.spend / self.customers if self.customers else None

    @property
    def roi(self) -> float | None:
        """(revenue - spend) / spend."""
        return (self.revenue - self.spend) / self.spend if self.spend else None


def campaigns_report(
    deals: Sequence[Deal],
    credits_of_model: Sequence[CreditLine],
    spend: Sequence[Spend],
    period: Period,
    *,
    model: Model,
) -> Report:
    """Deals opened in the period by the credits of one model, beside the spend of its days."""
    lines = _lines(deals, credits_of_model, spend, period)
    cells: list[Cell] = []
    for (source, campaign, currency), line in sorted(lines.items()):
        key = f"{source}/{campaign or '-'}/{currency}"
        money = f"{currency} minor"
        cells += [
            Cell(f"{key}/spend", "spend", line.spend, money),
            Cell(f"{key}/pipeline", "pipeline sourced", line.pipeline, money, line.lead_ids),
            Cell(f"{key}/revenue", "revenue sourced", line.revenue, money, line.lead_ids),
            Cell(f"{key}/customers", "new customers sourced", line.customers, "customers", line.lead_ids),
            Cell(f"{key}/cac", "spend per new customer", line.cac, money),
            Cell(
                f"{key}/roi",
                "(revenue - spend) / spend",
                line.roi,
                "ratio",
            ),
        ]
    return Report(
        name="campaigns",
        definition="Deals opened in the period shared by credit, and the spend of its days, per source and campaign.",
        period=period,
        cells=tuple(cells),
        beside={"model": model, "rows": [_row(named, line) for named, line in sorted(lines.items())]},
    )


def spend_in(line: Spend, period: Period) -> int:
    """The part of a spend line that falls on the days of the period, shared evenly over its days, rounded down."""
    days = (line.until_on - line.since_on).days + 1
    last = (period.until - timedelta(microseconds=1)).date()
    inside = (min(line.until_on, last) - max(line.since_on, period.since.date())).days + 1
    return line.amount_minor * max(0, inside) // days


def _lines(
    deals: Sequence[Deal], credited: Sequence[CreditLine], spend: Sequence[Spend], period: Period
) -> dict[tuple[str, str, str], _Line]:
    lines: dict[tuple[str, str, str], _Line] = {}
    own = {deal.opportunity_id: deal for deal in deals if _is_opened_in(deal, period.since, period.until)}
    parts: dict[UUID, int] = {}
    for each in credited:
        parts[each.opportunity_id] = parts.get(each.opportunity_id, 0) + 1
    for each in credited:
        deal = own.get(each.opportunity_id)
        if deal is None:
            continue
        source = each.traffic_source if each.is_attributed else UNATTRIBUTED
        line = lines.setdefault((source, each.campaign, deal.currency), _Line())
        line.pipeline += each.amount_minor
        line.lead_ids = tuple(dict.fromkeys((*line.lead_ids, deal.lead_id)))
        if deal.result == "won":
            line.revenue += each.amount_minor
            line.customers += 1 / parts[each.opportunity_id]
    for each_spend in spend:
        key = (each_spend.traffic_source or "direct", each_spend.campaign, each_spend.currency)
        lines.setdefault(key, _Line()).spend += spend_in(each_spend, period)
    return lines


def _row(named: tuple[str, str, str], line: _Line) -> dict[str, object]:
    source, campaign, currency = named
    return {
        "source": source,
        "campaign": campaign,
        "currency": currency,
        "spend_minor": line.spend,
        "pipeline_minor": line.pipeline,
        "revenue_minor": line.revenue,
        "customers": line.customers,
        "cac_minor": line.cac,
        "roi": line.roi,
    }


def _is_opened_in(deal: Deal, since: datetime, until: datetime) -> bool:
    return since <= deal.opened_at < until
