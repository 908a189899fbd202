"""Accounts from their people, terms that switch, explanations as of then, decisions that replay, the ledger."""

from datetime import datetime, timedelta
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from services.scoring.store.decisions import decision_by_id
from services.scoring.store.ledger import LEDGER, due_work
from services.scoring.usecases.activate_terms import activate_due_agreement
from services.scoring.usecases.explain import (
    Explained,
    explain_account,
    explain_decision,
    explain_score,
    replayed,
)
from services.scoring.usecases.keep_house import drop_old_history
from shared.contracts.agreement import Agreement, canonical_json, default_agreement, sha256_of
from shared.contracts.agreements import AgreementPublished
from shared.contracts.envelope import Event
from shared.contracts.model_card import ModelCard
from shared.contracts.models import ModelPromoted, ModelPublished
from shared.db.engine import reading, transaction
from shared.db.ledger import find_gaps
from shared.errors import NotFound
from shared.ids import AccountId, LeadId, derived_id
from shared.stream.handlers import ParkError
from tests.integration.scoring.desk import ScoringDesk
from tests.support.builders.scoring import (
    START,
    activity,
    consent,
    correction,
    days,
    deal,
    handoff,
    lead_id,
    linked,
    merged,
    profile,
    split,
)

ACME = AccountId(derived_id("test account", "acme"))
KIM = LeadId(lead_id("kim"))


async def explained(desk: ScoringDesk, lead: str = "kim", at: datetime | None = None) -> Explained:
    async with reading(desk.database) as tx:
        return await explain_score(tx, LeadId(lead_id(lead)), terms_kept=desk.desk.terms, at=at)


def published(agreement: Agreement, *, version: int, at: datetime = START) -> Event[AgreementPublished]:
    document = canonical_json(agreement)
    payload = AgreementPublished(
        agreement_id="default",
        version=version,
        effective_from=at,
        document=document,
        sha256=sha256_of(document),
        is_unsigned_default=False,
    )
    return Event.first(payload, source="/baton/test", occurred_at=at, recorded_at=at)


def edited(**changes: int) -> Agreement:
    """The default agreement with other thresholds."""
    agreement = default_agreement()
    criteria = agreement.criteria_of("default")
    thresholds = criteria.thresholds.model_copy(update=changes)
    return agreement.model_copy(update={"qualification": [criteria.model_copy(update={"thresholds": thresholds})]})


def model(card: ModelCard, *, name: str = "m1", at: datetime = START) -> Event[ModelPublished]:
    payload = ModelPublished(
        model_id=derived_id("test model", name),
        family=card.family,
        slot="default",
        agreement_version=1,
        trained_as_of=at,
        window_from=at,
        rows_sha256="0" * 64,
        wins=20,
        losses=30,
        open=0,
        open_weight=0,
        rho=1,
        card=card.model_dump_json(),
    )
    return Event.first(payload, source="/baton/test", occurred_at=at, recorded_at=at)


def promoted(name: str = "m1", *, generation: int = 1, p_threshold: float = 0.3) -> Event[ModelPromoted]:
    payload = ModelPromoted(
        model_id=derived_id("test model", name),
        slot="default",
        generation=generation,
        p_threshold=p_threshold,
        reason="gate passed",
    )
    return Event.first(payload, source="/baton/test", occurred_at=START, recorded_at=START)


async def person_of_acme(desk: ScoringDesk, lead: str, *did: tuple[str, str | None]) -> None:
    events = [activity(lead, kind, number=number, content=content) for number, (kind, content) in enumerate(did)]
    about = (consent(lead), profile(lead, title_level="staff"), linked(lead, "acme", is_target=False))
    await desk.feed(*about, *events)


async def test_two_engaged_people_qualify_an_account_that_no_one_of_them_does(desk: ScoringDesk) -> None:
    quiet = ("download", "white_paper"), ("webinar_registered", None)
    for lead in ("a", "b", "c", "d"):
        await person_of_acme(desk, lead, *quiet)
    assert await desk.accounts() == 1
    assert await desk.accounts() == 0
    (scored,) = await desk.emitted("account.scored")
    assert (scored["people"], scored["engaged_people"], scored["score"]) == (4, 4, 68)
    assert sum(reason["points"] for reason in scored["reasons"]) == scored["engagement"]
    (qualified,) = await desk.emitted("account.qualified")
    assert (qualified["number"], qualified["is_qualified"]) == (1, True)
    assert qualified["lead_id"] in {str(lead_id(lead)) for lead in "abcd"}
    async with reading(desk.database) as tx:
        assert (await explain_account(tx, ACME))["score"] == 68
        assert (await explain_decision(tx, derived_id("scoring", "account_qualified", ACME, 1)))["number"] == 1


