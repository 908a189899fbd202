"""Resend: Standard Webhooks under Svix' names."""

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any

from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest
from tests.conformance.ingest.signing import URL, request_to

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes for these tests").decode()
STATES_EVENT_IDS = True
BODY = b'{"type":"email.opened","created_at":"2026-06-10T10:00:00Z","data":{"email_id":"1","to":["kim@acme.example"]}}'


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.digest(key, f"msg_1.{int(now)}.".encode() + body, "sha256")
    headers = {
        "svix-id": "msg_1",
        "svix-timestamp": str(int(now)),
        "svix-signature": f"v1,{base64.b64encode(signature).decode()}",
        "Content-Type": "application/json",
    }
    return request_to(url, headers, body)


def of_case(case: Mapping[str, Any]) -> tuple[InboundRequest, SourceSettings]:
    headers = {"svix-id": case["expected_anymail"].get("event_id", "msg_1")}
    return request_to(URL.format(sender="resend"), headers, json.dumps(case["payload"]).encode()), SourceSettings()
