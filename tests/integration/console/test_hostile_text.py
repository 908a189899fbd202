"""Texts that senders and people control never become markup: on pages, in fragments, in the stream."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from services.console.domain.rights import Role
from shared.config import Environment
from shared.db.engine import transaction
from tests.integration.console.conftest import ORIGIN, PASSWORD, Console
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

TURNING = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
LINK = re.compile(r"""(?:href|action|src|hx-get|hx-post)="([^"]*)\"""")
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
                assert not TURNING & set(shown.text), path
            everybody = (await browser.client.get("/leads")).text
            assert "[U+202E]evil[U+202C]" in everybody  # shown, not obeyed
            found = (await browser.client.get("/leads/find?q=x")).json()["leads"]
            assert not any(TURNING & set(one["name"]) for one in found)


async def test_no_text_becomes_a_link_but_mail_and_telephone(make_console: Make) -> None:
    async with owner_service() as owner:
        console = await make_console(ingest=owner.base)
        user = await console.user("Mia Manager", Role.MANAGER, team_id=named("team", "one"))
        for number, text in enumerate(PAYLOADS):
            await console.fold(
                event(identified(number, campaign=text)),
                event(activity(number, page_path=text, asset=text, content=text, name=text)),
                event(handoff_event(handoff=number, lead=number, owner=user.user_id)),
            )
        profiles = [
            {"lead_id": str(named("lead", number)), **dict.fromkeys(("name", "email", "phone", "company"), text)}
            for number, text in enumerate(PAYLOADS)
        ]
        owner.answer = {"profiles": profiles, "leads": []}
        paths = ["/board", "/leads"]
        for number in range(len(PAYLOADS)):
            paths += [f"/queue?handoff={named('handoff', number)}", f"/leads/{named('lead', number)}"]
        links = set()
        async with console.browser() as browser:
            await browser.sign_in(user)
            for path in paths:
                links |= set(LINK.findall((await browser.client.get(path)).text))
    assert {link for link in links if not link.startswith(("/", "#", "mailto:", "tel:"))} == set()


async def test_no_parameter_or_field_breaks_a_page(make_console: Make) -> None:
    async with owner_service() as owner:
        console = await make_console(ingest=owner.base, feedback=owner.base, handoff=owner.base, scoring=owner.base)
        user = await console.user("Mia Manager", Role.MANAGER, team_id=named("team", "one"))
        async with transaction(console.database, "command") as tx:
            await tx.execute("update console_user set time_zone = 'Pacific/Kiritimati'")
        await console.fold(event(identified()), event(handoff_event(owner=user.user_id)))
        owner.answer = {"profiles": [], "leads": [], "lead_ids": [], "reps": [], "parked": []}
        lead, ugly = f"/leads/{named('lead', 'anna')}", quote("\r\nx: y\0\u202e\ud7ff")
        gets = [
            *(f"/leads?step=known&days={days}" for days in (10**12, -(10**12), 0)),
            *(f"{lead}?at={at}" for at in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-06-10", ugly)),
            *(f"/leads?after={after}" for after in ("1.x", f"{10**30}.{named('lead', 'anna')}", ugly)),
            f"/leads?q={'x' * 5000}", f"/leads?q={ugly}", f"/leads/find?q={ugly}", f"/board?tier={ugly}&owner={ugly}",
            f"/agreement?version={10**30}", f"{lead}?show={ugly}", f"/queue?handoff={ugly}", f"/login?to={ugly}",
            f"/funnel?days={10**30}", f"/stream?page={ugly}&lead={ugly}", f"/static/{ugly}?v=1",
        ]  # fmt: skip
        form = {"handoff_id": str(named("handoff", "one")), "token": "1", "key": "k", "origin": "queue"}
        posts = [
            {**form, "key": "a\r\nx-evil: 1"}, {**form, "key": "\u202e"}, {**form, "key": "k" * 5000},
            {**form, "token": "9" * 400}, {**form, "token": "x"}, {**form, "handoff_id": "x"}, {},
            {**form, "until_at": "never"}, {**form, "until_at": "9999-12-31T23:59", "zone": "Nowhere/Atall"},
            {**form, "until_at": "0001-01-01T00:00", "zone": "Pacific/Kiritimati"}, {**form, "etag": "\u202e\r\n"},
        ]  # fmt: skip
        async with console.browser() as browser:
            await browser.sign_in(user)
            answers = [(path, await browser.client.get(path)) for path in gets]
            for command in (
                "accept",
                "pause",
                "reassign",
                "nothing",
                "consent-default",
                "replay-parked",
                "discard-parked",
            ):
                answers += [(f"{command} {body}", await browser.press(f"/do/{command}", body)) for body in posts]
    assert [(asked, answer.status_code) for asked, answer in answers if answer.status_code >= 500] == []
    assert not any("x-evil" in headers for _, headers, _ in owner.asked)
    assert not any("x" in answer.headers for _, answer in answers)


async def test_every_write_needs_the_token_and_an_origin_of_ours(make_console: Make) -> None:
    async with owner_service() as owner:
        names = ("ingest", "scoring", "handoff", "feedback")
        console = await make_console(**dict.fromkeys(names, owner.base))
        user = await console.user("Ada Admin", Role.ADMIN)
        writes = [
            ("POST", path) for path in ("/logout", "/do/accept", f"/do/undo/{user.user_id}", "/do/consent-default")
        ]
        writes += [("POST", path) for path in ("/do/replay-parked", "/do/discard-parked", f"/do/read/{user.user_id}")]
        writes += [(method, "/v1/leads") for method in ("POST", "PUT", "PATCH", "DELETE")]
        writes += [("POST", "/v1/users"), ("PATCH", f"/v1/users/{user.user_id}"), ("DELETE", "/v1/keys/one")]
        async with console.browser() as browser:
            await browser.sign_in(user)
            asked = len(owner.asked)
            good = {"origin": ORIGIN, "x-csrf-token": browser.csrf}
            for method, path in writes:
                for lacking in (
                    {"origin": ORIGIN},
                    {**good, "x-csrf-token": "wrong"},
                    {**good, "origin": "https://evil.example"},
                    {**good, "origin": "null"},
                    {**good, "origin": f"{ORIGIN}.evil.example"},
                    {"x-csrf-token": browser.csrf},
                ):
                    answer = await browser.client.request(method, path, headers=lacking)
                    assert answer.status_code == 403, (method, path, lacking)
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                override = {"x-http-method-override": method, "x-method-override": method}
                answer = await browser.client.get(f"/v1/leads?_method={method}", headers=override)
                assert answer.status_code == 200
            assert {one[0].partition(" ")[0] for one in owner.asked[asked:]} == {"GET"}
            assert (await browser.client.get("/board")).status_code == 200  # still signed in


async def test_private_pages_are_kept_nowhere_and_files_only_under_their_hash(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Ada Admin", Role.ADMIN)
    async with console.browser() as browser:
        await browser.sign_in(user)
        page = await browser.client.get("/board")
        address = page.text.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
        kept = {
            path: (await browser.client.get(path)).headers["cache-control"]
            for path in ("/board", "/login", "/v1/users", "/stream?page=x&since=-", address)
            if not path.startswith("/stream")
        }
        gone = (await browser.client.get("/static/gone.css?v=0123456789")).headers["cache-control"]
        other = (await browser.client.get("/static/console.css?v=0123456789")).headers["cache-control"]
        up = await browser.client.get("/static/..%2fsettings.py")
    assert kept == {
        "/board": "no-store", "/login": "no-store", "/v1/users": "no-store",
        address: "public, max-age=31536000, immutable",
    }  # fmt: skip
    assert (gone, other) == ("no-cache", "no-cache")
    assert up.status_code == 404


async def test_cookies_in_production_are_bound_to_the_host_and_to_https(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Priya Nair")
    production = console.settings.model_copy(update={"environment": Environment.PRODUCTION})
    console.app.state.settings = production
    async with console.browser() as browser:
        door = await browser.client.get("/login")
        csrf = door.text.partition('name="csrf" value="')[2].partition('"')[0]
        assert "secure" in door.headers["set-cookie"].lower()
        answer = await browser.client.post(
            "/login",
            data={"user_name": user.user_name, "password": PASSWORD, "csrf": csrf},
            headers={"origin": ORIGIN, "cookie": f"baton_door={csrf}"},  # the client keeps it for https alone
        )
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith("__Host-baton=")]
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= parts
    assert not any(part.startswith("domain") for part in parts)
