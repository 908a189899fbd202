"""What a storm needs to rage over: the demo's company, set up through the public doors."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from deploy.demo.company import found_company
from shared.web.auth import Principal
from tests.support.stack import BatonStack

__all__ = ["Town", "settle"]

_FRIDAY = 4


@dataclass(frozen=True, slots=True)
class Town:
    """By which key deliveries come, from which source, and who works them."""

    write_key: str
    source_id: UUID
    reps: list[Principal]


async def settle(stack: BatonStack) -> Town:
    """Found the company and wait until every service knows its agreement."""
    # Clocks count in open hours, whenever this runs. An agreement never applies backwards, and setting up takes time.
    now = await stack.hand.set(at=_both_at_work(stack.hand.now()), speed=0)
    company = await found_company(stack.calls, now=now)
    sources = await company.person("marketer").get("/v1/sources")
    await company.close()
    source = next(one for one in sources["sources"] if one["sender"] == "segment")
    await stack.quiet()
    return Town(company.write_key, UUID(source["id"]), [Principal("user", one, "rep") for one in company.reps])


def _both_at_work(now: datetime) -> datetime:
    """A moment to come at which Berlin has hours of its working day left and New York most of it."""
    day = (now + timedelta(days=1)).replace(hour=13, minute=30, second=0, microsecond=0)
    while day.weekday() > _FRIDAY:
        day += timedelta(days=1)
    return day
