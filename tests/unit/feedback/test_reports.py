"""Reports: a cohort that only narrows, speed in its bands, money per currency, each number with its leads."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.feedback.domain.campaigns import CreditLine, Spend, campaigns_report, spend_in
from services.feedback.domain.commitments import Facts, Period, Qualification
from services.feedback.domain.funnel import STAGES
from services.feedback.domain.journeys import Deal, Person, journeys
from services.feedback.domain.money import is_currency, minor_of
from services.feedback.domain.numbers import NUMBERS
from services.feedback.domain.reports import acceptance_report, funnel_report, review_report, speed_report
from shared.ids import derived_id
from tests.support.builders.feedback import START, days, hours, lead_id, record, step

JUNE = Period(since=datetime(2026, 6, 1, tzinfo=UTC), until=datetime(2026, 7, 1, tzinfo=UTC))


def person(name: str, **changes: Any) -> Person:  # noqa: ANN401 - any field of Person
    values: dict[str, Any] = {
        "lead_id": lead_id(name),
        "known_at": START,
        "engaged_at": None,
        "traffic_source": "",
        "campaign": "",
        "entry_channel": "web",
    }
    return Person(**values | changes)


def deal(name: str, result: str = "won", *, amount: int = 1_000, currency: str = "EUR", opened: float = 1) -> Deal:
    return Deal(
        opportunity_id=derived_id("deal", name, currency),
        lead_id=lead_id(name),
        result=result,
        opened_at=days(opened),
        occurred_at=days(opened + 1),
        amount_minor=amount,
        currency=currency,
    )


def test_a_person_at_a_stage_was_at_every_stage_before() -> None:
    """Opened by hand and won: still known, engaged and qualified, at the latest when the next stage was reached."""
    handoff = record("kim", step(1, "opened", at=hours(2)), step(2, "accepted", at=hours(3)))
    found = journeys([person("kim"), person("ann")], [], [handoff], [deal("kim")])
    report = funnel_report(found, JUNE, is_grouped=False)
    assert [each["count"] for each in report.beside["steps"]] == [2, 1, 1, 1, 1, 1, 1]
    assert report.beside["steps"][2]["share_of_previous"] == 1.0
    assert [cell.key for cell in report.cells][: len(STAGES)] == list(STAGES)


def test_who_a_rep_confirmed_is_sales_qualified_and_whom_a_rep_sent_back_is_not() -> None:
    confirmed = record("kim", step(1, "opened"), step(2, "disposed", at=hours(3), disposition="opportunity"))
    sent_back = record("ann", step(1, "opened"), step(2, "disposed", at=hours(3), disposition="recycle"))
    found = journeys([person("kim"), person("ann")], [], [confirmed, sent_back], [])
    assert [each.reached.get("sales_qualified") for each in found] == [hours(3), None]


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("source", ["ads", "direct"]),
        ("campaign", ["none", "x"]),
        ("channel", ["unknown", "web"]),
        ("tier", ["none", "scored"]),
    ],
)
def test_groups_hold_each_person_once(by: Any, names: list[str]) -> None:  # noqa: ANN401 - a Dimension
    people = [person("kim", traffic_source="ads", campaign="x"), person("ann", entry_channel="")]
    found = journeys(people, [], [record("kim", step(1, "opened"))], [], by=by)
    groups = funnel_report(found, JUNE, is_grouped=True).beside["groups"]
    assert [group["name"] for group in groups] == names
    assert sum(group["steps"][0]["count"] for group in groups) == 2


def test_who_stands_aside_is_named_by_the_newest_handoff() -> None:
    handoffs = [
        record(
            "kim", step(1, "opened"), step(2, "disposed", disposition="recycle", reason_code="other", state="nurture")
        ),
        record("ann", step(1, "opened"), step(2, "rejected", reason_code="no_need", state="nurture")),
        record("bob", step(1, "opened"), step(2, "rejected", reason_code="no_fit", state="disqualified")),
    ]
    found = journeys([person(name) for name in ("kim", "ann", "bob")], [], handoffs, [])
    detours = funnel_report(found, JUNE, is_grouped=False).beside["detours"]
    assert {each["name"]: each["count"] for each in detours if each["count"]} == {
        "recycled": 1,
        "nurture": 1,
        "disqualified": 1,
    }


def test_speed_counts_the_waiting_beside_and_bands_hold_every_touch_once() -> None:
    handoffs = [
        record(f"l{minutes}", step(1, "opened"), step(2, "touched", at=hours(minutes / 60)))
        for minutes in (1, 10, 30, 90, 300)
    ]
    report = speed_report([*handoffs, record("w", step(1, "opened"))], JUNE)
    values = {cell.key: cell.value for cell in report.cells}
    assert (values["touched"], values["waiting"]) == (5, 1)
    assert values["speed_to_lead_p50"] == 1800
    assert values["share_over_4h"] == pytest.approx(0.2)
    assert [values[f"band/{band}"] for band in ("0-5 min", "5-15 min", "15-60 min", "60+ min")] == [1, 1, 1, 2]
    assert next(cell.value for cell in speed_report([], JUNE).cells if cell.key == "speed_to_lead_p50") is None


def test_reasons_of_rejection_open_to_their_leads_worst_first() -> None:
    handoffs = [
        record(name, step(1, "opened"), step(2, "rejected", reason_code=reason))
        for name, reason in (("a", "no_fit"), ("b", "bad_data"), ("c", "bad_data"))
    ]
    report = acceptance_report(Facts([], handoffs), JUNE, days(90))
    assert [cell.key for cell in report.cells if cell.key.startswith("reject/")] == ["reject/bad_data", "reject/no_fit"]


def test_the_agreed_page_has_the_numbers_the_agreement_names() -> None:
    facts = Facts([Qualification(lead_id("kim"), START)], [record("kim", step(1, "opened"), step(2, "touched"))])
    deals = [deal("kim"), deal("ann", "open", currency="USD"), deal("bob", "lost")]
    report = review_report(list(NUMBERS), facts, deals, JUNE, days(90))
    values = {cell.key: cell.value for cell in report.cells}
    assert values["opportunities"] == 3
    assert (values["pipeline_minor/USD"], values["revenue_minor/EUR"]) == (1_000, 1_000)
    assert values["speed_to_lead_p95"] == 0


def test_money_lines_sum_to_the_whole_and_unattributed_stays_visible() -> None:
    won, lost = deal("kim", amount=900), deal("ann", "lost", amount=100)
    credited = [
        CreditLine(won.opportunity_id, "ads", "june", is_attributed=True, amount_minor=450),
        CreditLine(won.opportunity_id, "direct", "", is_attributed=True, amount_minor=450),
        CreditLine(lost.opportunity_id, "", "", is_attributed=False, amount_minor=100),
    ]
    spend = [Spend(date(2026, 6, 1), date(2026, 6, 30), "ads", "june", 300, "EUR")]
    report = campaigns_report([won, lost], credited, spend, JUNE, model="linear")
    rows = {row["source"]: row for row in report.beside["rows"]}
    assert sum(row["pipeline_minor"] for row in rows.values()) == 1_000
    assert rows["unattributed"]["pipeline_minor"] == 100
    assert (rows["ads"]["cac_minor"], rows["ads"]["roi"]) == (600, 0.5)
    assert rows["direct"]["roi"] is None


def test_spend_is_shared_over_its_days() -> None:
    line = Spend(date(2026, 5, 31), date(2026, 6, 2), "ads", "", 300, "EUR")
    assert spend_in(line, JUNE) == 200
    assert spend_in(Spend(date(2026, 6, 29), date(2026, 7, 1), "ads", "", 300, "EUR"), JUNE) == 200
    assert spend_in(Spend(date(2026, 8, 1), date(2026, 8, 2), "ads", "", 300, "EUR"), JUNE) == 0


def test_amounts_keep_every_minor_unit_or_are_refused() -> None:
    assert (minor_of("12.34", "EUR"), minor_of("12", "JPY"), minor_of("1.234", "KWD")) == (1234, 12, 1234)
    assert minor_of("12.345", "EUR") == "has more than the 2 decimals of EUR"
    assert minor_of("1e3", "EUR") == 100_000
    assert minor_of("twelve", "EUR") == minor_of("nan", "EUR") == "is not a number"
    assert minor_of("1e30", "EUR") == "is larger than an amount can be"
    assert is_currency("EUR")
    assert not is_currency("eur")
