"""How a handoff is shown over HTTP, whose rows a caller sees, and how a command's verdict becomes an answer."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from fastapi import Request

from services.handoff.domain.lifecycle import Handoff, Verdict
from services.handoff.domain.record import StoredClock, Times
from services.handoff.domain.things import Actor, ActorKind
from services.handoff.store import reads
from services.handoff.store.reads import View
from services.handoff.usecases.commanding import Commanded
from shared.db.engine import ReadTx
from shared.errors import FieldError, NotFound, Refused, Stale
from shared.ids import UserId
from shared.web.auth import Principal
from shared.web.idempotency import Answer, etag_of, if_match
from shared.web.problems import PROBLEM_JSON, problem_of

__all__ = [
    "actor_of",
    "answer_of",
    "check_in_view",
    "handoff_value",
    "json_of",
    "refusal",
    "rep_of",
    "row_value",
    "token_seen",
    "view_of",
]

# What each refusal means to the person who reads it, and the field it is about, if any.
_REFUSALS: Mapping[str, tuple[str, str | None]] = {
    "reason_missing": ("Give one of the agreed reasons.", "/reason_code"),
    "reason_unknown": ("This is none of the agreed reasons; see the agreement in force.", "/reason_code"),
    "reason_does_not_disqualify": ("This reason sends the lead to nurture: recycle it instead.", "/reason_code"),
    "sub_reason_missing": ("This reason needs a sub-reason.", "/sub_reason"),
    "until_on_missing": ("This reason needs the date when to come back.", "/until_on"),
    "text_missing": ("This reason needs a sentence of yours.", "/text"),
    "not_owner": ("Only the rep who owns it may do this.", None),
    "already_owner": ("This rep has it already.", "/rep_id"),
    "rep_off": ("This rep is away or absent; choose one who is on.", "/rep_id"),
    "rep_full": ("You hold as many as agreed; accept or dispose of one first.", None),
    "pauses_used_up": ("It was paused as often as agreed.", None),
    "already_paused": ("It is paused already.", None),
    "not_paused": ("It is not paused.", None),
    "pause_too_long": ("Choose a time ahead, within the agreed number of open days.", "/until_at"),
    "after_acceptance": ("It was accepted: only its owner or a manager can end it now.", None),
    "cycles_used_up": ("This lead was handed off as often this year as agreed.", None),
    "no_consent": ("This person has not given the consent it needs.", None),
    "closed": ("It is closed.", None),
}
_TIMES = (
    "qualified_at", "opened_at", "state_at", "waiting_since", "assigned_at", "accepted_at", "touched_at",
    "disposed_at", "closed_at", "paused_until",
)  # fmt: skip
_PLAIN = (
    "id", "lead_id", "root_lead_id", "account_id", "motion", "product", "tier", "policy", "cycle", "state", "token",
    "owner_id", "former_owner_id", "attempt", "queue", "queue_reason", "pool", "priority", "evidence", "pauses",
    "is_paused", "is_hand_raiser", "result", "reason_code", "has_deal",
)  # fmt: skip
_ACTORS = {"rep": ActorKind.REP, "manager": ActorKind.MANAGER, "marketer": ActorKind.MARKETER}


def view_of(principal: Principal) -> View:
    """Reps see their own and offered ones, managers their team's, all others everything (SECURITY 1)."""
    if principal.kind == "user" and principal.role == "manager" and principal.team_id is not None:
        return View(user_id=principal.user_id, team_id=principal.team_id)
    if principal.kind == "user" and principal.role in {"rep", "manager"}:  # a manager without a team manages nobody
        return View(user_id=principal.user_id)
    return View()


def actor_of(principal: Principal) -> Actor:
    """Who acts, as the events say it."""
    if principal.kind == "key":
        return Actor(ActorKind.CRM)
    if principal.kind == "user":
        return Actor(_ACTORS.get(principal.role or "", ActorKind.MANAGER), principal.user_id)
    return Actor(ActorKind.SYSTEM)


async def check_in_view(tx: ReadTx, principal: Principal, handoff_id: UUID) -> None:
    """Raise NotFound for a handoff that is none, or none of the caller's: the two are not told apart."""
    if not await reads.is_in_view(tx, view_of(principal), handoff_id):
        raise NotFound("There is no handoff with this id, or none in your view.")


