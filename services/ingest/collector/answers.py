"""The answers of the front door: exact codes of SENDERS section 1, problem+json for refusals.

Invariant: no answer here is a 5xx but 503, which speaks of our state and always carries Retry-After.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

import orjson

from services.ingest.domain.observation import Refusal
from shared.errors import AppError, FieldError
from shared.senders import Reply

__all__ = ["Refused", "Response", "problem", "report"]

Header = tuple[bytes, bytes]
_JSON: Final = (b"content-type", b"application/json")
_PROBLEM: Final = (b"content-type", b"application/problem+json")
_CHALLENGE: Final = (b"www-authenticate", b"Bearer")  # Basic works as well, but makes browsers ask people for it
_KEPT_ALL: Final = b'{"success":true,"accepted":%d,"rejected":[]}'
_KEPT_ONE: Final = _KEPT_ALL % 1
_REFUSALS_SHOWN_MAX: Final = 1_000


class Refused(AppError):
    """The door says no: a status of the table, a slug, whole seconds to wait (0 = no Retry-After).

    allow: the methods that work, of a 405.
    """

    def __init__(
        self,
        status_code: int,
        slug: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: int = 0,
        allow: str = "",
    ) -> None:
        super().__init__(detail, slug=slug, errors=errors)
        self.status_code = status_code
        self.retry_after = retry_after
        self.allow = allow


class Response(NamedTuple):
    """Status, headers and body of one answer."""

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = ()

    @classmethod
    def of(cls, reply: Reply) -> "Response":
        """The answer a sender expects."""
        return cls(reply.status, reply.body, ((b"content-type", reply.content_type.encode()),))


def report(
    events: int, refusals: Sequence[Refusal], *, status: int, more: Mapping[str, object] | None = None
) -> Response:
    """What became of each event: the kept ones by number, the refused ones by place, id and reason.

    more: what a sender expects to find in it besides.
    """
    if not refusals and not more:
        return Response(status, _KEPT_ONE if events == 1 else _KEPT_ALL % events, (_JSON,))
    body = {
        **(more or {}),
        "success": True,
        "accepted": events - len(refusals),
        "rejected": [
            {"index": one.index, "id": one.event_id, "reason": one.reason, "detail": one.detail}
            for one in refusals[:_REFUSALS_SHOWN_MAX]
        ],
    }
    return Response(status, orjson.dumps(body), (_JSON,))


def problem(error: Refused) -> Response:
    """A refusal as problem+json: its detail says what to do next, its errors which part of the request is meant."""
    body: dict[str, object] = {
        "type": f"/problems/{error.problem}",
        "title": "The delivery was not kept",
        "status": error.status_code,
        "detail": error.detail,
    }
    if error.errors:
        body["errors"] = [{"pointer": one.pointer, "code": one.code, "message": one.message} for one in error.errors]
    headers: tuple[Header, ...] = (_PROBLEM,)
    if error.retry_after:
        headers += ((b"retry-after", str(error.retry_after).encode()),)
    if error.allow:
        headers += ((b"allow", error.allow.encode()),)
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        headers += (_CHALLENGE,)
    return Response(error.status_code, orjson.dumps(body), headers)
