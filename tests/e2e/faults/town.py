"""What a storm needs to rage over: the demo's company, set up through the public doors."""

from dataclasses import dataclass
from uuid import UUID

from deploy.demo.company import found_company
from shared.web.auth import Principal
from tests.support.stack import BatonStack

__all__ = ["Town", "settle"]


@dataclass(frozen=True, slots=True)
class Town:
    """By which key deliveries come, from which source, and who works them."""

    write_key: str
    source_id: UUID
    reps: list[Principal]


async def settle(stack: BatonStack) -> Town:
    """Found the company and wait until every service knows its agreement."""
    now = await stack.hand.set(speed=0)  # an agreement never applies backwards, and setting up takes a while
    company = await found_company(stack.calls, now=now)
    sources = await company.person("marketer").get("/v1/sources")
    await company.close()
    source = next(one for one in sources["sources"] if one["sender"] == "segment")
    await stack.quiet()
    return Town(company.write_key, UUID(source["id"]), [Principal("user", one, "rep") for one in company.reps])
