"""The real browser libraries, unmodified, in Chromium, on a page of another origin than the door's.

All events arrive from the right source, as activities of the right person, with where the visit came from; a page of an
origin that no source lists loses nothing either where its library needs no leave to send.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route

from services.ingest.domain.activity import kind_of
from services.ingest.domain.source import SourceSettings
from shared.contracts.activities import ActivityRecorded
from shared.contracts.leads import LeadLinked
from shared.ids import new_id
from shared.runtime.server import DrainServer, listen
from tests.libraries.gate import LIGHT
from tests.libraries.stand import Stand, open_stand
from tests.support.browser import find_browser
from tests.support.databases import Databases
from tests.support.node import HOME, install

FILES = {
    "segment": "@segment/analytics-next/dist/umd/index.js",
    "rudder": "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
    "posthog": "posthog-js/dist/array.full.no-external.js",
    "snowplow": "@snowplow/browser-tracker/dist/index.umd.js",
    "jitsu": "@jitsu/js/dist/jitsu.es.js",
}
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-blink-features=AutomationControlled",  # a driven browser says so, and PostHog's library then keeps quiet
]  # fmt: skip
CAMPAIGN = "utm_source=newsletter&utm_medium=email&utm_campaign=q4&gclid=abc"
# Libraries keep back what a headless browser or a known crawler does: this one looks like a person's.
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
WHILE_OPEN = {"segment": ("identify", "group"), "snowplow": ("form_submit",)}
WHEN_LEFT = {"posthog": {"trial_started"}}
"""Events that a library sends by beacon when the page is left."""
SECONDS = 120
CROWD = 200
CROWD_SECONDS = 300
_PAGES = Path(__file__).parent / "pages"

pytestmark = [pytest.mark.xdist_group("libraries"), pytest.mark.timeout(600)]


@asynccontextmanager
async def site() -> AsyncIterator[str]:
    """A site that shows one page per library: its origin."""

    async def page(request: object) -> FileResponse:
        return FileResponse(_PAGES / f"{request.path_params['name']}.html")  # type: ignore[attr-defined]  # a request

    async def library(request: object) -> FileResponse:
        file = FILES[request.path_params["name"]]  # type: ignore[attr-defined]  # a request
        return FileResponse(HOME / "node_modules" / file, media_type="text/javascript")

    async def people(_: object) -> FileResponse:
        return FileResponse(_PAGES / "people.js")

    routes = [Route("/pricing/{name}", page), Route("/libraries/{name}.js", library), Route("/pages/people.js", people)]
    app = Starlette(routes=routes)
    server = DrainServer(app)
    with listen("127.0.0.1", 0) as socket:
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[socket]))
            try:
                yield f"http://localhost:{socket.getsockname()[1]}"
            finally:
                server.drain()


@pytest_asyncio.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    found = find_browser()
    assert found is not None, "python -m tests.support.browser says what to install"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        await browser.close()


@dataclass(frozen=True)
class Visited:
    """The stand after one visitor of each library, the site they visited, and what was recorded by then."""

    stand: Stand
    origin: str
    activities: list[ActivityRecorded]
    linked: list[LeadLinked]


@pytest_asyncio.fixture(scope="module")
async def visited(
    postgres_url: str, kafka: str, tmp_path_factory: pytest.TempPathFactory, chromium: Browser
) -> AsyncIterator[Visited]:
    """Every library's page was opened once by its own visitor, and left again."""
    assert await asyncio.to_thread(install), "npm could not install the libraries; see above"
    databases = Databases(postgres_url)
    folder = tmp_path_factory.mktemp("stand")
    async with open_stand(await databases.of("ingest"), kafka, f"t{new_id().hex}.", folder) as opened, site() as origin:
        for name in FILES:
            options = {"app_id": "browser-site"} if name == "snowplow" else {}
            await opened.make_source(
                f"{name}_browser", name, kind="browser_key", origins=[origin], options=options, properties=["plan"]
            )
        for name in FILES:
            await _visit(opened, chromium, f"{origin}/pricing/{name}?{CAMPAIGN}", name)
        await opened.until_quiet()
        linked = [one.payload for one in await opened.events("leads") if isinstance(one.payload, LeadLinked)]
        yield Visited(opened, origin, await opened.activities(), linked)
    await databases.drop_all()


