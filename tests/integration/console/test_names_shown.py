"""By what a person is named on a page."""

from tests.integration.console.test_commands import Make, owner_service
from tests.support.builders.console import event, handoff_event, identified, named


async def test_a_person_without_a_name_is_shown_by_the_address(make_console: Make) -> None:
    async with owner_service() as owner:
        console = await make_console(ingest=owner.base)
        user = await console.user("Priya Nair")
        anna = named("lead", "anna")
        owner.answer = {"profiles": [{"lead_id": str(anna), "name": "", "email": "anna@nordwind.test"}]}
        await console.fold(event(identified()), event(handoff_event(owner=user.user_id)))
        async with console.browser() as browser:
            await browser.sign_in(user)
            page = (await browser.client.get("/queue")).text
    assert "anna@nordwind.test" in page
    assert "Unnamed lead" not in page
