"""Loads what a report needs in one read transaction and hands it to the pure functions that make it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.feedback.domain.attribution import Model
from services.feedback.domain.calibration import calibration_report
from services.feedback.domain.campaigns import CreditLine, Spend, campaigns_report
from services.feedback.domain.commitments import Facts, Period, Qualification, Standing, period_of, standing_of
from services.feedback.domain.journeys import Deal, Dimension, journeys
from services.feedback.domain.reports import (
    NAMES,
    Report,
    acceptance_report,
    funnel_report,
    review_report,
    speed_report,
)
from services.feedback.domain.retune import Wanted
from services.feedback.store import loop, models, money, outcomes, people, tuning
from services.feedback.usecases.agreements import active_agreement
from shared.contracts.agreement import Agreement
from shared.db.engine import ReadTx
from shared.errors import NotFound

EVER = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULT_PRODUCT = "default"
NO_CURRENCY = "none"


@dataclass(frozen=True, slots=True)
class ReportAsked:
    """Which report of which period; `by` groups the funnel, `model` shares the campaigns' credits."""

    name: str
    period: Period
    by: Dimension = ""
    model: Model = "first"


async def make_report(tx: ReadTx, asked: ReportAsked, *, declared_rate: float) -> Report:
    """The report as of now. Raises NotFound for a name that is none of ours."""
    match asked.name:
        case "funnel":
            return await _funnel(tx, asked)
        case "speed_to_lead":
            handoffs = await loop.handoffs_between(tx, asked.period.since, asked.period.until)
            return speed_report(handoffs, asked.period)
        case "acceptance":
            return acceptance_report(await load_facts(tx), asked.period, tx.now)
        case "campaigns":
            return await _campaigns(tx, asked)
        case "calibration":
            return await _calibration(tx, asked.period, declared_rate=declared_rate)
        case "loop_review":
            return await _review(tx, asked.period)
        case _:
            raise NotFound(f"There is no report {asked.name}; there are {', '.join(NAMES)}.")


async def make_commitments(tx: ReadTx, *, at: datetime) -> list[Standing]:
    """Every commitment of the active agreement in the period that `at` lies in, judged as of now."""
    agreement = await active_agreement(tx)
    facts = await load_facts(tx)
    return [
        standing_of(commitment, facts, period=period_of(at, commitment.per), now=tx.now)
        for commitment in agreement.commitments
    ]


async def load_facts(tx: ReadTx) -> Facts:
    """Qualifications and handoffs up to now, by the root of each person's tree."""
    qualified = await loop.qualified_between(tx, EVER, tx.now)
    return Facts(
        qualifications=[Qualification(lead_id=lead_id, at=at) for lead_id, at in qualified],
        handoffs=await loop.handoffs_between(tx, EVER, tx.now),
    )


async def wanted_now(tx: ReadTx, *, declared_rate: float, as_of: datetime) -> Wanted:
    """What a fit or a calibration is judged by: horizon and facts of the active agreement."""
    agreement = await active_agreement(tx)
    thresholds = agreement.criteria_of(DEFAULT_PRODUCT).thresholds
    return Wanted(
        family="points_platt",
        as_of=as_of,
        horizon_days=float(thresholds.horizon_days),
        declared_rate=declared_rate,
        agreement_version=agreement.agreement.version,
        qualify=thresholds.qualify,
    )


async def load_deals(tx: ReadTx, *, until: datetime) -> list[Deal]:
    """Deals opened before a moment, by the root of their person's tree."""
    return [
        Deal(
            opportunity_id=row.opportunity_id,
            lead_id=root_id,
            result=row.result,
            opened_at=row.opened_at,
            occurred_at=row.occurred_at,
            amount_minor=row.amount_minor or 0,
            currency=row.currency or NO_CURRENCY,
        )
        for row, root_id in await outcomes.opportunities_until(tx, until)
    ]


async def _funnel(tx: ReadTx, asked: ReportAsked) -> Report:
    facts = await load_facts(tx)
    found = journeys(
        await people.people_known(tx, until=asked.period.until),
        facts.qualifications,
        facts.handoffs,
        await load_deals(tx, until=tx.now),
        by=asked.by,
    )
    return funnel_report(found, asked.period, is_grouped=bool(asked.by))


async def _campaigns(tx: ReadTx, asked: ReportAsked) -> Report:
    period = asked.period
    deals = await load_deals(tx, until=period.until)
    credited = await money.credits_for(tx, [deal.opportunity_id for deal in deals])
    spend = await money.spend_between(tx, period.since.date(), period.until.date())
    return campaigns_report(
        deals,
        [
            CreditLine(
                opportunity_id=row["opportunity_id"],
                traffic_source=row["traffic_source"],
                campaign=row["campaign"],
                is_attributed=row["activity_id"] is not None,
                amount_minor=row["amount_minor"],
            )
            for row in credited
            if row["model"] == asked.model
        ],
        _spend(spend),
        period,
        model=asked.model,
    )


async def _calibration(tx: ReadTx, period: Period, *, declared_rate: float) -> Report:
    wanted = await wanted_now(tx, declared_rate=declared_rate, as_of=tx.now)
    model_id, _ = await models.active_model(tx, DEFAULT_PRODUCT)
    promoted = None if model_id is None else await models.model_of(tx, model_id)
    return calibration_report(
        await tuning.training_rows(tx, as_of=tx.now, product=DEFAULT_PRODUCT),
        await outcomes.endings_as_of(tx, tx.now),
        wanted=wanted,
        period=period,
        gate={} if promoted is None else promoted.metrics,
    )


async def _review(tx: ReadTx, period: Period) -> Report:
    agreement = await active_agreement(tx)
    deals = await load_deals(tx, until=tx.now)
    return review_report(_numbers(agreement), await load_facts(tx), deals, period, tx.now)


def _numbers(agreement: Agreement) -> Sequence[str]:
    named = {report.name: report.numbers for report in agreement.reports}
    return named.get("loop_review", [])


def _spend(rows: Sequence[money.SpendRow]) -> list[Spend]:
    return [
        Spend(
            since_on=row.since_on,
            until_on=row.until_on,
            traffic_source=row.traffic_source,
            campaign=row.campaign,
            amount_minor=row.amount_minor,
            currency=row.currency,
        )
        for row in rows
    ]
