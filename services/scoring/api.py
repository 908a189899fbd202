"""HTTP of scoring: scores and decisions explained, for people; examples classified, for feedback's check of a draft."""

from dataclasses import asdict
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, ValidationError
from yaml import YAMLError

from services.scoring.domain.criteria import compile_rule
from services.scoring.domain.decay import micros, moment
from services.scoring.domain.examples import classify
from services.scoring.domain.facts import Activity
from services.scoring.domain.sentences import sentence_of
from services.scoring.store import decisions, history
from services.scoring.usecases.explain import Explained, explain_account, explain_decision, explain_score
from services.scoring.usecases.ruling import Terms
from services.scoring.usecases.simulate import DAYS_MOST, ask_simulation, show_simulation
from shared.contracts.agreement import Agreement, load_agreement
from shared.db.engine import Tx, reading
from shared.errors import FieldError, NotFound, Refused
from shared.ids import AccountId, LeadId
from shared.web.app_factory import Asked, DatabaseOf
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, command
from shared.web.times import Moment

__all__ = ["internal_router", "router"]

Reader = Annotated[Principal, Depends(requires("leads:read"))]
Service = Annotated[Principal, Depends(requires("service"))]
Simulator = Annotated[Principal, Depends(requires("simulate"))]
At = Annotated[Moment | None, Query(description="as of this moment; now when absent")]


MEMBERS_MOST: Final = 50  # of one person (DECISIONS 1)


class ClassifyAsked(Asked):
    """A draft whose examples are to be classified."""

    document: str = Field(min_length=2, max_length=60_000, description="the agreement, YAML or JSON text")


class PersonAsked(Asked):
    """One person: the root and all members."""

    lead_ids: list[Annotated[UUID, Field(strict=False)]] = Field(min_length=1, max_length=MEMBERS_MOST)


class SimulationAsked(Asked):
    """A draft to be played over past days."""

    document: str = Field(min_length=2, max_length=60_000, description="the draft agreement, YAML or JSON text")
    days: int = Field(default=30, ge=1, le=DAYS_MOST, description="how many past days")


router = APIRouter(prefix="/v1")
internal_router = APIRouter(prefix="/internal")


def _terms(request: Request) -> Terms:
    terms: Terms = request.app.state.terms
    return terms


TermsOf = Annotated[Terms, Depends(_terms)]


@router.get("/scores/{lead_id}")
async def show_score(_: Reader, database: DatabaseOf, terms: TermsOf, lead_id: UUID, at: At = None) -> dict[str, Any]:
    """A lead's score with its explanation, as of now or of a past moment."""
    async with reading(database) as tx:
        explained = await explain_score(tx, LeadId(lead_id), terms_kept=terms, at=at)
    return _score_view(explained)


@router.get("/account-scores/{account_id}")
async def show_account_score(_: Reader, database: DatabaseOf, account_id: UUID) -> dict[str, Any]:
    """An account's score with what each of its people adds."""
    async with reading(database) as tx:
        return dict(await explain_account(tx, AccountId(account_id)))


@router.get("/score-decisions/{decision_id}")
async def show_decision(_: Reader, database: DatabaseOf, decision_id: UUID) -> dict[str, Any]:
    """One stored decision, and whether it replays identically."""
    async with reading(database) as tx:
        return await explain_decision(tx, decision_id)


@router.post("/score-simulations", status_code=202)
async def simulate_draft(
    request: Request, principal: Simulator, database: DatabaseOf, asked: SimulationAsked
) -> Response:
    """Ask for a draft to be played over past days; a worker process does it."""
    _read_draft(asked.document)

    async def run(tx: Tx) -> Answer:
        simulation_id = await ask_simulation(tx, document=asked.document, days=asked.days)
        location = {"location": f"/v1/score-simulations/{simulation_id}"}
        return Answer(202, {"simulation_id": str(simulation_id), "state": "asked"}, location)

    return await command(request, database, principal, run)


@router.get("/score-simulations/{simulation_id}")
async def show_simulated(_: Simulator, database: DatabaseOf, simulation_id: UUID) -> dict[str, Any]:
    """How far a simulation is, and what came of it."""
    async with reading(database) as tx:
        return await show_simulation(tx, simulation_id)


