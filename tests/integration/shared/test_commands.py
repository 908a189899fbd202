"""A command has one effect per key, whatever is repeated, raced, refused or broken.

Its answer is kept with the effect.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, ClassVar
from uuid import UUID

import httpx2
import pytest_asyncio
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from sqlalchemy import text

from shared.config import Environment, ServiceSettings
from shared.db.engine import Database, Tx, reading
from shared.errors import Busy, Refused, Stale
from shared.ids import new_id
from shared.telemetry import Step, install_hook
from shared.web.app_factory import Asked, create_app
from shared.web.auth import Principal, requires
from shared.web.idempotency import Answer, check_if_match, command, etag_of

ADA = Principal(kind="user", id=str(UUID(int=1)), role="rep")


class Settings(ServiceSettings):
    service: ClassVar[str] = "scoring"


class Deposit(Asked):
    """What the command takes."""

    amount: int = Field(ge=1, le=100)
    note: str = Field("", max_length=20)


@dataclass
class Desk:
    """An app with one command, and what it is told to do."""

    database: Database
    client: httpx2.AsyncClient
    steps: list[Step] = field(default_factory=list)

    async def post(self, amount: object, *, key: str | None, path: str = "/v1/deposits") -> httpx2.Response:
        headers = {} if key is None else {"idempotency-key": key}
        return await self.client.post(path, json={"amount": amount}, headers=headers)

    async def effects(self) -> int:
        async with reading(self.database) as tx:
            return int((await tx.execute("select count(*) from effect")).scalar_one())


router = APIRouter()
Rep = Annotated[Principal, Depends(requires("handoffs:act"))]
REFUSED, STALE, BUSY, SLOW, BROKEN = 13, 14, 15, 16, 17


@router.post("/v1/deposits")
async def deposit(request: Request, principal: Rep, asked: Deposit) -> Response:
    async def run(tx: Tx) -> Answer:
        await tx.execute(text("insert into effect (amount) values (:amount)"), {"amount": asked.amount})
        match asked.amount:
            case 13:
                raise Refused("Not on a Friday.")
            case 14:
                raise Stale("Somebody was faster.", current={"state": "accepted"})
            case 15:
                raise Busy("Not now.")
            case 16:
                await tx.execute("select pg_sleep(1.6)")
            case 17:
                raise RuntimeError("a defect")
            case _:
                pass
        return Answer(201, {"amount": asked.amount}, {"etag": etag_of(1), "location": "/v1/deposits/1"})

    return await command(request, request.app.state.database, principal, run)


@router.patch("/v1/deposits/1")
async def change(request: Request, principal: Rep) -> dict[str, str]:
    check_if_match(request, current=etag_of(3, 17))
    return {"by": principal.id}


@pytest_asyncio.fixture
async def desk(empty_database: str) -> AsyncIterator[Desk]:
    database = Database(empty_database, pool_size=20, workload="api")
    async with database.engine.begin() as connection:
        await connection.execute(text("create table effect (amount integer not null)"))

    async def authenticate(request: Request) -> Principal:
        return (
            ADA if request.headers.get("x-user") != "bob" else Principal(kind="user", id=str(UUID(int=2)), role="rep")
        )

    settings = Settings(environment=Environment.TEST, database_url=empty_database, kafka_bootstrap_servers="none:1")
    app = create_app(settings, [router], authenticate=authenticate, state={"database": database})
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://desk") as client:
        yield Desk(database, client)
    await database.close()


async def test_the_same_key_and_body_get_the_same_answer_and_one_effect(desk: Desk) -> None:
    first = await desk.post(5, key="k1")
    second = await desk.post(5, key="k1")
    assert (first.status_code, first.json(), first.headers["etag"]) == (201, {"amount": 5}, '"1"')
    assert (second.status_code, second.content, second.headers["location"]) == (201, first.content, "/v1/deposits/1")
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert await desk.effects() == 1


async def test_a_quoted_key_and_a_bare_one_are_the_same(desk: Desk) -> None:
    await desk.post(5, key='"8e03978e-40d5-43e8-bc93-6894a57f9324"')
    again = await desk.post(5, key="8e03978e-40d5-43e8-bc93-6894a57f9324")
    assert again.headers["idempotency-replayed"] == "true"
    assert await desk.effects() == 1


async def test_the_same_key_with_another_body_is_refused(desk: Desk) -> None:
    await desk.post(5, key="k")
    other = await desk.post(6, key="k")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/key_reused")
    assert await desk.effects() == 1


async def test_a_missing_or_malformed_key_is_unreadable(desk: Desk) -> None:
    for key in (None, "", '"', "a b", "x" * 256, "ü"[:0] or "a\tb"):
        answer = await desk.post(5, key=key)
        assert answer.status_code == 400, key
    assert await desk.effects() == 0


async def test_keys_are_of_one_principal_and_one_route(desk: Desk) -> None:
    await desk.post(5, key="k")
    other = await desk.client.post(
        "/v1/deposits", json={"amount": 5}, headers={"idempotency-key": "k", "x-user": "bob"}
    )
    assert "idempotency-replayed" not in other.headers
    assert await desk.effects() == 2


async def test_a_hundred_at_once_have_one_effect(desk: Desk) -> None:
    answers = await asyncio.gather(*(desk.post(5, key="same") for _ in range(100)))
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {201, 409, 503}
    assert 201 in statuses
    assert await desk.effects() == 1


async def test_while_the_first_still_runs_the_second_hears_409(desk: Desk) -> None:
    first, second = await asyncio.gather(desk.post(SLOW, key="slow"), desk.post(SLOW, key="slow"))
    ended = sorted([first, second], key=lambda one: one.status_code)
    assert [one.status_code for one in ended] == [201, 409]
    assert ended[1].json()["type"] == "/problems/still_running"
    assert ended[1].headers["retry-after"] == "1"
    assert (await desk.post(SLOW, key="slow")).headers["idempotency-replayed"] == "true"
    assert await desk.effects() == 1


async def test_a_refusal_is_kept_and_its_effect_undone(desk: Desk) -> None:
    for amount, status in ((REFUSED, 422), (STALE, 409)):
        key = str(new_id())
        first, second = await desk.post(amount, key=key), await desk.post(amount, key=key)
        assert (first.status_code, second.status_code) == (status, status)
        assert first.headers["content-type"] == second.headers["content-type"] == "application/problem+json"
        assert second.headers["idempotency-replayed"] == "true"
        assert second.json().get("current") == ({"state": "accepted"} if amount == STALE else None)
    assert await desk.effects() == 0


async def test_an_error_of_ours_is_not_kept(desk: Desk) -> None:
    for amount, status in ((BUSY, 503), (BROKEN, 500)):
        first, second = await desk.post(amount, key=f"k{amount}"), await desk.post(amount, key=f"k{amount}")
        assert (first.status_code, second.status_code) == (status, status)
        assert "idempotency-replayed" not in second.headers
        assert "defect" not in first.text
    assert await desk.effects() == 0


async def test_a_command_broken_before_its_commit_changed_nothing_and_after_it_everything(desk: Desk) -> None:
    for step, effects in (("command:after_key", 0), ("command:before_commit", 0), ("command:after_commit", 1)):

        async def breaks(reached: Step, *, at: str = step) -> None:
            if reached == at:
                raise RuntimeError

        install_hook(breaks)
        try:
            broken = await desk.post(5, key=step)
        finally:
            install_hook(None)
        assert broken.status_code == 500
        assert await desk.effects() == effects
        again = await desk.post(5, key=step)
        assert again.status_code == 201
        assert ("idempotency-replayed" in again.headers) == bool(effects)
        assert await desk.effects() == 1
        async with desk.database.engine.begin() as connection:
            await connection.execute(text("delete from effect"))


async def test_fields_are_named_and_unknown_ones_refused(desk: Desk) -> None:
    for body, pointer in (
        ({"amount": "5"}, "/amount"),
        ({"amount": 0.5}, "/amount"),
        ({"amount": 5, "owner": "me"}, "/owner"),
        ({}, "/amount"),
    ):
        answer = await desk.client.post("/v1/deposits", json=body, headers={"idempotency-key": "k"})
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (422, "/problems/invalid")
        assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_every_refusal_is_a_problem_document_with_a_request_id(desk: Desk) -> None:
    asked = [
        ("POST", "/v1/deposits", b"{", 400),
        ("GET", "/nowhere", b"", 404),
        ("DELETE", "/v1/deposits", b"", 405),
        ("POST", "/v1/deposits", b"x" * 70_000, 413),
    ]
    for method, path, body, status in asked:
        answer = await desk.client.request(
            method, path, content=body, headers={"content-type": "application/json", "request-id": "mine-1"}
        )
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["status"] == status
        assert answer.json()["instance"] == path
        assert answer.headers["request-id"] == "mine-1"


async def test_a_change_needs_the_version_seen(desk: Desk) -> None:
    path = "/v1/deposits/1"
    assert (await desk.client.patch(path)).status_code == 428
    assert (await desk.client.patch(path, headers={"if-match": '"3.16"'})).status_code == 412
    assert (await desk.client.patch(path, headers={"if-match": '"3.17"'})).status_code == 200
