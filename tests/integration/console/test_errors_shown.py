"""What goes wrong is said to people as a page or a fragment, to machines as problem+json; never a stack."""

from collections.abc import Awaitable, Callable

from services.console.domain.rights import Role
from services.console.pages.headers import POLICY
from shared.db.engine import transaction
from tests.integration.console.conftest import Console

Make = Callable[..., Awaitable[Console]]


async def test_each_kind_of_error_is_a_page_for_people_and_json_for_machines(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Mia Manager", Role.MANAGER)
    async with console.browser() as browser:
        await browser.sign_in(user)
        pages = {
            403: await browser.client.get("/parked"),
            404: await browser.client.get("/nowhere"),
            405: await browser.client.get("/logout"),
            422: await browser.client.get("/leads/no-id"),
        }
        machine = await browser.client.get("/v1/nowhere")
        fragment = await browser.client.get("/parked", headers={"hx-request": "true"})
    for status, answer in pages.items():
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html"), status
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert "<h1>" in answer.text
    assert machine.headers["content-type"] == "application/problem+json"
    assert fragment.status_code == 403
    assert fragment.text.startswith('<div class="notice bad"')


async def test_a_defect_is_a_page_with_a_reference_and_nothing_of_its_inside(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Mia Manager", Role.MANAGER)
    async with console.browser() as browser:
        await browser.sign_in(user)
        async with transaction(console.database, "command") as tx:
            await tx.execute("alter table handoff rename to elsewhere")
        page = await browser.client.get("/board", headers={"request-id": "seen-by-support"})
        fragment = await browser.client.get("/board/work", headers={"hx-request": "true", "request-id": "part-1"})
        async with transaction(console.database, "command") as tx:
            await tx.execute("alter table elsewhere rename to handoff")
        assert (await browser.client.get("/board")).status_code == 200
    assert page.status_code == fragment.status_code == 500
    assert "Something broke here" in page.text
    assert "<code>seen-by-support</code>" in page.text
    assert "Reference part-1." in fragment.text
    assert fragment.text.startswith('<div class="notice bad"')
    for text in (page.text, fragment.text):
        assert not any(word in text for word in ("Traceback", "sqlalchemy", "asyncpg", "elsewhere", "relation"))
