"""Sign-in, sessions, CSRF and keys against the real app and database."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.console.domain.guessing import FREE_TRIES, SHUT_AFTER
from services.console.domain.rights import Role
from services.console.pages.headers import POLICY
from services.console.store import people
from shared.db.engine import transaction
from tests.integration.console.conftest import ORIGIN, PASSWORD, Console

Make = Callable[..., Awaitable[Console]]
PAGES = ["/queue", "/board", "/leads", "/funnel", "/agreement", "/parked"]


async def test_a_user_signs_in_and_out(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Priya Nair")
    async with console.browser() as browser:
        assert (await browser.client.get("/queue")).headers["location"] == "/login?to=/queue"
        answer = await browser.sign_in(user)
        assert answer.headers["location"] == "/queue"
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert (await browser.client.get("/queue")).status_code == 200
        await browser.press("/logout", {})
        assert (await browser.client.get("/queue")).status_code == 303


async def test_a_wrong_password_says_the_same_as_an_unknown_name_and_guessing_is_slowed(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Priya Nair")
    async with console.browser() as browser:
        wrong = [await browser.sign_in(user, "not the password") for _ in range(FREE_TRIES)]
        assert {answer.status_code for answer in wrong} == {401}
        async with transaction(console.database, "command") as tx:  # as many more as shut the door, at once
            subjects = list((await tx.execute("select subject from login_failure")).scalars())
            for _ in range(SHUT_AFTER - FREE_TRIES):
                await people.add_failure(tx, subjects)
        slowed = await browser.sign_in(user, PASSWORD)
        assert slowed.status_code == 429
        assert int(slowed.headers["retry-after"]) >= 1
    async with console.browser() as browser:
        other = await console.user("Jonas Weber")
        assert (await browser.sign_in(other)).status_code == 429  # the address waits as well


async def test_guesses_at_the_same_time_do_not_pass_together(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Priya Nair")
    async with console.browser() as browser:
        guesses = [browser.sign_in(user, f"guess number {number}") for number in range(30)]
        answers = [answer.status_code for answer in await asyncio.gather(*guesses)]
    assert set(answers) <= {401, 429, 503}  # 503 when all connections are busy: not looked at either
    assert answers.count(401) <= SHUT_AFTER


async def test_wrong_keys_at_the_same_time_do_not_pass_together(make_console: Make) -> None:
    console = await make_console()
    async with console.browser() as browser:
        asked = [
            browser.client.get("/v1/leads", headers={"authorization": f"Bearer bt_{number:032x}_secret"})
            for number in range(30)
        ]
        answers = [answer.status_code for answer in await asyncio.gather(*asked)]
    assert set(answers) <= {401, 429, 503}
    assert answers.count(401) <= SHUT_AFTER


async def test_who_signs_in_rightly_many_times_is_never_slowed(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Priya Nair")
    async with console.browser() as browser:
        for _ in range(SHUT_AFTER + 2):
            browser.client.cookies.clear()
            assert (await browser.sign_in(user)).status_code == 303


async def test_the_door_says_what_is_wrong_in_its_own_place_and_in_its_title(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Priya Nair")
    async with console.browser() as browser:
        door = await browser.client.get("/login?to=/leads")
        csrf = door.text.partition('name="csrf" value="')[2].partition('"')[0]
        assert "<title>Sign in · Baton</title>" in door.text
        good = {"user_name": user.user_name, "password": PASSWORD, "csrf": csrf, "to": "/leads"}
        cases = {
            403: {**good, "csrf": "of another day"},
            401: {**good, "password": "wrong"},
            422: {**good, "password": ""},
        }
        text = ""
        for status, form in cases.items():
            answer = await browser.client.post("/login", data=form, headers={"origin": ORIGIN})
            assert answer.status_code == status
            assert "<title>Not signed in · Baton</title>" in answer.text
            assert f'value="{user.user_name}"' in answer.text
            assert 'name="to" value="/leads"' in answer.text
            text = answer.text
        good["csrf"] = text.partition('name="csrf" value="')[2].partition('"')[0]
        entered = await browser.client.post("/login", data=good, headers={"origin": ORIGIN})
    assert entered.headers["location"] == "/leads"


async def test_who_comes_from_a_filtered_page_returns_to_it(make_console: Make) -> None:
    console = await make_console()
    async with console.browser() as browser:
        away = await browser.client.get("/leads?q=a%26b&days=7")
        assert away.headers["location"] == "/login?to=/leads%3Fq%3Da%2526b%26days%3D7"
        door = await browser.client.get(away.headers["location"])
        assert 'name="to" value="/leads?q=a%26b&amp;days=7"' in door.text
        for path in ("//evil.example/x", "/%0d%0aset-cookie:a=b", "/%5cevil.example"):
            answer = await browser.client.get(path)
            assert answer.headers.get("location", "/login").startswith("/login"), path
            assert "a" not in answer.cookies


async def test_signing_in_ends_the_session_that_the_browser_brought(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Priya Nair")
    async with console.browser() as browser, console.browser() as other:
        await browser.sign_in(user)
        brought = browser.client.cookies[console.settings.session_cookie]
        door = await other.client.get("/login")
        other.client.cookies.set(console.settings.session_cookie, brought)
        csrf = door.text.partition('name="csrf" value="')[2].partition('"')[0]
        form = {"user_name": user.user_name, "password": PASSWORD, "csrf": csrf}
        answer = await other.client.post("/login", data=form, headers={"origin": ORIGIN})
        assert answer.status_code == 303
        assert answer.cookies[console.settings.session_cookie] != brought
        assert (await browser.client.get("/queue")).status_code == 303


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"])
async def test_the_door_sends_nobody_to_a_foreign_place(make_console: Make, target: str) -> None:
    console = await make_console()
    user = await console.user("Priya Nair")
    async with console.browser() as browser:
        door = await browser.client.get("/login")
        csrf = door.text.partition('name="csrf" value="')[2].partition('"')[0]
        answer = await browser.client.post(
            "/login",
            data={"user_name": user.user_name, "password": PASSWORD, "csrf": csrf, "to": target},
            headers={"origin": ORIGIN},
        )
    assert answer.headers["location"] == "/queue"


async def test_nothing_happens_without_the_token_or_from_a_foreign_page(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Ada Admin", Role.ADMIN)
    async with console.browser() as browser:
        await browser.sign_in(user)
        form = {"handoff_id": str(user.user_id), "token": "1", "key": "k"}
        answers = [
            await browser.press("/do/accept", form, **{"x-csrf-token": "wrong"}),
            await browser.press("/do/accept", form, origin="https://evil.example"),
            await browser.client.post("/do/accept", data=form),
            await browser.client.post("/logout", headers={"origin": ORIGIN}),
            await browser.client.post(
                "/v1/users", json={"email": "x@y.z", "name": "X", "role": "admin"}, headers={"origin": ORIGIN}
            ),
        ]
        assert [answer.status_code for answer in answers] == [403] * 5
        assert (await browser.client.get("/board")).status_code == 200


async def test_each_role_opens_exactly_its_pages(make_console: Make) -> None:
    console = await make_console()
    wanted = {
        Role.REP: [200, 200, 200, 200, 200, 403],
        Role.MANAGER: [200, 200, 200, 200, 200, 403],
        Role.MARKETER: [403, 200, 200, 200, 200, 403],
        Role.REVOPS: [403, 200, 200, 200, 200, 200],
        Role.ADMIN: [403, 200, 200, 200, 200, 200],
    }
    for role, statuses in wanted.items():
        user = await console.user(f"{role.value} person", role)
        async with console.browser() as browser:
            await browser.sign_in(user)
            assert [(await browser.client.get(page)).status_code for page in PAGES] == statuses, role


async def test_every_answer_carries_the_policy_and_no_page_has_inline_script_or_style(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Ada Admin", Role.ADMIN)
    async with console.browser() as browser:
        await browser.sign_in(user)
        for path in [*PAGES, "/static/console.css", "/nowhere"]:
            answer = await browser.client.get(path)
            assert answer.headers["content-security-policy"] == POLICY
            text = answer.text.lower()
            assert "<style" not in text
            assert " style=" not in text
            assert " onclick=" not in text
            assert "<script>" not in text


async def test_a_key_calls_with_its_scopes_until_it_is_revoked(make_console: Make) -> None:
    console = await make_console()
    operator = {"authorization": f"Bearer {console.cli_tokens.make(audience='console')}", "idempotency-key": "one"}
    async with console.browser() as browser:
        asked = {"name": "crm", "scopes": ["leads:read"]}
        made = (await browser.client.post("/v1/keys", json=asked, headers=operator)).json()
        again = (await browser.client.post("/v1/keys", json=asked, headers=operator)).json()
        assert again == made | {"key": None}
        bearer = {"authorization": f"Bearer {made['key']}"}
        assert (await browser.client.get("/v1/leads", headers=bearer)).status_code == 503  # ingest is away: proven
        assert (await browser.client.get("/v1/users", headers=bearer)).status_code == 403
        assert (await browser.client.get("/queue", headers=bearer)).status_code == 403
        await browser.client.delete(f"/v1/keys/{made['key_id']}", headers={**operator, "idempotency-key": "two"})
        assert (await browser.client.get("/v1/leads", headers=bearer)).status_code == 401
        listed = (await browser.client.get("/v1/keys", headers=operator)).json()
        assert "key" not in listed["keys"][0]


async def test_the_operator_adds_a_user_who_signs_in_with_the_password_shown_once(make_console: Make) -> None:
    console = await make_console()
    operator = {"authorization": f"Bearer {console.cli_tokens.make(audience='console')}", "idempotency-key": "one"}
    asked = {"email": "Priya@baton.test", "name": "Priya Nair", "role": "rep"}
    async with console.browser() as browser:
        made = await browser.client.post("/v1/users", json=asked, headers=operator)
        assert made.status_code == 201
        again = await browser.client.post("/v1/users", json=asked, headers=operator)
        assert again.json() == made.json() | {"password": None}  # a password is kept nowhere, so it is shown once
        taken = await browser.client.post("/v1/users", json=asked, headers={**operator, "idempotency-key": "two"})
        assert taken.status_code == 422
        door = await browser.client.get("/login")
        csrf = door.text.partition('name="csrf" value="')[2].partition('"')[0]
        form = {"user_name": "priya@baton.test", "password": made.json()["password"], "csrf": csrf}
        answer = await browser.client.post("/login", data=form, headers={"origin": ORIGIN})
        assert answer.status_code == 303


@pytest.mark.parametrize(
    "email", ["notamail", "a@b", "@baton.test", "kim@", "Kim <kim@baton.test>", "kim@a@baton.test", "a b@baton.test"]
)
async def test_a_user_without_a_mail_address_is_refused_with_the_field_and_what_to_give(
    make_console: Make, email: str
) -> None:
    console = await make_console()
    operator = {"authorization": f"Bearer {console.cli_tokens.make(audience='console')}", "idempotency-key": "one"}
    async with console.browser() as browser:
        asked = {"email": email, "name": "Kim", "role": "rep"}
        refused = await browser.client.post("/v1/users", json=asked, headers=operator)
        listed = (await browser.client.get("/v1/users", headers=operator)).json()
    assert refused.status_code == 422
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/email"]
    assert "kim@example.org" in refused.json()["detail"]
    assert listed == {"users": []}


async def test_a_change_of_role_ends_the_sessions_of_a_user(make_console: Make) -> None:
    console = await make_console()
    user = await console.user("Priya Nair")
    operator = {"authorization": f"Bearer {console.cli_tokens.make(audience='console')}", "idempotency-key": "one"}
    async with console.browser() as browser, console.browser() as other:
        await browser.sign_in(user)
        await other.client.patch(f"/v1/users/{user.user_id}", json={"role": "manager"}, headers=operator)
        assert (await browser.client.get("/queue")).status_code == 303
