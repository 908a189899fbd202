"""axe finds nothing on any page in either theme; no page scrolls sideways at 320 px; nothing foreign is asked for."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Request, expect

from tests.e2e.console.conftest import Scene, Window, window

pytestmark = pytest.mark.timeout(400)  # the first test pays for the start of the whole stack

PAGES = {
    "queue": ("priya", "/queue"),
    "board": ("mia", "/board"),
    "empty board": ("mia", "/board?tier=list"),
    "leads": ("mia", "/leads"),
    "nobody found": ("mia", "/leads?q=nobody-has-this-name"),
    "funnel": ("mark", "/funnel"),
    "agreement": ("mia", "/agreement"),
    "parked": ("robin", "/parked"),
    "connections": ("robin", "/connections"),
    "imports": ("mark", "/imports"),
    "not found": ("mia", "/leads/00000000-0000-7000-8000-000000000000"),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(scene: Scene, chromium: Browser, theme: str) -> None:
    handoff = await scene.handoff(f"Axe {theme}", "priya")
    places = {**PAGES, "lead": ("mia", f"/leads/{handoff['lead_id']}")}
    found: list[str] = []
    for who in sorted({who for who, _ in places.values()}):
        async with window(chromium, scene, who, theme=theme) as one:
            _watch(one, scene.base)
            for name, (_, path) in ((name, place) for name, place in places.items() if place[0] == who):
                await one.page.goto(scene.base + path)
                await expect(one.page.locator("h1")).to_be_visible()
                result = await Axe().run(one.page)
                found += [f"{name}: {v['id']} {v['nodes'][0]['html'][:120]}" for v in result.response["violations"]]
            found += one.complaints
    assert found == []


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_in_the_dialogs_of_a_rep(scene: Scene, chromium: Browser, theme: str) -> None:
    handoff = await scene.handoff(f"Dialog {theme}", "priya")
    async with window(chromium, scene, "priya", theme=theme) as one:
        await one.page.goto(f"{scene.base}/queue?handoff={handoff['id']}")
        for key, dialog in {"3": "reject", "2": "duplicate", "t": "touch"}.items():
            await one.page.keyboard.press(key)
            await expect(one.page.locator(f"#{dialog}-dialog")).to_be_visible()
            result = await Axe().run(one.page)
            assert [v["id"] for v in result.response["violations"]] == [], dialog
            await one.page.keyboard.press("Escape")
            await expect(one.page.locator(f"#act-{dialog}")).to_be_focused()


async def test_the_door_is_accessible_too(scene: Scene, chromium: Browser) -> None:
    page = await chromium.new_page()
    await page.goto(f"{scene.base}/login")
    assert (await Axe().run(page)).response["violations"] == []
    await page.close()


async def test_no_page_scrolls_sideways_on_a_narrow_screen(scene: Scene, chromium: Browser) -> None:
    await scene.handoff("Nina Narrow", "priya")
    wide: list[str] = []
    for who in sorted({who for who, _ in PAGES.values()}):
        async with window(chromium, scene, who) as one:
            await one.page.set_viewport_size({"width": 320, "height": 700})
            for name, (_, path) in ((name, place) for name, place in PAGES.items() if place[0] == who):
                await one.page.goto(scene.base + path)
                width = await one.page.evaluate("document.documentElement.scrollWidth")
                if width > 320:
                    wide.append(f"{name}: {width}")
    assert wide == []


def _watch(one: Window, base: str) -> None:
    """A request to another host is a complaint."""

    def asked(request: Request) -> None:
        if not request.url.startswith((base, "data:")):
            one.complaints.append(f"asked {request.url}")

    one.page.on("request", asked)
