"""Case 13 in a browser: the countdown of a page that is open while the clocks of its viewer go back, or forward.

The server draws the deadline, the page's ticker counts; the browser's time moves only when the test moves it.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from shared.db.engine import transaction
from shared.runtime import Pace
from tests.integration.console.conftest import Console
from tests.integration.console.test_stream import served, signed_in, user_id_of
from tests.support.browser import find_browser
from tests.support.builders.console import event, handoff_event, identified, named
from tests.support.world import set_world

pytestmark = pytest.mark.timeout(120)

Make = Callable[..., Awaitable[Console]]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
STEP = timedelta(minutes=30)
UNITS = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}


@pytest_asyncio.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield browser
        await browser.close()


@pytest.mark.parametrize(
    ("zone", "start", "reads"),
    [
        ("Europe/Amsterdam", datetime(2026, 10, 25, 0, 0, tzinfo=UTC), "05:00"),  # 02:00 comes twice
        ("Europe/Amsterdam", datetime(2026, 3, 29, 0, 0, tzinfo=UTC), "06:00"),  # 02:00 to 03:00 is missing
        ("America/New_York", datetime(2026, 11, 1, 4, 30, tzinfo=UTC), "03:30"),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 12, 0, tzinfo=UTC), "5 Apr, 02:30"),  # back by half an hour
        ("Europe/Amsterdam", datetime(2026, 10, 24, 20, 30, tzinfo=UTC), "02:30 CEST"),  # due in the repeated hour
        ("Europe/Amsterdam", datetime(2026, 10, 24, 21, 30, tzinfo=UTC), "02:30 CET"),
    ],
)
async def test_a_countdown_neither_stands_still_nor_jumps_when_clocks_change(
    make_console: Make, chromium: Browser, zone: str, start: datetime, reads: str
) -> None:
    console = await make_console()
    await set_world(console.settings.database_url, at=start)
    due = start + timedelta(hours=4)
    if reads.endswith(("CEST", "CET")):
        reads = f"25 Oct, {reads}"
    # The reader's pace is ours and never started: no stream moves the page's time.
    async with served(console, pace=Pace()) as base, signed_in(console, base, "Priya Nair") as browser:
        me = await user_id_of(console, "priya")
        async with transaction(console.database, "command") as tx:
            await tx.execute("update console_user set time_zone = :zone", {"zone": zone})
        await console.fold(event(identified(), at=start), event(handoff_event(owner=me, due_at=due), at=start))
        context = await chromium.new_context(timezone_id=zone)
        session = browser.client.cookies[console.settings.session_cookie]
        await context.add_cookies([{"name": console.settings.session_cookie, "value": session, "url": base}])
        page = await context.new_page()
        await page.route(re.compile(r"/stream\?"), lambda route: route.abort())
        await page.clock.install(time=start)
        await page.goto(f"{base}/queue")
        await page.clock.pause_at(start + timedelta(minutes=1))
        assert f"by {reads}" in await page.locator(".clock-face small").inner_text()
        left = [await _left(page)]
        for _ in range(9):
            await page.clock.fast_forward(int(STEP.total_seconds()) * 1000)
            left.append(await _left(page))
        await context.close()
    assert left[0] in range(
        int(timedelta(hours=3, minutes=58).total_seconds()), int(timedelta(hours=4).total_seconds())
    )
    # Drawn to the minute above an hour, by then to the second.
    assert all(abs(one - two - STEP.total_seconds()) <= 60 for one, two in pairwise(left)), left
    assert left[-1] < 0


async def _left(page: Page) -> int:
    """What the page says is left, in seconds; below zero when it is late."""
    text = await page.locator(f"#due-card-{named('handoff', 'one')} .due-text").inner_text()
    if ":" in text:
        minutes, _, seconds = text.partition(":")
        return int(minutes) * 60 + int(seconds)
    told = sum(int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+) (d|h|min|s)\b", text))
    return -told if text.startswith("late by") else told