async def test_a_hot_account_is_computed_once_a_round_and_a_changed_link_leaves_the_old_one(desk: ScoringDesk) -> None:
    await person_of_acme(desk, "a", ("pricing_viewed", None), ("pricing_viewed", None))
    await desk.feed(activity("a", "webinar_attended"))
    assert await desk.accounts() == 1
    await desk.feed(linked("a", "beta", version=2))
    assert await desk.accounts() == 2
    people = {each["account_id"]: each["engaged_people"] for each in await desk.emitted("account.scored")}
    assert people == {str(ACME): 0, str(derived_id("test account", "beta")): 1}


async def test_a_won_deal_makes_the_whole_account_a_customer(desk: ScoringDesk) -> None:
    await person_of_acme(desk, "a", ("pricing_viewed", None))
    await desk.feed(deal("a", "won"))
    await desk.accounts()
    await desk.feed(consent("kim"), profile("kim"), linked("kim", "acme"), activity("kim", "demo_requested"))
    assert await desk.emitted("lead.qualified") == []
    assert (await explained(desk)).judgement.case.hard_rules == ("customer",)
    await desk.accounts()
    assert await desk.emitted("account.qualified") == []


async def test_an_account_is_looked_at_again_when_its_moment_comes(desk: ScoringDesk) -> None:
    for lead in ("a", "b", "c", "d"):
        await person_of_acme(desk, lead, ("download", "white_paper"), ("webinar_registered", None))
    await desk.accounts()
    async with reading(desk.database) as tx:
        due = await due_work(tx)
    assert (due.due, due.next_due_at) == (0, START + timedelta(hours=24))
    await desk.at(START + days(80))
    await desk.recheck()
    assert await desk.accounts() == 1
    assert not (await desk.emitted("account.scored"))[-1]["is_qualified"]


async def test_a_past_moment_is_explained_from_what_was_known_then(desk: ScoringDesk) -> None:
    await desk.feed(consent("kim"), profile("kim"), linked("kim", "acme"))
    click = activity("kim", "email_click", at=START + days(1))
    await desk.feed(click, activity("kim", "pricing_viewed", at=START + days(1)), at=START + days(1))
    then = START + days(2)
    await desk.at(then)
    before = await explained(desk)
    late = activity("kim", "webinar_attended", at=START + days(1), learned=START + days(5))
    await desk.feed(
        late,
        correction(click, human=0.0, at=START + days(5)),
        profile("kim", version=2, title_level="student", at=START + days(5)),
        consent("kim", version=2, given="withdrawn", at=START + days(5)),
        at=START + days(5),
    )
    after = await explained(desk, at=then)
    assert (after.judgement.score, after.facts, after.lines) == (before.judgement.score, before.facts, before.lines)
    assert after.judgement.is_scored
    assert not (await explained(desk)).judgement.is_scored
    with pytest.raises(NotFound):
        await explained(desk, at=START - days(1))
    with pytest.raises(NotFound):
        await explained(desk, "nobody")


async def test_the_tree_of_then_is_the_tree_of_the_answer(desk: ScoringDesk) -> None:
    for lead in ("a", "b"):
        await desk.feed(consent(lead), profile(lead), activity(lead, "pricing_viewed"))
    await desk.feed(merged("b", "a", at=START + days(1)), at=START + days(1))
    await desk.feed(split("b", "a", at=START + days(2)), at=START + days(2))
    await desk.at(START + days(3))
    sizes = [len((await explained(desk, "a", at=START + days(day))).person.members) for day in (0.5, 1.5, 2.5)]
    assert sizes == [1, 2, 1]
    assert (await explained(desk, "b", at=START + days(1.5))).person.root_id == lead_id("a")


async def test_the_kept_row_is_the_fold_of_the_history(desk: ScoringDesk) -> None:
    events = [
        activity("kim", kind, number=number, at=START - days(number), learned=START, content=content)
        for number, (kind, content) in enumerate(
            [("pricing_viewed", None), ("page_view", "careers"), ("download", "white_paper"), ("email_click", None)]
        )
    ]
    await desk.feed(consent("kim"), profile("kim"), *reversed(events), handoff("kim", "qualified"))
    now = await explained(desk)
    await desk.at(START + timedelta(microseconds=1))
    past = await explained(desk, at=START)
    assert past.person.sums == now.person.sums
    assert past.judgement.score == now.judgement.score
    assert past.judgement.case == now.judgement.case


