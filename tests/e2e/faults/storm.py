"""A storm: deliveries flow and reps work while every process of a stack is killed again and again, by a seed.

Kills and deliveries keep step, however fast the machine is: a part of the deliveries goes out with each kill, and the
next kill waits until half of them have their receipts. The first waits until a rep was offered a lead.
The client keeps the receipt of every delivery that got a 2xx; what got anything else is sent again with the same ids
until it has one. Reps act through the API with idempotency keys. Nothing here judges: `judge.py` does, from receipts,
topics and databases.
"""

import asyncio
import json
import os
import signal
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from random import Random  # noqa: TID251 - seeded: the same storm again
from typing import Any

import httpx2

from deploy.local.operator import CallError, NoAnswer
from deploy.local.processes import Running, is_running
from shared.clock import monotonic, sleep
from shared.config import SERVICES
from shared.web.auth import Principal
from tests.support.stack import BatonStack

__all__ = ["Receipts", "Storm", "Weather"]

VICTIMS = (*SERVICES, "kafka", "postgres")
CLIENTS = 12
# A client that cannot deliver for so long says so: the stack did not heal.
DELIVER_SECONDS = 120
REPEAT_SHARE = 0.05
# So many messages are of people who say who they are and at once ask for a demo: reps have work before the first kill.
ASKED_FIRST = 40
# Of a rep's looks that found nothing: about one in two seconds.
BACK_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Weather:
    """How long and how hard: deliveries in all, kills in all, least seconds between two."""

    deliveries: int
    kills: int
    seconds_between_kills: float


@dataclass(slots=True)
class Receipts:
    """What the client knows: the messages that got a 2xx (id to type), how often it asked again, which answers came."""

    kept: dict[str, str] = field(default_factory=dict)
    attempts: int = 0
    answers: dict[int, int] = field(default_factory=dict)
    kills: list[str] = field(default_factory=list)
    commands: dict[int, int] = field(default_factory=dict)


