"""What a rep and a manager do in a real browser: accept by key, lose a race and be told, see clocks move, take back."""

import asyncio
import contextlib
import re
from datetime import timedelta

import pytest
from playwright.async_api import Browser, Route, expect

from shared.clock import machine_now
from tests.e2e.console.conftest import Scene, window

pytestmark = pytest.mark.timeout(400)  # the first test pays for the start of the whole stack

STREAM = re.compile(r"/stream\?")


async def test_a_rep_accepts_and_logs_a_touch_by_keyboard_alone(scene: Scene, chromium: Browser) -> None:
    handoff = await scene.handoff("Anna Keyboard", "priya", is_hand_raiser=True)
    async with window(chromium, scene, "priya") as rep:
        page = rep.page
        await page.goto(f"{scene.base}/queue?handoff={handoff['id']}")
        await expect(page.locator(".focus-head h2")).to_have_text("Anna Keyboard")
        await expect(page.locator("#stream-line")).to_have_text("live")
        await page.keyboard.press("1")
        await expect(page.locator(".notice.good")).to_contain_text("Accepted.")
        await scene.stack.quiet()
        await page.goto(f"{scene.base}/queue?handoff={handoff['id']}")
        await expect(page.locator(".focus-head .chip.info")).to_have_text("Accepted")
        await page.keyboard.press("t")
        await expect(page.locator("#touch-dialog")).to_be_visible()
        await page.keyboard.press("Enter")
        await expect(page.locator(".notice.good")).to_contain_text("The touch is logged.")
        await expect(page.locator("#touch-dialog")).to_be_hidden()
        assert rep.complaints == []
    await scene.stack.quiet()
    kept = await scene.call("handoff", "GET", f"/v1/handoffs/{handoff['id']}", principal=scene.principal("priya"))
    assert kept["state"] == "working"


async def test_who_loses_the_race_in_a_second_window_is_told_in_one_sentence(scene: Scene, chromium: Browser) -> None:
    handoff = await scene.handoff("Bo Race", "priya")
    async with window(chromium, scene, "priya") as first, window(chromium, scene, "priya") as second:
        for one in (first, second):
            # Without the stream the second window keeps what it saw: the race is about a page that is old.
            await one.page.route(STREAM, lambda route: route.abort())
            await one.page.goto(f"{scene.base}/queue?handoff={handoff['id']}")
            await expect(one.page.locator("#act-accept")).to_be_visible()
        await first.page.click("#act-accept")
        await expect(first.page.locator(".notice.good")).to_contain_text("Accepted.")
        await scene.stack.quiet()
        await second.page.click("#act-accept")
        told = second.page.locator(".notice.bad")
        await expect(told).to_contain_text("You accepted this lead in another window at")
        await expect(second.page.locator("#act-accept")).to_have_count(0)


async def test_a_page_says_live_however_late_its_own_scripts_come(scene: Scene, chromium: Browser) -> None:
    async with window(chromium, scene, "jonas") as rep:
        heard = asyncio.Event()

        async def after_the_stream(route: Route) -> None:
            # The scripts of the page come last: after the stream if it is opened without them, else after a look.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await heard.wait()
            await route.continue_()

        rep.page.on("response", lambda response: heard.set() if "/stream?" in response.url else None)
        await rep.page.route("**/stream-line*.js", after_the_stream)
        await rep.page.goto(f"{scene.base}/queue")
        await expect(rep.page.locator("#stream-line")).to_have_text("live")


async def test_a_new_lead_and_a_change_arrive_without_loading_the_page(scene: Scene, chromium: Browser) -> None:
    first = await scene.handoff("Cleo First", "jonas")
    async with window(chromium, scene, "jonas") as rep, window(chromium, scene, "mia") as manager:
        await rep.page.goto(f"{scene.base}/queue")
        await manager.page.goto(f"{scene.base}/board")
        for one in (rep, manager):
            await expect(one.page.locator("#stream-line")).to_have_text("live")
            await expect(one.page.locator(f"#h-{first['id']}")).to_be_visible()
        second = await scene.handoff("Dara Second", "jonas")
        for one in (rep, manager):
            await expect(one.page.locator("#arrivals")).to_be_visible()
            await one.page.click("#arrivals")
            await expect(one.page.locator(f"#h-{second['id']}")).to_be_visible()
        await scene.act(first, "jonas", "accept")
        await expect(manager.page.locator(f"#h-{first['id']}")).to_contain_text("First touch")
        assert rep.complaints == manager.complaints == []


