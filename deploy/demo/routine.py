"""What the company does regularly, whatever the leads do: managers see to their reps, both teams to the fits.

Planned ahead as the story's own acts are; each looks first and does only what is needed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from deploy.demo import cast
from deploy.demo.doors import CompanyDoors
from deploy.demo.driver import Driver, Planned

__all__ = ["add_routine"]

# Both at moments at which systems send as well: no step more.
_MORNINGS = {"berlin": timedelta(hours=3), "newyork": timedelta(hours=9)}
_MODELS_FROM_DAY = 42


def add_routine(driver: Driver, doors: CompanyDoors) -> None:
    """Plan every morning of the quarter."""
    looks = _Looks(doors)
    for day in range(cast.DAYS):
        morning = cast.START + timedelta(days=day)
        if morning.weekday() < 5:
            for team, after in _MORNINGS.items():
                driver.add(Planned(morning + after, team, partial(looks.see_to_queues, team)))
        if morning.weekday() == 0 and day >= _MODELS_FROM_DAY:
            driver.add(Planned(_at_two(morning), "both teams", looks.look_at_models))


@dataclass(slots=True)
class _Looks:
    """The looks themselves."""

    doors: CompanyDoors

    async def see_to_queues(self, team: str) -> bool:
        """Whoever was set away for missed promises is back in the morning; what overflowed is given to somebody."""
        company = self.doors.company
        manager = company.person("manager", team)
        for rep in (await manager.get("/v1/reps"))["reps"]:
            if rep["is_away"] and company.reps[rep["id"]].team == team:
                await manager.do("POST", f"/v1/reps/{rep['id']}/back", {})
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


def _at_two(day: datetime) -> datetime:
    return day.replace(hour=14, minute=0)