async def test_every_stored_decision_replays_identically(desk: ScoringDesk) -> None:
    card = ModelCard(family="points_platt", agreement_version=1, base=-70, a=1.2)
    await desk.feed(model(card))
    await desk.feed(promoted())
    for lead, kinds in {"kim": ["demo_requested", "email_spam"], "lee": ["pricing_viewed", "webinar_attended"]}.items():
        events = [activity(lead, kind, at=START - days(2), learned=START) for kind in kinds]
        await desk.feed(consent(lead), profile(lead), linked(lead, "acme"), *events)
    rows = await desk.rows("select decision_id from decision")
    assert len(rows) == 2
    async with reading(desk.database) as tx:
        for row in rows:
            decision = await decision_by_id(tx, row.decision_id)
            assert decision is not None
            assert await replayed(tx, decision)
        answered = await explain_decision(tx, rows[0].decision_id)
    assert answered["is_replayed_identically"]
    assert answered["model_id"] == str(derived_id("test model", "m1"))
    assert 0 < answered["p_win"] < 1


async def test_under_a_promoted_scorecard_lines_name_what_counted_wherever_they_go(desk: ScoringDesk) -> None:
    card = ModelCard(family="scorecard", agreement_version=1, base=-30, a=1.0)
    await desk.feed(model(card))
    await desk.feed(promoted())
    acts = [activity("kim", "demo_requested", at=START - days(2), learned=START), activity("kim", "pricing_viewed")]
    await desk.feed(consent("kim"), profile("kim"), linked("kim", "acme"), *acts)
    (qualified,) = await desk.emitted("lead.qualified")
    told = {each["line"]: each["points"] for each in qualified["lines"]}
    assert {"demo_requested", "pricing_viewed", "title_level=vp"} < told.keys()
    assert sum(told.values()) == qualified["score"]
    assert not any(each["line"].startswith("model:") for each in qualified["reasons"])
    by_now = await explained(desk)
    assert {each["line"]: each["points"] for each in by_now.lines} == told
    assert any(each["sentence"].startswith("Where every lead starts") for each in by_now.lines)
    async with reading(desk.database) as tx:
        assert (await explain_decision(tx, UUID(qualified["decision_id"])))["is_replayed_identically"]
    # What was stored before lines named the criteria is held to its numbers and the sum of its lines. It does not
    # say what a fact was, so its sentences tell nothing of that either.
    start = qualified["score"] - 43
    told_then = [["model:scale", 40], ["model:points", start], ["model:title_level", 5], ["model:count.page_view", -2]]
    read_then = [
        "Model: scale (+40)",
        f"Model: points ({start:+d})",
        "Model: title level (+5)",
        "Model: count.page view (-2)",
    ]
    for lines, is_same, read in ((told_then, True, read_then), ([["model:scale", 41]], False, ["Model: scale (+41)"])):
        listed = orjson.dumps([{"line": line, "points": points} for line, points in lines]).decode()
        await desk.write(
            "update decision set content = jsonb_set(content::jsonb, '{lines}', cast(:lines as jsonb))::text",
            lines=listed,
        )
        async with reading(desk.database) as tx:
            answered = await explain_decision(tx, UUID(qualified["decision_id"]))
        assert answered["is_replayed_identically"] is is_same
        assert answered["sentences"] == read


async def test_an_agreement_decides_from_its_moment_and_all_leads_are_scored_again(desk: ScoringDesk) -> None:
    await desk.feed(consent("kim"), profile("kim"), linked("kim", "acme"), activity("kim", "pricing_viewed"))
    assert await desk.emitted("lead.qualified") == []
    await desk.feed(published(default_agreement(), version=1))
    assert await desk.rescan() == 0  # the same terms as the shipped default
    later = START + timedelta(hours=1)
    await desk.feed(published(edited(qualify=60), version=2, at=later))
    assert await desk.rescan() == 0
    await desk.at(later)
    async with transaction(desk.database, "periodic") as tx:
        await activate_due_agreement(tx)
    assert await desk.rescan() == 1
    assert await desk.rescan() == 0
    (qualified,) = await desk.emitted("lead.qualified")
    assert (qualified["score"], qualified["agreement_version"]) == (60, 2)
    await desk.feed(published(edited(qualify=90), version=1, at=later))  # an old version changes nothing
    assert (await explained(desk)).ruling.version == 2
    await desk.at(later + days(1))
    assert (await explained(desk, at=START + timedelta(minutes=5))).ruling.version == 1


