"""Explains a score as of now or of any past moment, and a stored decision with the proof that it replays.

The past is folded from the history alone: only what was recorded by then, by the terms that were active then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.scoring.domain.decay import micros, moment
from services.scoring.domain.facts import fold_as_of, join_counts
from services.scoring.domain.judge import Judgement, judge
from services.scoring.domain.member import Member, with_record
from services.scoring.domain.person import Person, facts_of, person_of
from services.scoring.domain.qualify import NEVER, Standing
from services.scoring.domain.scorecard import CHANCE, START, Model, score_of_facts, top_reasons
from services.scoring.domain.sentences import part_sentence_of, sentence_of
from services.scoring.store import accounts, decisions, history, lead_records, leads, terms
from services.scoring.store.decisions import StoredDecision
from services.scoring.usecases.ruling import Ruling, Terms, card_of, ruling_of
from shared.contracts.agreement import default_agreement, load_agreement
from shared.db.engine import ReadTx
from shared.errors import NotFound
from shared.ids import AccountId, LeadId

__all__ = ["Explained", "explain_account", "explain_decision", "explain_score", "person_at", "replayed"]

_OF_ALL = (START, CHANCE)
_TREE_DEPTH_MAX = 50  # ingest refuses larger trees; the walk is bounded all the same


@dataclass(frozen=True, slots=True)
class Explained:
    """A score with everything behind it, as of one moment."""

    asked_id: LeadId
    person: Person
    judgement: Judgement
    ruling: Ruling
    at: datetime
    since: datetime | None
    number: int
    decisions: tuple[UUID, ...]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Every contribution; they add up to the score."""
        return [
            {"line": line, "points": points, "sentence": sentence_of(line, points)}
            for line, points in self.judgement.score.lines
        ]

    @property
    def reasons(self) -> list[str]:
        """The three that weigh most, as sentences."""
        return [sentence_of(line, points) for line, points in top_reasons(self.judgement.score.lines)]

    @property
    def facts(self) -> list[dict[str, Any]]:
        """Every fact with its known_at; none without permission to score."""
        if not self.judgement.is_scored:
            return []
        found = facts_of(self.person, self.judgement.case.now_us, rule=self.ruling.rule)
        return [{"name": name, "value": value, "known_at": moment(known)} for name, (value, known) in found.items()]


async def explain_score(tx: ReadTx, lead_id: LeadId, *, terms_kept: Terms, at: datetime | None) -> Explained:
    """The score of a lead's person as of a moment (None: now). Raises NotFound for a lead nobody ever named."""
    if at is None or at >= tx.now:
        moment_at = tx.now
        forest = await leads.read_trees(tx, [lead_id])
        if lead_id not in forest.rows:
            raise NotFound("There is no lead with this id; scoring learns of it with its first event.")
        root = forest.root_of(lead_id)
        linked = {row.member.link.account_id for row in forest.rows.values() if row.member.link is not None}
        customers = await accounts.customers_among(tx, linked)
        person, standing = forest.person(root.lead_id, customers=customers), root.standing
        ruling = await terms_kept.ruling(tx)
    else:
        moment_at = at
        ruling = await terms_kept.ruling_at(tx, at)
        person = await person_at(tx, lead_id, at, ruling=ruling)
        standing = await _standing_at(tx, person, at)
    members = [member.lead_id for member in person.members]
    counts = await history.counts_of(tx, members, as_of=moment_at)
    person = person._replace(counts=join_counts([counts.get(each, {}) for each in members]))
    kept = await decisions.newest_decisions(tx, members, as_of=moment_at)
    judgement = judge(person, standing, now_us=micros(moment_at), rule=ruling.rule, model=ruling.model)
    return Explained(
        asked_id=lead_id,
        person=person,
        judgement=judgement,
        ruling=ruling,
        at=moment_at,
        since=moment(standing.since_us) if standing.since_us else None,
        number=standing.number,
        decisions=tuple(each.decision_id for each in kept),
    )


async def person_at(tx: ReadTx, lead_id: LeadId, at: datetime, *, ruling: Ruling) -> Person:
    """The person as known at a past moment, folded from the history. Raises NotFound when nothing was known then."""
    ids = await _tree_at(tx, lead_id, at)
    records = await lead_records.records_of(tx, ids, as_of=at)
    activities = await history.activities_of(tx, ids, as_of=at)
    if not records and not activities:
        raise NotFound("Nothing was known of this lead at that moment.")
    members = []
    for own in ids:
        member = Member(own, sums=fold_as_of(activities.get(own, ()), micros(at), rule=ruling.rule))
        for record in records.get(own, ()):
            member = with_record(member, record)
        members.append(member)
    return person_of(members)


