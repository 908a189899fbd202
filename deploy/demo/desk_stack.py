"""Plays the loan desk's log through the doors of a stack of its own, week by week, and measures from its events.

World time goes to the end of each week; that week's events are then delivered in arrears, with their true times and in
their order. A handoff is dated by its ask and a touch by itself, whichever comes first and however late. The desk's own
agreement has no deadlines (the log knows none) and hands a lead off when the log does. Speed to lead is computed from
the topic `handoffs` alone.
"""

import asyncio
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from deploy.demo.desk_agreement import desk_agreement
from deploy.demo.loan_desk import SYSTEM, Act, Meaning, by_weeks, cloud_event
from deploy.demo.people import Person
from deploy.demo.standing import NotQuiet, wait_until_quiet
from deploy.demo.world_clock import WorldClockHand
from deploy.local import stack
from deploy.local.operator import CallError, NoAnswer, StackCalls, variables_of
from deploy.local.state import State
from shared.clock import monotonic, sleep
from shared.config import SERVICES
from shared.contracts.handoffs import HandoffOpened, HandoffTouched
from shared.db.engine import Database
from shared.ids import secret_token
from shared.stream.reader import read_topic

__all__ = ["NotReplayed", "replay_desk", "speed_figures"]

BATCH_EVENTS = 500
AT_ONCE = 4
# A week is 11,000 events: half a minute of two cores, some minutes beside other work.
QUIET_SECONDS = 300
# Not kept, or too fast: the door asks for the same delivery again.
_LATER, _PAUSE_SECONDS, TRIES_MAX = {429, 503}, 1.0, 60
_TEAM = {"name": "loan desk", "calendar": "always"}
_CALENDAR = {
    "name": "always",
    "zone": "UTC",
    "hours": [[[0, 24 * 60]]] * 7,
    "holidays": [],
}


class NotReplayed(Exception):
    """The replay broke off; the text says where and why."""


def replay_desk(
    home: Path, cases: Sequence[list[Act]], *, step: Callable[[str], None], progress: Callable[[float, str], None]
) -> dict[str, Any]:
    """The figures of the whole log, as one JSON document. Raises Missing, DidNotStart or NotReplayed."""
    began = monotonic()
    weeks = by_weeks(cases)
    start = weeks[0][0] - timedelta(days=8)
    variables = {
        "BATON_WORLD_CLOCK_START": start.isoformat(),
        "BATON_WORLD_CLOCK_SPEED": "0",
        "BATON_TOPIC_PARTITIONS": "2",  # two cores: more partitions would only cut the batches smaller
        "BATON_FEEDBACK_RETUNE_DAYS": "3650",  # nothing is learned from a log without qualification
    }
    running = stack.up(home, environment="demo", prepare="deploy.demo.prepare", tell=step, variables=variables)
    try:
        figures = asyncio.run(_replay(running, home, weeks, progress=progress))
    except (CallError, NoAnswer, NotQuiet) as error:
        raise NotReplayed(f"{error}\n  Logs: {home / 'logs'}. Still running: baton status, baton down.") from error
    return {**figures, "elapsed_seconds": round(monotonic() - began, 1)}


def speed_figures(hours: Sequence[float]) -> dict[str, float | int]:
    """n, median, p90 and the shares above 4 and 24 hours; quantiles by linear interpolation between neighbours."""
    ordered = sorted(hours)
    at = 0.9 * (len(ordered) - 1)
    low = int(at)
    p90 = ordered[low] + (at - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])
    return {
        "n": len(ordered),
        "median_hours": round(statistics.median(ordered), 2),
        "p90_hours": round(p90, 1),
        "share_over_4h": round(sum(one > 4 for one in ordered) / len(ordered), 3),
        "share_over_24h": round(sum(one > 24 for one in ordered) / len(ordered), 3),
    }


async def _replay(
    running: State, home: Path, weeks: Sequence[tuple[datetime, list[Act]]], *, progress: Callable[[float, str], None]
) -> dict[str, Any]:
    assert running.postgres is not None
    assert running.kafka is not None
    databases = [Database(f"{running.postgres.address}baton_{service}", pool_size=1) for service in SERVICES]
    try:
        async with StackCalls(variables_of(running)) as calls:
            hand = WorldClockHand(databases, home / "world_clock.json")
            desk = await _Desk.found(calls, hand, resources=_resources(weeks))
            for number, (ends_at, acts) in enumerate(weeks):
                await hand.set(at=ends_at, speed=0)
                await desk.deliver_week(acts)
                progress((number + 1) / len(weeks), f"{ends_at:%d %b %Y}, {desk.sent} events delivered")
            verified = [await calls.call(service, "GET", "/internal/verify", internal=True) for service in SERVICES]
        hours = await _hours(running.kafka.address)
    finally:
        for database in databases:
            await database.close()
    gap = sum(one["gap"] for one in verified)
    return {**speed_figures(hours), "events": desk.sent, "leads": desk.leads, "ledger_gap": gap}


def _resources(weeks: Sequence[tuple[datetime, list[Act]]]) -> list[str]:
    """The resources that took leads up: they are the reps."""
    return sorted({act.resource or "" for _, acts in weeks for act in acts if act.meaning is Meaning.TOUCHED})


