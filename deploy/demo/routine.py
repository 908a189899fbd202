"""What the company does regularly, whatever the leads do.

Managers see to reps and queues, Marketing enrols what came back, both teams judge fits. Planned ahead as the story's
own acts are; each looks first and does only what is needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from deploy.demo import cast
from deploy.demo.doors import CompanyDoors
from deploy.demo.driver import Driver, Planned
from deploy.local.operator import CallError

__all__ = ["add_routine"]

# At moments at which systems send as well: no step more.
_MORNINGS = {"berlin": timedelta(hours=3), "newyork": timedelta(hours=9)}
_AFTERNOON = timedelta(hours=9)
_MODELS_FROM_DAY = 42


def add_routine(driver: Driver, doors: CompanyDoors) -> None:
    """Plan every day of the quarter."""
    looks = _Looks(doors)
    for day in range(cast.DAYS):
        start = cast.START + timedelta(days=day)
        if start.weekday() < 5:
            for team, after in _MORNINGS.items():
                driver.add(Planned(start + after, team, partial(looks.see_to_team, team), is_moving=True))
        driver.add(Planned(start + _AFTERNOON, "marketing", looks.enrol))
        if start.weekday() == 0 and day >= _MODELS_FROM_DAY:
            driver.add(Planned(start + _AFTERNOON, "both teams", looks.look_at_models))


@dataclass(slots=True)
class _Looks:
    """The looks themselves."""

    doors: CompanyDoors
    enrolled_at: datetime = cast.START

    async def see_to_team(self, team: str) -> bool:
        """Whoever was set away for missed promises is back; what overflowed or needs review is given to somebody."""
        manager = self.doors.company.person("manager", team)
        reps = [one for one in (await manager.get("/v1/reps"))["reps"] if self._team_of(one["id"]) == team]
        for rep in reps:
            if rep["is_away"]:
                await manager.do("POST", f"/v1/reps/{rep['id']}/back", {})
        for handoff in await self.doors.handoffs("queued"):
            if handoff["queue"] in {"overflow", "manual_review"} and (handoff["pool"] == "dach") == (team == "berlin"):
                await self._give_away(handoff, reps)
        return True

    async def _give_away(self, handoff: Mapping[str, Any], reps: list[dict[str, Any]]) -> None:
        """To the least loaded of the team who may have it: at work, and not tried before."""
        revops = self.doors.company.person("revops")
        for rep in sorted(reps, key=lambda one: one["load"]):
            if rep["id"] not in handoff["tried"]:
                try:
                    path = f"/v1/handoffs/{handoff['id']}/reassign"
                    await revops.do("POST", path, {"rep_id": rep["id"]}, if_match=handoff["etag"])
                except CallError as error:
                    if not error.is_refusal:
                        raise
                else:
                    return

    async def enrol(self) -> bool:
        """Marketing takes back what Sales could not use, within the promised day."""
        marketer = self.doors.company.person("marketer")
        since, self.enrolled_at = self.enrolled_at, self.doors.hand.now()
        for handoff in await self.doors.handoffs("nurture", since=since):
            if any(clock["kind"] == "enrol" and clock["state"] == "armed" for clock in handoff["clocks"]):
                path = f"/v1/handoffs/{handoff['id']}/enrol"
                try:
                    await marketer.do("POST", path, {"programme": "stay in touch"}, if_match=handoff["etag"])
                except CallError as error:
                    if not error.is_refusal:
                        raise
                    self.enrolled_at = since  # somebody else was at it this moment: tomorrow's look sees it again
        return True

    async def look_at_models(self) -> bool:
        """A fit whose gate holds is approved by one person of each team; once a model decides, nothing more."""
        company = self.doors.company
        known = await company.person("revops").get("/v1/models")
        passed = [one for one in known["models"] if all(line["is_passed"] for line in one["gate"])]
        if known["active"] is not None or not passed:
            return False
        for role in ("marketer", "manager"):
            await company.person(role).do("POST", f"/v1/models/{passed[0]['model_id']}/approve", {})
        return True

    def _team_of(self, rep_id: str) -> str:
        return self.doors.company.reps[rep_id].team