async def explain_account(tx: ReadTx, account_id: AccountId) -> Mapping[str, Any]:
    """The account's score as last computed. Raises NotFound before the first computation."""
    rows = await accounts.account_rows(tx, [account_id])
    if not rows or rows[0].computed_at is None:
        raise NotFound("There is no score of this account; it is computed when one of its people does something.")
    row = rows[0]
    return {
        **orjson.loads(row.content),
        "since": moment(row.standing.since_us) if row.standing.since_us else None,
        "number": row.standing.number,
        "is_customer": row.is_customer,
        "computed_at": row.computed_at,
        "is_validated": False,
    }


async def explain_decision(tx: ReadTx, decision_id: UUID) -> dict[str, Any]:
    """A stored decision, its lines as sentences, and whether scoring it again from its facts gives the same."""
    decision = await decisions.decision_by_id(tx, decision_id)
    if decision is None:
        raise NotFound("There is no decision with this id; decisions are kept 25 months.")
    content: dict[str, Any] = orjson.loads(decision.content)
    content["decided_at"] = decision.decided_at
    content["kind"] = decision.kind
    if "lines" in content:
        lines = _lines_of(content)
        sentence = part_sentence_of if "model_id" in content and _is_in_parts(lines) else sentence_of
        content["sentences"] = [sentence(line, points) for line, points in lines]
        content["is_replayed_identically"] = await replayed(tx, decision)
    return content


async def replayed(tx: ReadTx, decision: StoredDecision) -> bool:
    """Whether the stored facts give the stored score, lines and p_win, under the stored versions."""
    content: dict[str, Any] = orjson.loads(decision.content)
    if not content["facts"]:
        return not content["lines"]
    document = await terms.document_of(tx, content["agreement_id"], content["agreement_version"])
    ruling = ruling_of(default_agreement() if document is None else load_agreement(document))
    model = None
    if "model_id" in content:
        kept = await terms.model_card(tx, UUID(content["model_id"]))
        card = None if kept is None else card_of(kept)
        if card is not None:
            model = Model(UUID(content["model_id"]), card, content["p_threshold"])
    facts = {fact["name"]: fact["value"] for fact in content["facts"]}
    score = score_of_facts(facts, rule=ruling.rule, model=model)
    numbers = (content["score"], content["fit"], content["engagement"], content.get("p_win"))
    if (score.score, score.fit, score.engagement, score.p_win) != numbers:
        return False
    stored = _lines_of(content)
    if model is not None and _is_in_parts(stored):  # the same numbers, told in other lines
        return sum(points for _, points in stored) == score.score
    return score.lines == stored


def _lines_of(content: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    return tuple((str(each["line"]), int(each["points"])) for each in content["lines"])


def _is_in_parts(lines: Sequence[tuple[str, int]]) -> bool:
    """Whether lines of a model were stored when they did not name the criteria yet: ever since, one is of all leads."""
    return not any(line.startswith(_OF_ALL) for line, _ in lines)


async def _tree_at(tx: ReadTx, lead_id: LeadId, at: datetime) -> list[LeadId]:
    """The members of a lead's tree at a moment, the root first, the others by id."""
    root, seen = lead_id, {lead_id}
    for _ in range(_TREE_DEPTH_MAX):
        parent = (await lead_records.newest_moves(tx, [root], as_of=at)).get(root)
        if parent is None or parent in seen:
            break
        root = parent
        seen.add(root)
    found, front = {root}, {root}
    for _ in range(_TREE_DEPTH_MAX):
        moves = await lead_records.newest_moves(tx, front, as_of=at)
        front = {own for own, parent in moves.items() if parent in front and own not in found}
        if not front:
            break
        found |= front
    return [root, *sorted(found - {root}, key=lambda own: own.int)]


async def _standing_at(tx: ReadTx, person: Person, at: datetime) -> Standing:
    """Where the person stood: by the newest decision about any member until then."""
    kept = await decisions.newest_decisions(tx, [member.lead_id for member in person.members], as_of=at)
    newest = next((each for each in kept if each.kind in {"qualified", "taken_over", "demoted"}), None)
    if newest is None:
        return NEVER
    content = orjson.loads(newest.content)
    return Standing(
        is_qualified=newest.kind != "demoted",
        since_us=micros(newest.decided_at),
        number=newest.number,
        policy=content["policy"],
        ask_used_us=micros(newest.decided_at),
    )
