"""Signed webhooks, Standard Webhooks 1.0: thin JSON of one event, the same webhook-id on every attempt.

The bytes signed are the bytes sent. Knows no endpoint row: address, secrets and own headers are given.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import orjson

from services.handoff.domain.dispatch import Answer, Outcome

__all__ = ["BODY_BYTES_MAX", "SECRET_PREFIX", "WebhookClient", "WebhookRequest", "render", "request_of", "send", "sign"]

BODY_BYTES_MAX = 20_000  # SENDERS 9: a receiver's limit is often 32 kB, headers included
# What a too large body can do without, first to go first: lists of evidence; ids, states and reasons stay.
_DROPPED_IN_ORDER = ("facts", "lines", "evidence", "shadow", "properties", "clocks", "reasons")
SECRET_PREFIX = "whsec_"  # noqa: S105 - a public marker in front of the secret


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One POST, ready to be sent."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class WebhookClient(Protocol):
    """The guarded client of shared.web: checks the address, follows no redirect, reads at most 64 KiB, 20 s in all."""

    async def post(self, url: str, *, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Send once. Never raises for what the receiver or the network does."""


def render(*, event_type: str, occurred_at: datetime, data: Mapping[str, Any], lead_version: int | None) -> bytes:
    """The body of one event: `{"type", "timestamp", "data"}`, at most BODY_BYTES_MAX.

    data is the event's payload, which holds no personal data; lead_version grows by one per lead and event, so a
    receiver can drop what is older. When it would be too large, whole lists go, and `data.is_cut` says so.
    """
    kept = dict(data)
    if lead_version is not None:
        kept["lead_version"] = lead_version
    body = _body(event_type, occurred_at, kept)
    for name in _DROPPED_IN_ORDER:
        if len(body) <= BODY_BYTES_MAX:
            break
        if kept.pop(name, None) is not None:
            kept["is_cut"] = True
            body = _body(event_type, occurred_at, kept)
    return body


def sign(secret: str, *, webhook_id: str, timestamp: int, body: bytes) -> str:
    """One `v1` signature: base64 HMAC-SHA256 of "id.timestamp.body" under the base64 secret after its whsec_ prefix."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join((webhook_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode("ascii")


def request_of(
    *,
    url: str,
    webhook_id: UUID,
    body: bytes,
    secrets: Sequence[str],
    sent_at: datetime,
    own_headers: Mapping[str, str] | None = None,
) -> WebhookRequest:
    """The signed POST of one attempt; every secret in force signs, the newest first.

    sent_at is machine time: the receiver compares it with its own clock.
    """
    timestamp = int(sent_at.timestamp())
    signatures = (sign(secret, webhook_id=str(webhook_id), timestamp=timestamp, body=body) for secret in secrets)
    headers = {
        **(own_headers or {}),
        "content-type": "application/json",
        "user-agent": "baton-webhooks/1",
        "webhook-id": str(webhook_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
    return WebhookRequest(url=url, headers=headers, body=body)


async def send(request: WebhookRequest, client: WebhookClient) -> Answer:
    """One attempt. 2xx is success; a redirect, any other status and silence are not."""
    answer = await client.post(request.url, content=request.body, headers=request.headers)
    if answer.status is None:
        return answer
    is_delivered = 200 <= answer.status < 300
    outcome = Outcome.DELIVERED if is_delivered else Outcome.REFUSED
    return Answer(
        outcome=outcome, status=answer.status, retry_after=answer.retry_after, date=answer.date, body=answer.body
    )


def _body(event_type: str, occurred_at: datetime, data: Mapping[str, Any]) -> bytes:
    value = {"type": event_type, "timestamp": occurred_at.isoformat().replace("+00:00", "Z"), "data": data}
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
