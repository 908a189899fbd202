"""Connections, Parked and Imports in a real browser: a source from the first step to its mended deliveries, and a file.

Each page on the way is looked at by axe, with what really stands on it, in both themes.
"""

import asyncio
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from shared.ids import new_id
from tests.e2e.console.conftest import Scene, Window, window

pytestmark = pytest.mark.timeout(400)  # the first test pays for the start of the whole stack
BADGES = (
    "Attendee;E-Mail;Firma;Scanned at;Comments\r\n"
    "Zoë {n};zoe{n}@acme.example;Acme;12.05.2026 14:30;asked for a demo\r\n"
    "No Mail;;Beta;12.05.2026 14:31;\r\n"
)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_a_source_is_connected_tested_and_its_parked_pages_are_mended(
    scene: Scene, chromium: Browser, theme: str
) -> None:
    name = f"Site {new_id().hex[-6:]}"
    async with window(chromium, scene, "robin", theme=theme) as one:
        page = one.page
        await page.goto(f"{scene.base}/connections/new")
        await _look(one, "senders")
        await page.get_by_role("link", name="Segment Brings a key").click()
        await page.get_by_label("Name", exact=True).fill(name)
        await page.get_by_label("Also a key for web pages").check()
        await _look(one, "connect")
        await page.get_by_role("button", name="Make the source").click()
        key = await page.get_by_label("Browser key").input_value()
        await expect(page.get_by_text("Waiting for the next delivery")).to_be_visible()
        await _look(one, "made")
        body = {"type": "page", "anonymousId": str(new_id()), "messageId": str(new_id()), "writeKey": key}
        for origin in ({}, {"origin": "https://new.example.com"}):
            await scene.stack.calls.send("ingest", "POST", "/v1/p", body=body, headers=origin, signed=False)
            body = {**body, "messageId": str(new_id())}
        await expect(page.get_by_text("Test received")).to_be_visible()
        await scene.stack.quiet()
        await page.get_by_role("link", name="Open the source").click()
        await expect(page.get_by_role("cell", name="1", exact=True).first).to_be_attached()
        await _look(one, "source")
        await page.get_by_role("button", name="Rotate").click()
        await _look(one, "rotate")
        await page.locator("#rotate-dialog").get_by_role("button", name="Rotate").click()
        await expect(page.get_by_text("There is a new key")).to_be_visible()
        await page.get_by_label("Time zone of times without one").fill("Mars/Olympus")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("write a zone of the IANA list")).to_be_visible()

        await page.goto(f"{scene.base}/parked")
        await _look(one, "parked")
        await page.get_by_role("link", name="sample 1").first.click()
        await expect(page.get_by_role("heading", name="Body")).to_be_visible()
        await _look(one, "delivery")
        await page.goto(f"{scene.base}/parked")
        await page.get_by_role("button", name="List https://new.example.com and replay").click()
        await expect(page.get_by_text("deliveries are being replayed")).to_be_visible()
        await page.get_by_role("link", name="Show what is left").click()
        await expect(page.locator("#jobs tbody tr").first).to_contain_text("1 of 1")
        await expect(page.get_by_role("button", name="List https://new.example.com and replay")).to_have_count(0)
        await page.goto(f"{scene.base}/connections")
        await expect(page.get_by_role("link", name=name)).to_be_visible()
        await _look(one, "connections")
        assert one.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_a_file_of_badges_is_looked_at_mended_and_followed(
    scene: Scene, chromium: Browser, theme: str, tmp_path: Path
) -> None:
    file = tmp_path / f"badges-{theme}.csv"
    file.write_bytes(BADGES.format(n=new_id().hex[-6:]).encode("cp1252"))
    async with window(chromium, scene, "mark", theme=theme) as one:
        page = one.page
        await page.goto(f"{scene.base}/imports")
        await _look(one, "imports")
        await page.get_by_label("It holds").select_option("activities")
        await page.get_by_label("File", exact=True).set_input_files(file)
        await page.get_by_text("How it is read").click()
        await page.get_by_label("Kind, where a record says none").select_option("field_event_attended")
        await page.get_by_label("Time zone of its times").fill("Europe/Berlin")
        await page.get_by_role("button", name="Look at it first").click()
        await expect(page.locator("#preview").get_by_text("Windows-1252")).to_be_visible()
        await expect(page.locator("#preview").get_by_text("2026-05-12 12:30")).to_be_visible()
        await expect(page.get_by_role("heading", name="Would be refused")).to_be_visible()
        await _look(one, "preview")
        async with page.expect_download() as started:
            await page.get_by_role("button", name="Download the refused records").click()
        saved = await (await started.value).path()
        rejects = await asyncio.to_thread(saved.read_text, encoding="utf-8")
        assert rejects.splitlines()[1].startswith("2,no_identifier,")
        await page.get_by_role("button", name="Import", exact=True).click()
        row = page.get_by_role("row").filter(has_text=file.name)
        await expect(row.get_by_text("Handled")).to_be_visible()
        await expect(row.get_by_text("1 refused")).to_be_visible()
        await _look(one, "imported")
        assert one.complaints == []


async def _look(one: Window, name: str) -> None:
    """axe finds nothing on the page as it stands, and it scrolls nowhere sideways."""
    await expect(one.page.locator("h1")).to_be_visible()
    result = await Axe().run(one.page)
    found = [f"{name}: {v['id']} {v['nodes'][0]['html'][:160]}" for v in result.response["violations"]]
    assert found == []
    await one.page.set_viewport_size({"width": 320, "height": 700})
    assert await one.page.evaluate("document.documentElement.scrollWidth") <= 320, f"{name} scrolls sideways"
    await one.page.set_viewport_size({"width": 1280, "height": 800})
