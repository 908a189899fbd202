"""One scene on the shared stack: two reps, a manager, revops, leads at every step; and Chromium to look at it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from shared.ids import new_id
from shared.web.auth import Principal
from tests.support.browser import find_browser
from tests.support.stack import BatonStack

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
PASSWORD = "a long enough password"
ROLES = {
    "priya": "rep",
    "jonas": "rep",
    "mia": "manager",
    "mark": "marketer",
    "robin": "revops",
    "ada": "admin",
}
IN_TEAM = frozenset({"priya", "jonas", "mia"})  # a manager sees the rows of the own team
NAMES = {
    "priya": "Priya Nair",
    "jonas": "Jonas Weber",
    "mia": "Mia Lindqvist",
    "mark": "Mark Keller",
    "robin": "Robin Ops",
    "ada": "Ada Admin",
}
EXPECT_SECONDS = 20


@dataclass
class Scene:
    """The stack with its people, and what a test does through the public doors."""

    stack: BatonStack
    users: dict[str, str] = field(default_factory=dict)
    team_id: str = ""
    number: int = 0
    domain: str = field(default_factory=lambda: f"{new_id().hex[-10:]}.test")

    @property
    def base(self) -> str:
        return self.stack.url("console")

    def user_name(self, who: str) -> str:
        return f"{who}@{self.domain}"

    def principal(self, who: str) -> Principal:
        team_id = UUID(self.team_id) if who in IN_TEAM else None
        return Principal("user", self.users[who], ROLES[who], team_id)  # type: ignore[arg-type]  # a role of the table above

    async def call(self, service: str, method: str, path: str, **named: Any) -> Any:  # noqa: ANN401
        return await self.stack.calls.call(service, method, path, **named)

    async def lead(self, name: str) -> str:
        """A person with consent, known everywhere."""
        self.number += 1
        made = await self.call(
            "ingest",
            "POST",
            "/v1/leads",
            principal=self.principal("mark"),
            body={
                "name": name,
                "email": f"lead{self.number}@company{self.number}.{self.domain}",
                "title": "VP Operations",
                "company": "Nordwind Logistics",
                "country": "DE",
                "consents": [
                    {"purpose": purpose, "consent": "granted", "is_own_act": True, "wording": "yes"}
                    for purpose in ("profiling", "contact", "sharing")
                ],
            },
        )
        await self.stack.quiet()
        return str(made.get("lead_id") or made["id"])

    async def handoff(self, name: str, rep: str, *, is_hand_raiser: bool = False) -> dict[str, Any]:
        """A handoff of a new person, given to a rep."""
        lead_id = await self.lead(name)
        made: dict[str, Any] = await self.call(
            "handoff",
            "POST",
            "/v1/handoffs",
            principal=self.principal("mia"),
            body={"lead_id": lead_id, "rep_id": self.users[rep], "is_hand_raiser": is_hand_raiser},
        )
        await self.stack.quiet()
        return made

    async def act(self, handoff: dict[str, Any], who: str, verb: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401
        """A command on a handoff by its API, as this person."""
        current = await self.call("handoff", "GET", f"/v1/handoffs/{handoff['id']}", principal=self.principal(who))
        done: dict[str, Any] = await self.call(
            "handoff",
            "POST",
            f"/v1/handoffs/{handoff['id']}/{verb}",
            principal=self.principal(who),
            body=body,
            headers={"if-match": current["etag"]},
        )
        await self.stack.quiet()
        return done


@pytest_asyncio.fixture(scope="session")
async def scene(baton_stack: BatonStack) -> Scene:
    made = Scene(baton_stack)
    team = await made.call("handoff", "POST", "/v1/teams", body={"name": f"Team of {made.domain}"})
    made.team_id = team["id"]
    for who, role in ROLES.items():
        body = {"email": made.user_name(who), "name": NAMES[who], "role": role, "password": PASSWORD}
        if who in IN_TEAM:
            body["team_id"] = made.team_id
        user = await made.call("console", "POST", "/v1/users", body=body)
        made.users[who] = user["user_id"]
    hours = [[[0, 1440]] for _ in range(7)]
    calendar = f"always-{made.domain.partition('.')[0]}"
    await made.call(
        "handoff",
        "POST",
        "/v1/calendars",
        principal=made.principal("mia"),
        body={"name": calendar, "zone": "UTC", "hours": hours},
    )
    for who in ("priya", "jonas"):
        await made.call(
            "handoff",
            "PUT",
            f"/v1/reps/{made.users[who]}",
            principal=made.principal("mia"),
            body={
                "name": NAMES[who],
                "email": made.user_name(who),
                "calendar": calendar,
                "team_id": made.team_id,
            },
        )
    await baton_stack.quiet()
    return made


@dataclass
class Window:
    """One signed-in browser window, and what its console complained about."""

    page: Page
    complaints: list[str]


@pytest_asyncio.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        expect.set_options(timeout=EXPECT_SECONDS * 1000)
        yield browser
        await browser.close()


@asynccontextmanager
async def window(chromium: Browser, scene: Scene, who: str, *, theme: str = "light") -> AsyncIterator[Window]:
    """A fresh window in which this person signed in."""
    context: BrowserContext = await chromium.new_context(color_scheme="dark" if theme == "dark" else "light")
    page = await context.new_page()
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # A 4xx that the page handles is still written to the browser's console (PROOF section 6).
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{scene.base}/login")
    await page.fill("#user-name", scene.user_name(who))
    await page.fill("#password", PASSWORD)
    await page.click("button")
    await page.wait_for_url(lambda url: "/login" not in url)
    yield Window(page, complaints)
    await context.close()
