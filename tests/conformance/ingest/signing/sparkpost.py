"""SparkPost: Basic credentials in its address, when the source has them as secret; nothing is signed."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest
from tests.conformance.ingest.signing import URL, request_to

SECRET = "sparkpost:b3Zlc3-of-tests"
TOLERANCE_SECONDS = None
COVERS_BODY = False
BODY = b'[{"msys":{"track_event":{"type":"open","event_id":"1","raw_rcpt_to":"kim@acme.example"}}}]'
STATES_EVENT_IDS = True


def sign(body: bytes, secret: str, now: float, *, url: str) -> InboundRequest:  # noqa: ARG001 - no time is signed
    headers = {"Authorization": f"Basic {b64encode(secret.encode()).decode()}", "Content-Type": "application/json"}
    return request_to(url, headers, body)


def of_case(case: Mapping[str, Any]) -> tuple[InboundRequest, SourceSettings]:
    options = {name: str(value).lower() for name, value in case.get("source_setting", {}).items()}
    request = request_to(URL.format(sender="sparkpost"), {}, json.dumps(case["payload"]).encode())
    return request, SourceSettings(options=options)
