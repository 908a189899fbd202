"""Endpoints over HTTP: made with a secret shown once, changed by version, rotated, tested, resent, logged."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import Request
from standardwebhooks import Webhook

from services.handoff.api.endpoints import router
from shared.config import Environment, ServiceSettings
from shared.errors import FieldError, Refused
from shared.ids import new_id
from shared.web.app_factory import create_app
from shared.web.auth import Principal, Role
from shared.web.pages import cursor_of
from tests.integration.handoff_routing.conftest import Outbound
from tests.support.receiver import Reply, receiving

ROLES_WITHOUT: tuple[Role, ...] = ("rep", "manager", "marketer", "revops")


class HandoffSettings(ServiceSettings):
    service = "handoff"


class Caller:
    """Who calls; a test may change it."""

    principal: Principal | None = Principal("user", str(new_id()), role="admin")

    async def __call__(self, _request: Request) -> Principal | None:
        return self.principal


async def check_address(url: str) -> None:
    if "metadata.internal" in url:
        raise Refused("This address is not reachable from here.", errors=[FieldError("/url", "address", "private")])


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest_asyncio.fixture
async def api(outbound: Outbound, caller: Caller) -> AsyncIterator[httpx2.AsyncClient]:
    settings = HandoffSettings(
        environment=Environment.TEST, database_url=outbound.url, kafka_bootstrap_servers="none:1"
    )
    state = {
        "database": outbound.database,
        "wrapping": outbound.destinations.wrapping,
        "check_address": check_address,
    }
    app = create_app(settings, [router], authenticate=caller, state=state)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://handoff") as client:
        yield client


def keyed() -> dict[str, str]:
    return {"idempotency-key": str(new_id())}


async def made(api: httpx2.AsyncClient, url: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    answer = await api.post("/v1/endpoints", json={"url": url, **values}, headers=keyed())
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body | {"etag": answer.headers["etag"]}


async def test_an_endpoint_is_made_once_and_shows_its_secret_once(api: httpx2.AsyncClient) -> None:
    key = keyed()
    first = await api.post("/v1/endpoints", json={"url": "https://crm.example/hook"}, headers=key)
    again = await api.post("/v1/endpoints", json={"url": "https://crm.example/hook"}, headers=key)
    assert first.json() | {"secret": None} == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    listed = (await api.get("/v1/endpoints")).json()["items"]
    assert [one["id"] for one in listed] == [first.json()["id"]]
    assert first.json()["secret"].startswith("whsec_")
    assert "secret" not in listed[0]


async def test_the_secret_is_wrapped_at_rest(api: httpx2.AsyncClient, outbound: Outbound) -> None:
    body = await made(api, "https://crm.example/hook", headers={"x-key": "own secret value"})
    (stored,) = await outbound.rows("select headers_wrapped, secret_wrapped from endpoint, endpoint_secret")
    assert "own secret value" not in stored.headers_wrapped
    assert body["secret"] not in stored.secret_wrapped
    assert body["header_names"] == ["x-key"]
    rotated = await api.post(f"/v1/endpoints/{body['id']}/rotate", json={}, headers=keyed())
    for (answer,) in await outbound.rows("select answer from idempotency"):
        assert body["secret"] not in answer
        assert rotated.json()["secret"] not in answer


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"url": "https://metadata.internal/x"}, "/url"),
        ({"types": ["baton.delivery.received.v1"]}, "/types"),
        ({"headers": {"webhook-id": "x"}}, "/headers"),
        ({"headers": {"Host": "x"}}, "/headers"),
        ({"headers": {"x-y": "a\r\nb: c"}}, "/headers"),
        ({"headers": {"x y": "a"}}, "/headers"),
        ({"secret": "whsec_short"}, "/secret"),
        ({"secret": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, "/secret"),
        ({"rate_per_second": "5"}, "/rate_per_second"),
        ({"score": 1}, "/score"),
    ],
)
async def test_bad_input_is_refused_by_field(api: httpx2.AsyncClient, change: dict[str, Any], pointer: str) -> None:
    answer = await api.post("/v1/endpoints", json={"url": "https://crm.example", **change}, headers=keyed())
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await api.get("/v1/endpoints")).json()["items"] == []


async def test_changes_need_the_version_seen(api: httpx2.AsyncClient) -> None:
    body = await made(api, "https://crm.example/hook", notify_email="ops@x.example")
    path = f"/v1/endpoints/{body['id']}"
    assert (await api.patch(path, json={"description": "CRM"})).status_code == 428
    changed = await api.patch(
        path, json={"description": "CRM", "notify_email": None}, headers={"if-match": body["etag"]}
    )
    assert (changed.status_code, changed.json()["description"], changed.json()["notify_email"]) == (200, "CRM", None)
    assert changed.json()["url"] == "https://crm.example/hook"
    stale = await api.patch(path, json={"description": "x"}, headers={"if-match": body["etag"]})
    assert stale.status_code == 412
    bad = await api.patch(path, json={"url": "https://metadata.internal/x"}, headers={"if-match": "*"})
    assert bad.status_code == 422
    assert (await api.delete(path, headers={"if-match": changed.headers["etag"]})).status_code == 204
    assert (await api.get(path)).status_code == 404


async def test_only_who_may_manage_endpoints_does(api: httpx2.AsyncClient, caller: Caller) -> None:
    for role in ROLES_WITHOUT:
        caller.principal = Principal("user", str(new_id()), role=role)
        assert (await api.get("/v1/endpoints")).status_code == 403
    caller.principal = Principal("key", "k", scopes=frozenset({"endpoints:manage"}))
    assert (await api.get("/v1/endpoints")).status_code == 200
    caller.principal = None
    assert (await api.get("/v1/endpoints")).status_code == 401


async def test_a_test_event_arrives_signed_and_stands_in_the_log(api: httpx2.AsyncClient, outbound: Outbound) -> None:
    async with receiving() as receiver, outbound.looping():
        body = await made(api, receiver.url, headers={"x-team": "sales"}, types=["baton.lead.qualified.v1"])
        asked = await api.post(f"/v1/endpoints/{body['id']}/test", headers=keyed())
        await outbound.until("select state from dispatch", [("done",)])
    (request,) = receiver.received
    sent = Webhook(body["secret"]).verify(request.body, request.headers)
    assert sent["type"] == "baton.endpoint.tested.v1"
    assert request.headers["x-team"] == "sales"
    (entry,) = (await api.get(f"/v1/endpoints/{body['id']}/attempts")).json()["items"]
    assert (entry["dispatch_id"], entry["outcome"], entry["status"]) == (asked.json()["dispatch_id"], "delivered", 200)
    assert entry["webhook_id"] == request.headers["webhook-id"]


async def test_a_rotated_secret_signs_beside_the_old_one(api: httpx2.AsyncClient, outbound: Outbound) -> None:
    async with receiving() as receiver, outbound.looping():
        body = await made(api, receiver.url)
        path = f"/v1/endpoints/{body['id']}"
        rotated = (await api.post(f"{path}/rotate", json={"overlap_hours": 1}, headers=keyed())).json()
        await api.post(f"{path}/test", headers=keyed())
        await receiver.until(1)
    for secret in (body["secret"], rotated["secret"]):
        Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)


async def test_what_failed_is_resent_with_the_same_id(api: httpx2.AsyncClient, outbound: Outbound) -> None:
    async with receiving(Reply(410), Reply(200)) as receiver, outbound.looping():
        body = await made(api, receiver.url)
        path = f"/v1/endpoints/{body['id']}"
        await api.post(f"{path}/test", headers=keyed())
        await outbound.until("select state from dispatch", [("failed",)])
        assert (await api.get(path)).json()["disabled_because"] == "gone"
        enabled = await api.post(f"{path}/enable", headers=keyed())
        assert enabled.json()["is_enabled"] is True
        since = {"since": "2026-01-01T00:00:00Z"}
        resent = await api.post(f"{path}/resend", json=since, headers=keyed())
        assert resent.json() == {"resent": 1}
        await outbound.until("select state, attempts_before from dispatch", [("done", 1)])
        none = await api.post(f"{path}/resend", json=since, headers=keyed())
        assert none.json() == {"resent": 0}
        (entry, _) = (await api.get(f"{path}/attempts")).json()["items"]
        one = {"dispatch_id": entry["dispatch_id"]}
        assert (await api.post(f"{path}/resend", json=one, headers=keyed())).json() == {"resent": 1}
        await receiver.until(3)
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    for wrong in ({}, {**one, **since}):
        assert (await api.post(f"{path}/resend", json=wrong, headers=keyed())).status_code == 422


async def test_lists_and_logs_page_by_cursor(api: httpx2.AsyncClient, outbound: Outbound) -> None:
    async with receiving() as receiver, outbound.looping():
        ids = [(await made(api, receiver.url))["id"] for _ in range(3)]
        for _ in range(3):
            await api.post(f"/v1/endpoints/{ids[0]}/test", headers=keyed())
        await outbound.until("select count(*) from dispatch where state = 'done'", [(3,)])
    page = (await api.get("/v1/endpoints", params={"limit": 2})).json()
    rest = (await api.get("/v1/endpoints", params={"limit": 2, "cursor": page["next"]})).json()
    assert [one["id"] for one in page["items"] + rest["items"]] == ids
    assert rest["next"] is None
    log = f"/v1/endpoints/{ids[0]}/attempts"
    first = (await api.get(log, params={"limit": 2})).json()
    last = (await api.get(log, params={"limit": 2, "cursor": first["next"], "type": "baton.endpoint.tested.v1"})).json()
    assert len({one["dispatch_id"] for one in first["items"] + last["items"]}) == 3
    assert (await api.get(log, params={"type": "baton.lead.qualified.v1"})).json()["items"] == []


async def test_what_is_not_there_is_404(api: httpx2.AsyncClient) -> None:
    path = f"/v1/endpoints/{new_id()}"
    assert (await api.get(path)).status_code == 404
    assert (await api.get(f"{path}/attempts")).status_code == 404
    assert (await api.post(f"{path}/enable", headers=keyed())).status_code == 404


@pytest.mark.parametrize("forged", [["2026-06-10T12:00:00", "kim"], ["kim", "1"], [str(2**63), "1"], ["1", str(2**64)]])
async def test_a_forged_cursor_is_refused_by_its_name(api: httpx2.AsyncClient, forged: list[str]) -> None:
    made = (await api.post("/v1/endpoints", json={"url": "https://hooks.example/x"}, headers=keyed())).json()
    for path in ("/v1/endpoints", f"/v1/endpoints/{made['id']}/attempts"):
        refused = await api.get(path, params={"cursor": cursor_of(*forged)})
        assert refused.status_code == 422, refused.text
        assert refused.json()["errors"][0]["pointer"] == "query:cursor"