def token_seen(request: Request) -> int:
    """The token in If-Match, which is a handoff's ETag `"<token>.<version>"`. Raises PreconditionRequired, Refused."""
    seen = if_match(request).partition(".")[0]
    if not seen.isdecimal():
        raise Refused(
            "Send the ETag of the handoff you decided on.",
            errors=[FieldError("header:if-match", "etag", 'is no ETag of a handoff, like "3.7"')],
        )
    return int(seen)


def handoff_value(handoff: Handoff, times: Times, clocks: Iterable[StoredClock]) -> dict[str, Any]:
    """A handoff as held in a unit of work, as JSON values."""
    value: dict[str, Any] = {name: getattr(handoff, name) for name in _PLAIN}
    value |= {name: getattr(times, name) for name in _TIMES}
    value |= {
        "version": handoff.seq,
        "scope_id": handoff.scope_id,
        "tried": list(handoff.tried),
        "agreement_id": times.agreement_id,
        "agreement_version": times.agreement_version,
        "etag": etag_of(handoff.token, handoff.seq),
        "clocks": [
            {
                "id": each.id,
                "kind": each.clock.kind.value,
                "state": each.state.value,
                "level": each.clock.level,
                "armed_at": each.timing.armed_at,
                "due_at": each.timing.due_at,
                "fire_at": each.fire_at,
                "ended_at": each.ended_at,
                "cause": each.cause,
                "calendar": each.timing.calendar,
                "is_late_by_system": each.timing.is_late_by_system,
                "is_late_evidence": each.is_late_evidence,
            }
            for each in sorted(clocks, key=lambda each: each.clock.number)
        ],
    }
    return _object(value)


def row_value(row: Mapping[str, Any], clocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A handoff's row as JSON values, with its clocks."""
    shown = {name: row[name] for name in (*_PLAIN, *_TIMES)}
    shown |= {
        "version": row["seq"],
        "scope_id": row["scope_id"],
        "tried": row["tried"],
        "agreement_id": row["agreement_id"],
        "agreement_version": row["agreement_version"],
        "etag": etag_of(row["token"], row["seq"]),
        "clocks": [{name: value for name, value in clock.items() if name not in _HIDDEN} for clock in clocks],
    }
    return _object(shown)


_HIDDEN = frozenset({"handoff_id", "number", "due_at_first", "is_held"})


def answer_of(commanded: Commanded) -> Answer:
    """The answer to a command: the handoff, or what stood against it, both kept under its idempotency key."""
    held, decision = commanded.held, commanded.decision
    value = handoff_value(held.handoff, held.times, held.clocks.values())
    etag = {"etag": value["etag"]}
    if decision.verdict is Verdict.OK:
        return Answer(200, value, etag)
    if decision.verdict is Verdict.STALE:
        return _problem(
            Stale("Somebody or a clock was faster: look at the current state, then decide again.", current=value), etag
        )
    return _problem(refusal(decision.why), etag)


def refusal(why: str) -> Refused:
    """The refusal of a rule, as the person should read it."""
    sentence, pointer = _REFUSALS.get(why, ("It is not allowed in this state.", None))
    errors = [] if pointer is None else [FieldError(pointer, why, sentence)]
    return Refused(sentence, errors=errors, slug=why)


def json_of(value: Any) -> Any:  # noqa: ANN401 - any value to plain JSON values
    """The value as plain JSON values: ids and times become texts."""
    return orjson.loads(orjson.dumps(value, default=_default, option=orjson.OPT_NON_STR_KEYS))


def _object(value: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json_of(value)
    return plain


def _default(value: object) -> object:
    if isinstance(value, UUID | datetime):
        return str(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)


def _problem(error: Stale | Refused, headers: Mapping[str, str]) -> Answer:
    body, more = problem_of(error)
    return Answer(error.status, body, {**more, **headers, "content-type": PROBLEM_JSON})


def rep_of(principal: Principal, given: UUID | None, owner: UserId | None) -> UserId | None:
    """The rep a command speaks for: the user itself; for a key or the operator the one named, else the owner."""
    if principal.kind == "user":
        return principal.user_id
    return owner if given is None else UserId(given)
