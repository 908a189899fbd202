"""What a person reads where there is nothing: an empty system, a wrong address, services that are away."""

from collections.abc import Awaitable, Callable

from services.console.domain.rights import Role
from tests.integration.console.conftest import Console
from tests.support.builders.console import named


async def test_an_empty_system_says_how_the_first_lead_comes(
    make_console: Callable[..., Awaitable[Console]],
) -> None:
    console = await make_console()
    async with console.browser() as browser:
        await browser.sign_in(await console.user("Mark Marketer", Role.MARKETER))
        leads = (await browser.client.get("/leads")).text
    assert "No lead yet" in leads
    assert "baton source create" in leads


async def test_who_sees_some_rows_only_reads_why_there_are_none(
    make_console: Callable[..., Awaitable[Console]],
) -> None:
    console = await make_console()
    people = {
        "handed to you.": await console.user("Priya Nair"),
        "handed to your team.": await console.user("Mia Manager", Role.MANAGER, team_id=named("team", "one")),
        "You have no team yet": await console.user("Nia Newcomer", Role.MANAGER),
    }
    for words, user in people.items():
        async with console.browser() as browser:
            await browser.sign_in(user)
            leads, board = [(await browser.client.get(path)).text for path in ("/leads", "/board")]
        assert words in leads
        assert ("You have no team yet" in board) == (words == "You have no team yet")


async def test_an_address_without_a_page_leads_back_into_the_console(
    make_console: Callable[..., Awaitable[Console]],
) -> None:
    console = await make_console()
    async with console.browser() as browser:
        page = await browser.client.get("/nowhere")
        machine = await browser.client.get("/internal/nowhere")
    assert (page.status_code, "There is no page at this address" in page.text) == (404, True)
    assert 'href="/"' in page.text
    assert "OpenAPI" not in page.text
    assert machine.headers["content-type"] == "application/problem+json"


async def test_all_services_that_are_away_are_named_in_one_sentence(
    make_console: Callable[..., Awaitable[Console]],
) -> None:
    console = await make_console()
    operator = await console.user("Robin Ops", Role.REVOPS)
    async with console.browser() as browser:
        await browser.sign_in(operator)
        parked = (await browser.client.get("/parked")).text
    assert parked.count("not answer now") == 1
    assert "Ingest, scoring, handoff, feedback, console do not answer now" in parked
    assert "Nothing is parked" not in parked
