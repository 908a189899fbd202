"""What a model may read: declared, known at emission, and not smelling of the outcome."""

from datetime import datetime

import numpy as np

from services.feedback.domain.provenance import (
    declared_of,
    honest,
    late_facts,
    refused_by_provenance,
    smells,
    writer_of,
)
from tests.support.builders.feedback import START, days


def test_a_fact_nobody_declared_or_that_sales_writes_is_refused() -> None:
    names = ["title_level", "Tags", "count.call_connected", "weight.page_view:blog", "lead_quality.x"]
    refused = [refusal.fact for refusal in refused_by_provenance(names, declared_of(names))]
    assert refused == ["Tags", "count.call_connected", "lead_quality.x"]
    assert writer_of("weight.page_view:blog") == "lead"


def test_a_fact_known_only_after_the_decision_is_refused() -> None:
    known: dict[str, list[datetime | None]] = {"fit": [START, None], "notes": [days(1), START]}
    (refusal,) = late_facts(known, [START, START])
    assert (refusal.fact, refusal.reason) == ("notes", "known only after the decision on 1 rows")


def test_a_column_that_is_the_outcome_smells() -> None:
    won = np.array([1.0, 0.0] * 100)
    columns: dict[str, list[str | None]] = {
        "tags": ["closed" if each else "lost" for each in won],
        "minutes": [str(100 * each + at % 7) for at, each in enumerate(won)],
        "pages": [str(at % 9) for at in range(200)],
        "country": ["DE", "DE", "FR", "FR"] * 50,
    }
    assert [refusal.fact for refusal in smells(columns, won)] == ["minutes", "tags"]


def test_a_cell_without_any_win_smells_when_chance_cannot_explain_it() -> None:
    won = np.array([0.0] * 40 + [1.0, 0.0] * 80)
    columns: dict[str, list[str | None]] = {
        "stage": ["dead" if at < 40 else "alive" for at in range(200)],
        "none": [None if at < 40 else "x" for at in range(200)],
    }
    found = {refusal.fact: refusal.reason for refusal in smells(columns, won)}
    assert "40 rows has no win" in found["stage"]
    assert "none" in found
    assert smells(columns, np.zeros(200)) == ()


def test_the_line_tells_what_was_refused_or_that_nothing_was() -> None:
    assert honest((), rows=10, facts=2).is_passed
    line = honest(refused_by_provenance(["Tags"], {}), rows=10, facts=1)
    assert not line.is_passed
    assert "Tags" in line.detail


def test_what_the_decision_counted_itself_is_declared() -> None:
    """The scorecard starts from the signed points; refusing them would mean that it never passes G5."""
    assert refused_by_provenance(["points", "fit", "engagement"], declared_of(["points", "fit", "engagement"])) == ()