async def test_a_countdown_moves_by_the_second_and_turns_at_the_deadline(scene: Scene, chromium: Browser) -> None:
    handoff = await scene.handoff("Ella Clock", "jonas", is_hand_raiser=True)
    async with window(chromium, scene, "mia") as manager:
        page = manager.page
        await page.clock.install()
        await page.route(STREAM, lambda route: route.abort())
        await page.goto(f"{scene.base}/board")
        due = page.locator(f"#due-{handoff['id']}")
        place = due.locator(".due-text")
        await expect(place).to_have_text(re.compile(r"\d+:\d\d"))
        await page.clock.pause_at(machine_now() + timedelta(seconds=30))  # from here time moves by the test alone
        before = await place.inner_text()
        await page.clock.run_for(3_000)
        after = await place.inner_text()
        assert _seconds(before) - _seconds(after) == 3
        await page.clock.run_for(6 * 60 * 1000)
        await expect(due).to_have_class("due is-breached")
        await expect(place).to_contain_text("late by")


def _seconds(text: str) -> int:
    minutes, _, seconds = text.partition(":")
    return int(minutes) * 60 + int(seconds)


async def test_a_reject_is_taken_back_within_ten_seconds(scene: Scene, chromium: Browser) -> None:
    handoff = await scene.handoff("Finn Undo", "priya")
    async with window(chromium, scene, "priya") as rep:
        page = rep.page
        await page.goto(f"{scene.base}/queue?handoff={handoff['id']}")
        await page.keyboard.press("3")
        await page.check("input[value=no_need]")
        await page.click("#send-reject")
        await expect(page.locator(".notice")).to_contain_text("It leaves in 10 seconds.")
        await page.keyboard.press("z")
        await expect(page.locator(".notice.good")).to_contain_text("Taken back.")
    kept = await scene.call("handoff", "GET", f"/v1/handoffs/{handoff['id']}", principal=scene.principal("priya"))
    assert kept["state"] == "assigned"


async def test_the_lead_page_explains_and_shows_both_teams(scene: Scene, chromium: Browser) -> None:
    handoff = await scene.handoff("Gus History", "jonas")
    async with window(chromium, scene, "mia") as manager:
        page = manager.page
        await page.goto(f"{scene.base}/leads/{handoff['lead_id']}")
        await expect(page.locator(".lead-head h2")).to_have_text("Gus History")
        timeline = page.locator("#timeline")
        await expect(timeline).to_contain_text("Handed to Sales")
        await expect(timeline).to_contain_text(re.compile("assigned to Jonas Weber", re.IGNORECASE))
        await scene.act(handoff, "jonas", "accept")
        await expect(timeline).to_contain_text("Accepted by Jonas Weber")
        await timeline.locator(".line", has_text="Handed to Sales").locator(".then").click()
        await expect(page.locator(".notice")).to_contain_text("As it was known on")
        await expect(page.locator("#timeline")).not_to_contain_text("Accepted by Jonas Weber")
        assert manager.complaints == []


async def test_keys_sheet_palette_and_going_by_letters(scene: Scene, chromium: Browser) -> None:
    async with window(chromium, scene, "mia") as manager:
        page = manager.page
        await page.goto(f"{scene.base}/board")
        await page.keyboard.press("?")
        await expect(page.locator("#keys-sheet")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#keys-sheet")).to_be_hidden()
        await page.keyboard.press("Control+k")
        await page.keyboard.type("agree")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/agreement")
        await expect(page.locator("#page")).to_contain_text("Who agrees")
        await page.keyboard.press("g")
        await page.keyboard.press("f")
        await page.wait_for_url("**/funnel")
        assert manager.complaints == []
