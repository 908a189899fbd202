"""Signed webhooks: golden bodies, signatures against the reference package and the vendor's vectors, thin bodies."""

import base64
import binascii
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.handoff.domain.dispatch import Answer, Outcome
from services.handoff.outbound.webhook import BODY_BYTES_MAX, WebhookRequest, render, request_of, send, sign
from shared.clock import machine_now
from tests.support.material import material

SAMPLES = Path(__file__).parents[2] / "samples" / "outbound" / "webhook"
EVENT = UUID("018f0f3e-0000-7000-8000-000000000001")
AT = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)
SECRETS = tuple(f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))


class Recorded:
    """A client that answers one thing and keeps what it was given."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.posted: list[WebhookRequest] = []

    async def post(self, url: str, *, content: bytes, headers: Any) -> Answer:  # noqa: ANN401 - a mapping
        self.posted.append(WebhookRequest(url, headers, content))
        return self.answer


@pytest.mark.parametrize("case", sorted(path.stem for path in SAMPLES.glob("*.json")))
def test_the_body_is_the_golden_one(case: str) -> None:
    sample = json.loads((SAMPLES / f"{case}.json").read_text())
    body = render(
        event_type=sample["event"]["type"],
        occurred_at=datetime.fromisoformat(sample["event"]["occurred_at"]),
        data=sample["event"]["payload"],
        lead_version=sample["lead_version"],
    )
    assert body.decode() == sample["body"]


def test_there_are_golden_bodies() -> None:
    assert len(list(SAMPLES.glob("*.json"))) >= 3


def test_every_secret_in_force_signs_and_the_reference_package_accepts_each() -> None:
    body = render(event_type="baton.handoff.assigned.v1", occurred_at=AT, data={"token": 3}, lead_version=7)
    request = request_of(url="https://x.example", webhook_id=EVENT, body=body, secrets=SECRETS, sent_at=machine_now())
    assert len(request.headers["webhook-signature"].split()) == 2
    for secret in SECRETS:
        assert Webhook(secret).verify(body, dict(request.headers)) == json.loads(body)
    stranger = f"whsec_{base64.b64encode(bytes(32)).decode()}"
    with pytest.raises(WebhookVerificationError):
        Webhook(stranger).verify(body, dict(request.headers))


def test_own_headers_never_replace_ours() -> None:
    own = {"x-team": "sales", "webhook-id": "forged", "content-type": "text/plain"}
    request = request_of(
        url="https://x.example", webhook_id=EVENT, body=b"{}", secrets=SECRETS, sent_at=AT, own_headers=own
    )
    assert request.headers["webhook-id"] == str(EVENT)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-team"] == "sales"


def test_signatures_agree_with_the_vectors_of_the_scheme() -> None:
    path = material("vectors/standardwebhooks.json")
    vectors: list[dict[str, Any]] = json.loads(path.read_text())["vectors"] if path else [OWN_VECTOR]
    compared = 0
    for vector in vectors:
        headers = vector["headers"]
        if not vector["secret"].startswith("whsec_") or not headers.get("webhook-timestamp", "").isdigit():
            continue
        if "webhook-id" not in headers:
            continue
        try:
            made = sign(
                vector["secret"],
                webhook_id=headers["webhook-id"],
                timestamp=int(headers["webhook-timestamp"]),
                body=vector["body"].encode(),
            )
        except binascii.Error:
            continue
        is_fresh = abs(vector["now"] - int(headers["webhook-timestamp"])) <= 300
        if is_fresh:
            assert (made in headers.get("webhook-signature", "").split()) == vector["valid"], vector["name"]
            compared += 1
    assert compared


OWN_VECTOR: dict[str, Any] = {
    "name": "sign vector",
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "headers": {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
    "body": '{"test": 2432232314}',
    "now": 1614265330,
    "valid": True,
}


def test_a_body_stays_below_its_bound_by_dropping_whole_lists() -> None:
    data = {"lead_id": "x", "facts": [{"name": str(n), "value": "v" * 50} for n in range(400)], "reasons": ["a"]}
    body = render(event_type="baton.lead.qualified.v1", occurred_at=AT, data=data, lead_version=None)
    cut = json.loads(body)["data"]
    assert len(body) <= BODY_BYTES_MAX
    assert cut == {"lead_id": "x", "reasons": ["a"], "is_cut": True}


def test_a_body_that_no_list_makes_large_stays_whole() -> None:
    body = render(event_type="x", occurred_at=AT, data={"note": "v" * BODY_BYTES_MAX, "lines": []}, lead_version=1)
    assert json.loads(body)["data"]["lead_version"] == 1


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED),
        (204, Outcome.DELIVERED),
        (301, Outcome.REFUSED),
        (410, Outcome.REFUSED),
        (500, Outcome.REFUSED),
    ],
)
async def test_only_2xx_is_success(status: int, outcome: Outcome) -> None:
    client = Recorded(Answer(Outcome.REFUSED, status=status, retry_after=("7",), body=b"no"))
    request = request_of(url="https://x.example", webhook_id=EVENT, body=b"{}", secrets=SECRETS, sent_at=AT)
    answer = await send(request, client)
    assert (answer.outcome, answer.retry_after, answer.body) == (outcome, ("7",), b"no")
    assert client.posted == [request]


async def test_silence_stays_silence() -> None:
    silent = Answer(Outcome.UNANSWERED, error="ConnectTimeout")
    request = request_of(url="https://x.example", webhook_id=EVENT, body=b"{}", secrets=SECRETS, sent_at=AT)
    assert await send(request, Recorded(silent)) == silent
