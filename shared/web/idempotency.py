"""Commands: one effect per idempotency key, kept with its answer in the effect's transaction.

And versions, by If-Match and ETag.

A second request with the same key waits for the first and gets its answer; with another body it is refused; while the
first still runs it gets 409. Stored are 2xx, 409 stale and 422; a 5xx never is. Source: RELIABILITY 3.8, SENDERS 10.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson
from fastapi import Request, Response
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.db.engine import Database, Tx, transaction
from shared.errors import PreconditionFailed, PreconditionRequired, Refused, Stale, StillRunning, Unreadable
from shared.telemetry import announce
from shared.web.auth import Principal
from shared.web.problems import PROBLEM_JSON, problem_of

__all__ = [
    "Answer",
    "check_if_match",
    "command",
    "etag_of",
    "if_match",
    "parse_key",
]

KEPT_HOURS = 24
_LOCK_WAIT = "1s"  # how long a repeat waits for the first before it hears 409
_KEY_MOST = 255
_BARE_KEY = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~:/=-]+")
_STORED_ERRORS = (Stale, Refused)
_LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answers: a status, a JSON body (model, mapping or None), and headers such as etag and location.

    shown_once: fields of the body that hold secrets, as the first answer shows them. They are never kept: a repeat
    has what body says of them, else null.
    """

    status: int
    body: BaseModel | Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    shown_once: Mapping[str, Any] = field(default_factory=dict)


async def command(
    request: Request, database: Database, principal: Principal, run: Callable[[Tx], Awaitable[Answer]]
) -> Response:
    """Run a command once per Idempotency-Key of this principal and route, and answer it.

    run does the use case in the given transaction, which also keeps the answer. Stale and Refused undo what run did
    and are kept as answers; every other error undoes all and is not kept. Raises Unreadable without a key, Refused
    for a key with another body, StillRunning while the first request with it has not ended.
    """
    key = parse_key(request.headers.get("idempotency-key"))
    scope = {
        "principal": f"{principal.kind}:{principal.id}",
        "route": f"{request.method} {request.url.path}",
        "key": key,
    }
    digest = sha256(await request.body()).digest()
    async with transaction(database, "command") as tx:
        kept = await _claim(tx, scope, digest)
        await announce("command:after_key")
        status, answer, shown_once = await _run(tx, run) if kept is None else (*kept, {})
        if kept is None:
            await tx.execute(_KEEP, {**scope, "status": status, "answer": answer})
    await announce("command:before_reply")
    return _response(status, answer, is_replayed=kept is not None, shown_once=shown_once)


_CLAIM = text(
    """
    insert into idempotency (principal, route, key, body_sha256, kept_until)
    values (:principal, :route, :key, :digest, now() + make_interval(hours => :hours))
    on conflict (principal, route, key) do update
       set body_sha256 = excluded.body_sha256, kept_until = excluded.kept_until, status = null, answer = null
     where idempotency.kept_until < now()
    returning key
    """
)
_READ = text(
    """
    select body_sha256, status, answer from idempotency where principal = :principal and route = :route and key = :key
    """
)
_KEEP = text(
    """
    update idempotency set status = :status, answer = :answer
     where principal = :principal and route = :route and key = :key
    """
)


async def _claim(tx: Tx, scope: Mapping[str, str], digest: bytes) -> tuple[int, str] | None:
    """None when the key is ours to run, else the kept status and answer."""
    await tx.execute(f"set local lock_timeout = '{_LOCK_WAIT}'")
    try:
        ours = await tx.execute(_CLAIM, {**scope, "digest": digest, "hours": KEPT_HOURS})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise StillRunning("The first request with this Idempotency-Key is still running; ask again.") from error
        raise
    if ours.first() is not None:
        return None
    kept = (await tx.execute(_READ, scope)).one()
    if bytes(kept.body_sha256) != digest:
        raise Refused(
            "This Idempotency-Key was used with another body: make a new key for a new command.", slug="key_reused"
        )
    return kept.status, kept.answer


async def _run(tx: Tx, run: Callable[[Tx], Awaitable[Answer]]) -> tuple[int, str, Mapping[str, Any]]:
    """The status, the answer as text to be kept, and what is shown once.

    A refusal undoes what run did, and is an answer like any other.
    """
    pending = len(tx.pending)
    try:
        async with tx.connection.begin_nested():
            answer = await run(tx)
    except _STORED_ERRORS as error:
        del tx.pending[pending:]
        tx.after_commit.clear()
        body, headers = problem_of(error)
        return error.status, _text(body, {**headers, "content-type": PROBLEM_JSON}), {}
    content = answer.body.model_dump(mode="json") if isinstance(answer.body, BaseModel) else answer.body
    if answer.shown_once:
        content = {**dict.fromkeys(answer.shown_once), **(content or {})}
    return answer.status, _text(content, answer.headers), answer.shown_once


def _text(body: Mapping[str, Any] | None, headers: Mapping[str, str]) -> str:
    return orjson.dumps({"body": body, "headers": dict(headers)}, default=str).decode()


def _response(status: int, answer: str, *, is_replayed: bool, shown_once: Mapping[str, Any]) -> Response:
    stored = orjson.loads(answer)
    content = b"" if stored["body"] is None else orjson.dumps({**stored["body"], **shown_once})
    headers = {name: value for name, value in stored["headers"].items() if name != "content-type"}
    if is_replayed:
        headers["idempotency-replayed"] = "true"
    media_type = stored["headers"].get("content-type", "application/json")
    return Response(content, status_code=status, headers=headers, media_type=media_type if content else None)


def parse_key(header: str | None) -> str:
    """The idempotency key of a header: an RFC 8941 string, or the bare token; both mean the same key.

    Raises Unreadable.
    """
    if header is None:
        raise Unreadable(
            "Send an Idempotency-Key header: any text of your own, up to 255 characters.", slug="key_missing"
        )
    value = header.strip()
    is_quoted = len(value) > 2 and value[0] == value[-1] == '"'
    key = re.sub(r'\\(["\\])', r"\1", value[1:-1]) if is_quoted else value
    is_fine = key.isascii() and key.isprintable() if is_quoted else _BARE_KEY.fullmatch(key) is not None
    if not is_fine or len(key) > _KEY_MOST:
        raise Unreadable("The Idempotency-Key is no RFC 8941 string of 1 to 255 characters.", slug="key_malformed")
    return key


# ---- versions


def etag_of(*version: object) -> str:
    """Make a strong ETag of version numbers, joined by dots in their order."""
    return '"' + ".".join(map(str, version)) + '"'


def if_match(request: Request) -> str:
    """The version named by If-Match, without quotes. Raises PreconditionRequired when absent."""
    value = request.headers.get("if-match")
    if value is None:
        raise PreconditionRequired("Send If-Match with the ETag of the state you decided on.")
    return value.strip().removeprefix("W/").strip('"')


def check_if_match(request: Request, *, current: str) -> None:
    """For PATCH, PUT and DELETE: raise PreconditionFailed unless If-Match names the current ETag (or is `*`)."""
    seen = if_match(request)
    if seen not in {current.strip('"'), "*"}:
        raise PreconditionFailed("Read it again, decide again, and send the new ETag in If-Match.")
