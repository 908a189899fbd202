"""The doors of a running stack as the driver needs them: deliveries of senders, looks at the queue, commands of people.

Only public routes are used: the front door for what happens, the console for what people and the CRM do. A command
that a race has overtaken (409, 412, 422) is not an error of the story: somebody else was faster.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import httpx2

from deploy.demo import bodies, cast
from deploy.demo.company import Company
from deploy.demo.dice import Dice
from deploy.demo.driver import Planned
from deploy.demo.people import LATER, PAUSE_SECONDS, Person
from deploy.demo.reactions import Given, Step, reactions
from deploy.demo.standing import Standing, wait_until_quiet
from deploy.demo.story import Act, Story
from deploy.demo.world_clock import WorldClockHand
from deploy.local.operator import CallError, StackCalls
from shared.clock import sleep

__all__ = ["CompanyDoors"]

CRM = "demo-crm"
_OVERTAKEN, _STALE = {404, 409, 412, 422}, {409, 412}
_PAGE = 200
_SENDINGS_MAX = 80


@dataclass(slots=True)
class CompanyDoors:
    """Everything the company's people and systems do with the stack."""

    calls: StackCalls
    company: Company
    story: Story
    dice: Dice
    hand: WorldClockHand
    refused: int = 0
    deliveries: int = 0
    _planned: set[tuple[str, int]] = field(default_factory=set)
    _numbers: dict[str, int] = field(default_factory=dict)
    _seen: dict[str, str] = field(default_factory=dict)  # per handoff the ETag its rep saw last
    _looked_at: datetime = cast.START

    async def quiet(self) -> Standing:
        """Wait until everything sent has been handled; loops that look only now and then are nudged."""
        return await wait_until_quiet(self.calls, nudge=self.hand.nudge)

    async def deliver(self, act: Act) -> None:
        """Send one act through its door."""
        match act.door:
            case "segment":
                await self._post("/v1/batch", bodies.segment_batch(act, self.story.people), self._segment_headers())
            case "sendgrid":
                body = bodies.sendgrid_events(act, self.story.people)
                signed = self.company.mail_key.headers(body, timestamp=int(self.hand.now().timestamp()))
                await self._post(self.company.mail_path, body, signed)
            case "cloudevents":
                body = bodies.cloudevents_batch(act, self.story.people)
                await self._post("/v1/events", body, self._cloudevents_headers())
            case "badges":
                await self._import_badges(act)
            case "command":
                await self._marketing_command(act)

    async def new_work(self) -> Sequence[Planned]:
        """The reps look at what is new in their queues: each assignment is planned once."""
        since, self._looked_at = self._looked_at, self.hand.now()
        new = []
        for handoff in await self.handoffs("assigned", since=since):
            assignment = (handoff["id"], handoff["attempt"])
            if assignment not in self._planned and handoff["owner_id"] in self.company.reps:
                self._planned.add(assignment)
                self._seen[handoff["id"]] = handoff["etag"]
                new.append(handoff)
        return [planned for plan in await asyncio.gather(*map(self._plan, new)) for planned in plan]

    async def _plan(self, handoff: Mapping[str, Any]) -> list[Planned]:
        number = await self._number_of(handoff["lead_id"])
        person = self.story.people.get(number)
        if person is None:
            return []
        rep = self.company.reps[handoff["owner_id"]]
        given = Given(self.hand.now(), handoff["attempt"], is_hand_raiser=handoff["tier"] == "hand_raiser")
        steps = reactions(self.dice, person, given, rep=rep, team=self.company.team_of(rep))
        return [
            Planned(step.at, rep.name, partial(self._do, step, handoff, rep.email), is_moving=step.verb == "reject")
            for step in steps
        ]

    async def _do(self, step: Step, handoff: Mapping[str, Any], email: str) -> bool:
        """One step of a rep's plan; False when the handoff has gone on without it."""
        try:
            if step.verb == "deal":
                return await self._deal(step, handoff)
            return await self._command(step, handoff["id"], self.company.people[email])
        except CallError as error:
            if error.status not in _OVERTAKEN:
                raise
            self.refused += 1
            return False

    async def _command(self, step: Step, handoff_id: str, rep: Person) -> bool:
        """Decided on what the rep saw last; if that is no longer so, on what the handoff is now."""
        try:
            done = await self._send_command(step, handoff_id, rep, etag=self._seen[handoff_id])
        except CallError as error:
            if error.status not in _STALE:
                raise
            now = await rep.do("GET", f"/v1/handoffs/{handoff_id}")
            if now.json()["owner_id"] != rep.user_id:
                return False
            done = await self._send_command(step, handoff_id, rep, etag=now.headers["etag"])
        self._seen[handoff_id] = done.headers["etag"]
        return True

    async def _send_command(self, step: Step, handoff_id: str, rep: Person, *, etag: str) -> httpx2.Response:
        return await rep.do("POST", f"/v1/handoffs/{handoff_id}/{step.verb}", _body(step), if_match=etag)

    async def _deal(self, step: Step, handoff: Mapping[str, Any]) -> bool:
        """The CRM tells what became of the opportunity, if there is one."""
        deal = step.deal
        assert deal is not None, "a deal step has one"
        now = await self.company.crm.get(f"/v1/handoffs/{handoff['id']}")
        if now["state"] != "opportunity" or now["owner_id"] != handoff["owner_id"]:
            return False
        body = {
            "lead_id": handoff["lead_id"],
            "handoff_id": handoff["id"],
            "result": deal.result,
            "occurred_at": step.at.isoformat(),
            "crm_status": deal.result,
            "amount_minor": deal.amount_minor,
            "currency": "EUR",
            **({"reason_code": deal.reason} if deal.reason else {}),
        }
        await self.company.crm.do("PUT", f"/v1/opportunities/{CRM}/{handoff['id']}", body)
        return True

    async def handoffs(self, state: str, *, since: datetime | None = None) -> list[dict[str, Any]]:
        """All handoffs in a state, as the CRM sees them; since: only those that changed then or later."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            params = {"state": state, "limit": str(_PAGE), **({"cursor": cursor} if cursor else {})}
            if since is not None:
                params["updated_since"] = since.isoformat()
            page = await self.company.crm.get("/v1/handoffs", params=params)
            found += page["handoffs"]
            cursor = page.get("next")
            if not cursor:
                return found

    async def _number_of(self, lead_id: str) -> int:
        """The story's number of a lead, by its address: what a rep reads on the card."""
        if lead_id not in self._numbers:
            lead = await self.company.crm.get(f"/v1/leads/{lead_id}")
            email = str(lead["email"] or "")
            digits = "".join(filter(str.isdigit, email.partition("@")[0]))
            self._numbers[lead_id] = int(digits) if digits else -1
        return self._numbers[lead_id]

    async def _lead_id(self, email: str) -> str | None:
        found = await self.company.person("marketer").get("/v1/leads", params={"email": email})
        return found["leads"][0]["id"] if found["leads"] else None

    async def _marketing_command(self, act: Act) -> None:
        happening = act.happenings[0]
        person = self.story.people[happening.number]
        lead_id = await self._lead_id(person.email)
        if lead_id is None:
            self.refused += 1
            return
        marketer = self.company.person("marketer")
        try:
            if act.note == "merge":
                twin = await self._lead_id(happening.details["email"])
                await marketer.do("POST", f"/v1/leads/{twin}/merge", {"into_lead_id": lead_id})
            else:
                withdrawn = {"purpose": "profiling", "consent": "withdrawn", "wording": "asked by telephone"}
                await marketer.do("POST", f"/v1/leads/{lead_id}/consents", withdrawn)
        except CallError as error:
            if error.status not in _OVERTAKEN:
                raise
            self.refused += 1

    async def _import_badges(self, act: Act) -> None:
        body = bodies.badge_list(act.happenings, self.story.people)
        marketer = self.company.person("marketer")
        await marketer.do("POST", "/v1/imports/activities", content=body, headers={"content-type": "text/csv"})
        self.deliveries += 1

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        """As senders do: what was not kept is sent again, the same bytes."""
        for tries_left in reversed(range(_SENDINGS_MAX)):
            try:
                await self.calls.send("ingest", "POST", path, content=body, headers=headers, signed=False)
            except CallError as error:
                if error.status not in LATER or not tries_left:
                    raise
                await sleep(PAUSE_SECONDS)
            else:
                self.deliveries += 1
                return

    def _segment_headers(self) -> dict[str, str]:
        credentials = base64.b64encode(f"{self.company.write_key}:".encode()).decode()
        return {"authorization": f"Basic {credentials}", "content-type": "application/json"}

    def _cloudevents_headers(self) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self.company.server_key}",
            "content-type": "application/cloudevents-batch+json",
        }


def _body(step: Step) -> dict[str, Any]:
    """The JSON of a command."""
    match step.verb:
        case "reject":
            return {
                "reason_code": step.reason,
                **({"until_on": step.until.date().isoformat()} if step.until else {}),
                **({"sub_reason": "company too small"} if step.reason == "no_fit" else {}),
            }
        case "pause":
            assert step.until is not None, "a pause ends"
            return {"reason_code": step.reason, "until_at": step.until.isoformat()}
        case "dispose":
            return {"disposition": step.disposition, **({"reason_code": step.reason} if step.reason else {})}
        case "touch":
            return {"kind": "call_connected"}
        case _:
            return {}