async def _visit(stand: Stand, chromium: Browser, url: str, name: str) -> None:
    """Open the page, wait until the door has taken all that it says, and leave it."""
    key, before = stand.made[f"{name}_browser"].key, len(stand.gate.told)
    context = await chromium.new_context(user_agent=AGENT)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{url}#host={stand.gate.url}&key={key}")
    wanted = {"demo_requested", "page_view", *WHILE_OPEN.get(name, ("identify",))}
    await _until(wanted, stand, before, name, complaints)
    await page.close()
    await _until(wanted | WHEN_LEFT.get(name, set()), stand, before, name, complaints)
    await context.close()


def _said(stand: Stand, before: int, name: str) -> set[str]:
    """The kinds and operations that the requests taken since then carried."""
    adapter = stand.adapter(name)
    requests = [one for one in stand.gate.told[before:] if one.path in adapter.PATHS]
    said = [one for request in requests for one in adapter.parse(request, SourceSettings()).observations]
    kinds = (kind_of(one, names={}, verified_by="browser_key", content=None) for one in said)
    return {*kinds, *(one.operation.value for one in said)}


async def _until(wanted: set[str], stand: Stand, before: int, name: str, complaints: list[str]) -> None:
    try:
        async with asyncio.timeout(SECONDS), stand.gate.moved:
            await stand.gate.moved.wait_for(lambda: wanted <= _said(stand, before, name))
    except TimeoutError as error:
        told = (wanted - _said(stand, before, name), complaints, dict(stand.gate.answers))
        raise AssertionError(told) from error


@pytest.mark.parametrize("name", FILES)
async def test_a_visit_arrives_whole_from_its_source_with_where_it_came_from(visited: Visited, name: str) -> None:
    source = visited.stand.made[f"{name}_browser"].source_id
    found = [one for one in visited.activities if str(one.source_id) == source]
    viewed = [one for one in found if one.kind == "pricing_viewed"]
    asked = [one for one in found if one.kind == "demo_requested"]
    assert (len(viewed), len(asked)) == (1, 1)
    assert {one.member_id for one in found} == {viewed[0].member_id}, "one visitor, one lead"
    assert {(one.verified_by, one.sender) for one in found} == {("browser_key", name)}
    assert (viewed[0].traffic_source, viewed[0].medium, viewed[0].campaign) == ("newsletter", "email", "q4")
    assert viewed[0].page_path == f"/pricing/{name}"
    assert viewed[0].human == 1
    assert {one.domain for one in visited.linked if one.lead_id == viewed[0].member_id} == {f"{name}-browser.example"}
    assert ("trial_started" in {one.kind for one in found}) is (name in WHEN_LEFT), "the beacon of a page that is left"


async def test_of_a_crowd_in_a_storm_what_was_told_200_is_stored_once(visited: Visited, chromium: Browser) -> None:
    """200 people of each library ask for a demo while ingest dies once, and some are told to come again."""
    stand = visited.stand
    stand.gate.storm = LIGHT
    before = len(stand.gate.told)
    contexts = []
    for name in FILES:
        context = await chromium.new_context(user_agent=AGENT)
        contexts.append(context)
        page = await context.new_page()
        key = stand.made[f"{name}_browser"].key
        await page.goto(f"{visited.origin}/pricing/{name}?{CAMPAIGN}#host={stand.gate.url}&key={key}&crowd={CROWD}")
    await stand.gate.until_told(before + 100)
    await stand.kill()
    try:
        async with asyncio.timeout(CROWD_SECONDS), stand.gate.moved:
            await stand.gate.moved.wait_for(
                lambda: all(len(stand.told(f"{name}_browser")) >= CROWD / 2 for name in FILES)
            )
    except TimeoutError as error:
        raise AssertionError({name: len(stand.told(f"{name}_browser")) for name in FILES}) from error
    for context in contexts:
        await context.close()
    await stand.until_quiet()
    stored = Counter(str(one.activity_id) for one in await stand.activities())
    for name in FILES:
        told = stand.told(f"{name}_browser")
        print(f"{name}: {len(told)} of {CROWD} told 200")  # noqa: T201 - shown when it fails
        assert [one for one in told if stored[one] != 1] == []
    assert max(stored.values()) == 1