async def test_new_half_lives_fold_members_again_from_their_history(desk: ScoringDesk) -> None:
    seen = activity("kim", "pricing_viewed", at=START - days(14), learned=START)
    await desk.feed(consent("kim"), profile("kim"), seen)
    assert (await explained(desk)).judgement.score.engagement == 10
    agreement = default_agreement()
    text_of = canonical_json(agreement).replace('"half_life_days":14.0', '"half_life_days":14000.0')
    slower = Agreement.model_validate_json(text_of)
    await desk.feed(published(slower, version=2))
    await desk.rescan()
    assert (await explained(desk)).judgement.score.engagement == 20
    await desk.feed(activity("kim", "pricing_viewed", number=2))
    assert (await explained(desk)).judgement.score.engagement == 40


async def test_a_document_that_is_no_agreement_is_parked(desk: ScoringDesk) -> None:
    payload = AgreementPublished(
        agreement_id="default",
        version=3,
        effective_from=START,
        document='{"agreement": 1}',
        sha256="",
        is_unsigned_default=False,
    )
    with pytest.raises(ParkError):
        await desk.feed(Event.first(payload, source="/baton/test", occurred_at=START, recorded_at=START))


async def test_a_promoted_model_gives_p_win_and_an_older_generation_does_nothing(desk: ScoringDesk) -> None:
    await desk.feed(consent("kim"), profile("kim"), activity("kim", "pricing_viewed"))
    platt = ModelCard(family="points_platt", agreement_version=1, base=-40, a=1.0)
    steep = ModelCard(family="scorecard", agreement_version=1, base=0, a=2.0)
    await desk.feed(promoted("m1", generation=1))  # before it is published: the points rule goes on
    assert (await explained(desk)).judgement.score.p_win is None
    await desk.feed(model(platt, name="m1"), model(steep, name="m2"))
    now = (await explained(desk)).judgement.score
    assert (now.score, now.p_win) == (40, 0.5)
    await desk.rescan()
    assert (await desk.emitted("lead.scored"))[-1]["p_win"] == 0.5
    await desk.feed(promoted("m2", generation=3, p_threshold=0.5))
    by_card = (await explained(desk)).judgement.score
    assert by_card.score == 100
    assert sum(points for _, points in by_card.lines) == 100
    await desk.feed(promoted("m1", generation=2))
    assert (await explained(desk)).judgement.score.model_id == derived_id("test model", "m2")


async def test_a_challenger_scores_in_shadow(desk: ScoringDesk) -> None:
    await desk.feed(model(ModelCard(family="points_platt", agreement_version=1, base=-50, a=1.0)))
    await desk.feed(consent("kim"), profile("kim"), activity("kim", "demo_requested"))
    (qualified,) = await desk.emitted("lead.qualified")
    assert qualified["shadow"] == [{"model_id": str(derived_id("test model", "m1")), "p_win": 0.5}]
    assert "p_win" not in qualified


async def test_the_ledger_is_empty_and_finds_what_is_taken_away(desk: ScoringDesk) -> None:
    for lead in ("a", "b"):
        await desk.feed(consent(lead), profile(lead), activity(lead, "demo_requested"))
    await desk.feed(merged("b", "a"))
    async with reading(desk.database) as tx:
        assert await find_gaps(tx, LEDGER) == []
    planted = [
        "delete from decision where lead_id = :id",
        "delete from outbox where event_id in (select decision_id from decision)",
        "update lead set tree_size = 1 where lead_id = :id",
        "delete from activity where lead_id = :id",
        "update lead set standing = '[]' where lead_id = :id",
        "delete from lead where lead_id = :id",
    ]
    for statement in planted:
        async with desk.database.engine.connect() as connection:
            await connection.execute(text(statement), {"id": lead_id("a")} if ":id" in statement else {})
            found = [check.name for check in LEDGER if (await connection.execute(text(check.sql))).all()]
            await connection.rollback()
        assert found, statement


async def test_history_older_than_its_retention_is_let_go_and_no_score_moves(desk: ScoringDesk) -> None:
    await desk.feed(consent("kim"), profile("kim"), activity("kim", "demo_requested"))
    await desk.at(START + days(761))
    before = (await explained(desk)).judgement.score
    async with transaction(desk.database, "periodic") as tx:
        await drop_old_history(tx)
    assert await desk.rows("select activity_id from activity") == []
    assert await desk.rows("select decision_id from decision") == []
    assert (await explained(desk)).judgement.score == before
    async with reading(desk.database) as tx:
        assert await find_gaps(tx, LEDGER) == []