@internal_router.post("/classify")
async def classify_examples(_: Service, database: DatabaseOf, asked: ClassifyAsked) -> dict[str, Any]:
    """What the examples of a draft come to under its own criteria."""
    async with reading(database) as tx:
        now_us = micros(tx.now)
    return {"products": _classified(asked.document, now_us)}


@internal_router.post("/person")
async def show_person(_: Service, database: DatabaseOf, asked: PersonAsked) -> dict[str, Any]:
    """What scoring keeps of one person, for ingest's export: the score with its reasons, decisions, activities."""
    ids = [LeadId(each) for each in asked.lead_ids]
    async with reading(database) as tx:
        activities = await history.activities_of(tx, ids, as_of=tx.now)
        kept = await decisions.newest_decisions(tx, ids, as_of=tx.now)
        try:
            score = _score_view(await explain_score(tx, ids[0], terms_kept=Terms(), at=None))
        except NotFound:  # known to ingest alone, so far
            score = None
    return {
        "score": score,
        "decisions": [asdict(each) | {"content": orjson.loads(each.content)} for each in kept],
        "activities": [_activity_view(each) for listed in activities.values() for each in listed],
    }


def _activity_view(activity: Activity) -> dict[str, Any]:
    return {
        "activity_id": activity.activity_id,
        "kind": activity.kind,
        "content": activity.content,
        "human": activity.human,
        "verified_by": activity.verified_by,
        "occurred_at": moment(activity.occurred_us),
        "recorded_at": moment(activity.recorded_us),
    }


def _read_draft(document: str) -> Agreement:
    """The draft, or Refused with the fields that are wrong."""
    try:
        return load_agreement(document)
    except ValidationError as error:
        errors = [
            FieldError("/document/" + "/".join(map(str, one["loc"])), str(one["type"]), str(one["msg"]))
            for one in error.errors(include_input=False, include_url=False)
        ]
        raise Refused("The document is no agreement; mend the fields that are named.", errors=errors) from error
    except (YAMLError, RecursionError) as error:
        raise Refused("The document can be read neither as YAML nor as JSON.") from error


def _classified(document: str, now_us: int) -> list[dict[str, Any]]:
    found = []
    for criteria in _read_draft(document).qualification:
        rule = compile_rule(criteria)
        examples = [
            {
                "facts": each.example.facts,
                "activities": [kind.value for kind in each.example.activities],
                "expected": each.example.is_qualified,
                "is_qualified": each.is_qualified,
                "is_as_stated": each.is_qualified == each.example.is_qualified,
                "score": each.score.score,
                "reasons": [sentence_of(line, points) for line, points in each.score.lines],
            }
            for each in classify(criteria, rule, now_us=now_us)
        ]
        found.append({"product": criteria.product, "examples": examples})
    return found


def _score_view(explained: Explained) -> dict[str, Any]:
    judgement, ruling = explained.judgement, explained.ruling
    score = judgement.score
    entry_channel = explained.person.attributes.get("entry_channel")
    limits = ruling.rule.thresholds(entry_channel)
    return {
        "lead_id": explained.person.root_id,
        "merged_into": explained.person.root_id if explained.person.root_id != explained.asked_id else None,
        "member_ids": [member.lead_id for member in explained.person.members],
        "account_id": explained.person.account_id,
        "at": explained.at,
        "is_scored": judgement.is_scored,
        "score": score.score,
        "fit": score.fit,
        "engagement": score.engagement,
        "p_win": score.p_win,
        "is_qualified": judgement.verdict.standing.is_qualified,
        "since": explained.since,
        "number": explained.number,
        "policy": judgement.verdict.standing.policy,
        "hard_rules": list(judgement.case.hard_rules),
        "lines": explained.lines,
        "reasons": explained.reasons,
        "facts": explained.facts,
        "thresholds": {
            "qualify": limits.qualify,
            "demote": limits.demote,
            "fit_floor": limits.fit_floor,
            "engagement_floor": limits.engagement_floor,
            "dwell_hours": limits.dwell_us / 3_600_000_000,
        },
        "agreement_id": ruling.agreement_id,
        "agreement_version": ruling.version,
        "model_id": score.model_id,
        "next_look_at": None if judgement.recheck_us is None else moment(judgement.recheck_us),
        "decision_ids": list(explained.decisions),
    }