class Storm:
    """One storm over one stack."""

    def __init__(self, stack: BatonStack, *, write_key: str, reps: list[Principal], people: int, seed: int) -> None:
        self.stack = stack
        self.random = Random(seed)  # noqa: S311 - a seeded storm, not a secret
        self.people = people
        self.reps = reps
        self.receipts = Receipts()
        self._authorization = "Basic " + b64encode(f"{write_key}:".encode()).decode()
        self._url = stack.url("ingest") + "/v1/batch"
        self._is_over = False
        self._to_send: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._is_offered = asyncio.Event()

    async def rage(self, weather: Weather) -> Receipts:
        """Send everything, kill as asked, and return when every delivery has its receipt and all kills are done."""
        async with httpx2.AsyncClient(timeout=5, trust_env=False) as client, asyncio.TaskGroup() as group:
            killing = group.create_task(self._kill(weather, self._messages(weather.deliveries)))
            acting = [group.create_task(self._work(rep)) for rep in self.reps]
            senders = [group.create_task(self._send(client)) for _ in range(CLIENTS)]
            await asyncio.wait([killing, *senders])
            self._is_over = True
            await asyncio.wait(acting)
        return self.receipts

    def _messages(self, number: int) -> Iterator[dict[str, Any]]:
        """Deliveries of one message each: first who it is, then what they do; one act in eight asks for a demo."""
        known: set[int] = set()
        for index in range(number):
            person = index // 2 if index < ASKED_FIRST else self.random.randrange(self.people)
            now = self.stack.hand.now().isoformat()
            common = {"userId": f"p{person}", "messageId": f"storm-{index}", "timestamp": now}
            if person not in known:
                known.add(person)
                yield common | {"type": "identify", "traits": _traits(person)}
            elif index < ASKED_FIRST or self.random.random() < 1 / 8:
                yield common | {"type": "track", "event": "Demo Requested"}
            else:
                page = self.random.choice(["/pricing", "/blog/a", "/case-studies/b", "/compare"])
                yield common | {"type": "page", "properties": {"path": page, "url": f"https://www.example.com{page}"}}

    async def _send(self, client: httpx2.AsyncClient) -> None:
        while (message := await self._to_send.get()) is not None:
            await self._deliver(client, message)
            self.receipts.kept[message["messageId"]] = message["type"]
            if self.random.random() < REPEAT_SHARE:
                await self._deliver(client, message)

    async def _deliver(self, client: httpx2.AsyncClient, message: dict[str, Any]) -> None:
        body = json.dumps({"batch": [message]}).encode()
        headers = {"authorization": self._authorization, "content-type": "application/json"}
        until = monotonic() + DELIVER_SECONDS
        while monotonic() < until:
            self.receipts.attempts += 1
            try:
                answer = await client.post(self._url, content=body, headers=headers)
            except httpx2.TransportError:
                await sleep(0.05)
                continue
            status = answer.status_code
            self.receipts.answers[status] = self.receipts.answers.get(status, 0) + 1
            if status == 200:
                return
            assert status in {429, 503}, f"a well-formed delivery got {status}: {answer.text[:200]}"
            await sleep(0.1)
        raise AssertionError(f"no receipt within {DELIVER_SECONDS} s")

    async def _work(self, rep: Principal) -> None:
        """A rep takes what is offered and calls; a lost race, a dead service and a stale token are everyday things.

        Offers expire while the service is away, and two in a row set a rep away: with nothing to do it says it is back.
        """
        while not self._is_over:
            try:
                await self._take_and_touch(rep)
            except (CallError, NoAnswer) as error:
                status = error.status if isinstance(error, CallError) else 0
                self.receipts.commands[status] = self.receipts.commands.get(status, 0) + 1
            await sleep(0.1)

    async def _take_and_touch(self, rep: Principal) -> None:
        params = {"owner_id": str(rep.id), "state": "assigned", "limit": 5}
        offered = await self.stack.calls.call("handoff", "GET", "/v1/handoffs", principal=rep, params=params)
        if not offered["handoffs"] and self.random.random() < BACK_SHARE:
            await self.stack.calls.call("handoff", "POST", f"/v1/reps/{rep.id}/back", principal=rep)
        for one in offered["handoffs"]:
            self._is_offered.set()
            verb = self.random.choice(["accept", "accept", "reject", "touch"])
            body = {"reason_code": "unreachable"} if verb == "reject" else {}
            await self.stack.calls.call(
                "handoff",
                "POST",
                f"/v1/handoffs/{one['id']}/{verb}",
                principal=rep,
                body=body,
                headers={"if-match": one["etag"]},
            )
            self.receipts.commands[200] = self.receipts.commands.get(200, 0) + 1

    async def _kill(self, weather: Weather, messages: Iterator[dict[str, Any]]) -> None:
        """SIGKILL one process after the other: each once in every round, the order by the seed."""
        part = -(-weather.deliveries // (weather.kills + 1))
        self._let_go(messages, part)
        async with asyncio.timeout(DELIVER_SECONDS):
            await self._is_offered.wait()
        left: list[str] = []
        for number in range(1, weather.kills + 1):
            left = left or self.random.sample(VICTIMS, len(VICTIMS))
            self._let_go(messages, part)
            await self._kill_one(left.pop())
            await sleep(weather.seconds_between_kills * (0.5 + self.random.random()))
            await self._wait_for_receipts(part * number + part // 2)
        for _ in range(CLIENTS):
            self._to_send.put_nowait(None)

    def _let_go(self, messages: Iterator[dict[str, Any]], number: int) -> None:
        for message in islice(messages, number):
            self._to_send.put_nowait(message)

    async def _wait_for_receipts(self, number: int) -> None:
        """A client that gets none for too long says so itself."""
        while len(self.receipts.kept) < number and not self._is_over:
            await sleep(0.05)

    async def _kill_one(self, victim: str) -> None:
        until = monotonic() + DELIVER_SECONDS
        while monotonic() < until:
            process = self._process(victim)
            if process is not None and is_running(process):
                os.kill(process.pid, signal.SIGKILL)
                self.receipts.kills.append(victim)
                return
            await sleep(0.1)
        raise AssertionError(f"{victim} did not come back within {DELIVER_SECONDS} s")

    def _process(self, victim: str) -> Running | None:
        state = self.stack.state
        servers = {"kafka": state.kafka, "postgres": state.postgres}
        found = servers.get(victim) or state.services.get(victim)
        return found.process if found else None


def _traits(person: int) -> dict[str, Any]:
    return {
        "email": f"person{person}@company{person}.example",
        "title": "VP Operations",
        "company": {"name": f"Company {person}", "is_target_industry": True},
        "consent": "granted",
    }