async def _hours(bootstrap_servers: str) -> list[float]:
    """From handoff to first touch, per handoff that was touched."""
    opened: dict[UUID, datetime] = {}
    touched: dict[UUID, datetime] = {}
    async for event in read_topic(bootstrap_servers, "baton.handoffs"):
        payload = event.payload
        if type(payload) is HandoffOpened:
            opened[payload.handoff_id] = event.occurred_at
        elif isinstance(payload, HandoffTouched):
            first = touched.get(payload.handoff_id, payload.touched_at)
            touched[payload.handoff_id] = min(first, payload.touched_at)
    return [(touched[one] - opened[one]).total_seconds() / 3600 for one in touched]


class _Desk:
    """The loan desk once it is set up: who acts, and how its log is delivered."""

    def __init__(self, calls: StackCalls, hand: WorldClockHand, *, key: str, reps: Mapping[str, str]) -> None:
        self.sent = 0
        self.leads = 0
        self._calls = calls
        self._hand = hand
        self._headers = {
            "authorization": f"Bearer {key}",
            "content-type": "application/cloudevents-batch+json; charset=utf-8",
        }
        self._reps = reps

    @classmethod
    async def found(cls, calls: StackCalls, hand: WorldClockHand, *, resources: Sequence[str]) -> "_Desk":
        """People, one source, and the desk's agreement signed by both teams."""
        console = calls.address("console")
        asked = {"email": "admin@desk.example", "name": "Admin", "role": "admin", "password": secret_token(16)}
        made = await calls.call("console", "POST", "/internal/users", internal=True, body=asked)
        admin = Person(console, asked["email"], asked["password"], made["user_id"])
        await admin.sign_in()
        await admin.do("POST", "/v1/calendars", _CALENDAR)
        team_id = (await admin.do("POST", "/v1/teams", _TEAM)).json()["id"]
        people = {role: await _user(admin, role, role) for role in ("marketer", "manager", "revops")}
        reps: dict[str, str] = {}
        for first in range(0, len(resources), AT_ONCE):
            some = resources[first : first + AT_ONCE]
            reps |= dict(await asyncio.gather(*(_rep(admin, resource, team_id) for resource in some)))
        source = {"sender": "cloudevents", "name": SYSTEM, "settings": {"consent": "granted"}}
        key = (await people["marketer"].do("POST", "/v1/sources", source)).json()["keys"][0]["key"]
        await _sign(people, desk_agreement, rep_ids=list(reps.values()), now=hand.now())
        return cls(calls, hand, key=key, reps=reps)

    async def deliver_week(self, acts: Sequence[Act]) -> None:
        """One week of the log, at its end."""
        self.leads += sum(act.meaning is Meaning.ASKED for act in acts)
        batches = [acts[first : first + BATCH_EVENTS] for first in range(0, len(acts), BATCH_EVENTS)]
        for first in range(0, len(batches), AT_ONCE):
            await asyncio.gather(*(self._post(batch) for batch in batches[first : first + AT_ONCE]))
        await wait_until_quiet(self._calls, nudge=self._hand.nudge, within_seconds=QUIET_SECONDS)

    async def _post(self, batch: Sequence[Act]) -> None:
        events = [cloud_event(act, actor_user_id=self._reps.get(act.resource or "", "")) for act in batch]
        body = json.dumps(events).encode()
        for again in range(TRIES_MAX):
            try:
                await self._calls.send(
                    "ingest", "POST", "/v1/events", content=body, headers=self._headers, signed=False
                )
            except CallError as error:
                if error.status not in _LATER or again == TRIES_MAX - 1:
                    raise
                await sleep(_PAUSE_SECONDS)  # what every sender does; the same ids make it harmless
            else:
                break
        self.sent += len(batch)


async def _rep(admin: Person, resource: str, team_id: str) -> tuple[str, str]:
    """The resource, and the user id of the rep who stands for it."""
    rep = await _user(admin, f"resource {resource or 'unknown'}", "rep", team_id=team_id, signs_in=False)
    await admin.do("PUT", f"/v1/reps/{rep.user_id}", {"name": f"resource {resource}", "team_id": team_id})
    return resource, rep.user_id


async def _user(admin: Person, name: str, role: str, *, team_id: str | None = None, signs_in: bool = True) -> Person:
    asked = {
        "email": f"{name.replace(' ', '.')}@desk.example",
        "name": name,
        "role": role,
        "time_zone": "UTC",
        "password": secret_token(16),
        **({"team_id": team_id} if team_id else {}),
    }
    made = (await admin.do("POST", "/v1/users", asked)).json()
    person = Person(admin.console, str(asked["email"]), str(asked["password"]), made["user_id"])
    if signs_in:
        await person.sign_in()
    return person


async def _sign(
    people: Mapping[str, Person],
    write: Callable[..., dict[str, Any]],
    *,
    rep_ids: Sequence[str],
    now: datetime,
) -> None:
    revops = people["revops"]
    active = await revops.get("/v1/agreements/active")
    draft = (await revops.do("POST", "/v1/drafts", {"document": write(active["document"], rep_ids=rep_ids)})).json()
    path = f"/v1/drafts/{draft['draft_id']}"
    checked = (await revops.do("POST", f"{path}/check", {})).json()
    if not checked["is_signable"]:
        raise NotReplayed(f"The desk's agreement does not pass the check: {checked}")
    for role in ("marketer", "manager"):
        await people[role].do("POST", f"{path}/sign", {})
    await revops.do("POST", f"{path}/publish", {"effective_from": now.isoformat()})
