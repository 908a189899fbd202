"""Texts that senders and people control never become markup: on pages, in fragments, in the stream."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from services.console.domain.rights import Role
from tests.integration.console.conftest import Console
from tests.integration.console.test_commands import owner_service
from tests.support.builders.console import activity, event, handoff_event, identified, named

Make = Callable[..., Awaitable[Console]]
PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'><iframe src=javascript:alert(1)>",
    "</title><script>alert(1)</script>",
    "{{ 7*7 }}",
    "${7*7}",
    "<hx-partial hx-target='body'>gone</hx-partial>",
    '" hx-get="/logout" hx-trigger="load',
    "javascript:alert(1)",
    "\u202eevil\u202c",
    "a\r\nb: c",
]

DANGEROUS = ("<script>alert", "<img src=x", "<svg onload", "<iframe", "<hx-partial", 'hx-get="/logout', ">49<")


async def test_a_hostile_text_is_shown_as_text_wherever_it_stands(make_console: Make) -> None:
    async with owner_service() as owner:
        console = await make_console(ingest=owner.base)
        user = await console.user("Mia Manager", Role.MANAGER, team_id=named("team", "one"))
        profiles = []
        for number, text in enumerate(PAYLOADS):
            profile = dict.fromkeys(("name", "title", "company", "email", "phone"), text)
            profiles.append({"lead_id": str(named("lead", number)), **profile})
            did = {"kind": "custom", "name": text, "page_path": text, "asset": text, "traffic_source": text}
            await console.fold(
                event(identified(number, campaign=text, department=text)),
                event(activity(number, **did)),
                event(handoff_event(handoff=number, lead=number, owner=user.user_id)),
            )
        owner.answer = {"profiles": profiles, "leads": []}
        people = [f"/leads/{named('lead', number)}" for number in range(len(PAYLOADS))]
        searches = [f"/leads?q={quote(text)}" for text in PAYLOADS]
        async with console.browser() as browser:
            await browser.sign_in(user)
            for path in ["/queue", "/board", "/leads", *people, *searches]:
                shown = await browser.client.get(path)
                assert shown.status_code == 200, path
                assert [one for one in DANGEROUS if one in shown.text] == [], path
