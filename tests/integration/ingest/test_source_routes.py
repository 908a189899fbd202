"""Sources by HTTP: what marketing sets for them is checked when it is set, not when a page fails to deliver."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from cryptography.fernet import Fernet, MultiFernet

from services.ingest.store import sources
from services.ingest.usecases.sources import CONNECTED_SENDERS, read_directory
from shared import clock
from shared.db.engine import reading
from tests.integration.ingest.counter import Counter, opened
from tests.integration.ingest.stage import AT, IngestStage, batch, raw_event, track


@pytest_asyncio.fixture
async def counter(stage: IngestStage) -> AsyncIterator[Counter]:
    async with opened(stage) as made:
        yield made


async def test_an_origin_of_a_source_is_a_real_one_in_one_spelling(counter: Counter) -> None:
    asked = {"sender": "segment", "name": "site", "settings": {"origins": ["HTTPS://Shop.Example.com:443/"]}}
    made = await counter.call("POST", "/v1/sources", role="admin", json=asked)
    assert made.status_code == 201, made.text
    path = f"/v1/sources/{made.json()['id']}"
    assert (await counter.get(path, role="admin"))["settings"]["origins"] == ["https://shop.example.com"]
    wrong = {"origins": ["https://shop.example.com", "shop.example.com/page"]}
    before = await counter.stage.one("select count(*) from source")
    refused = [
        await counter.call("POST", "/v1/sources", role="admin", json=asked | {"settings": wrong}),
        await counter.call("PATCH", path, role="admin", json={"settings": wrong}, headers={"if-match": '"1"'}),
    ]
    for answer in refused:
        assert answer.status_code == 422, answer.text
        error = answer.json()["errors"][0]
        assert (error["pointer"], error["code"]) == ("/settings/origins/1", "origin")
        assert "https://www.example.com" in error["message"]
    assert await counter.stage.one("select count(*) from source") == before


async def test_every_sender_that_was_found_can_be_connected_by_what_proves_it(counter: Counter) -> None:
    listed = (await counter.get("/v1/senders"))["senders"]
    assert {one["sender"] for one in listed} == set(CONNECTED_SENDERS)
    assert all(one["title"] and one["setup"] for one in listed)
    for one in listed:
        secret = {"secret": "a pasted secret"} if one["proof"] == "signature" else {}
        made = await _made(counter, sender=one["sender"], **secret)
        shown = await counter.get(f"/v1/sources/{made['id']}")
        kinds = [key["kind"] for key in shown["keys"]]
        assert kinds == {"key": ["server_key"], "address": []}.get(one["proof"], ["secret"]), one["sender"]
        assert [key for key in made["keys"] if "key" in key] == (
            [] if one["proof"] in {"signature", "address"} else made["keys"]
        )
        is_own_address = shown["url"].startswith(f"https://in.example.test/webhooks/{one['sender']}/")
        assert is_own_address == (one["proof"] != "key")


async def test_a_sender_that_signs_needs_its_secret_and_an_unknown_one_is_told_which_there_are(
    counter: Counter,
) -> None:
    unsigned = await counter.call("POST", "/v1/sources", json={"sender": "sendgrid", "name": "mails"})
    assert (unsigned.status_code, unsigned.json()["errors"][0]["pointer"]) == (422, "/secret")
    unknown = await counter.call("POST", "/v1/sources", json={"sender": "carrier_pigeon", "name": "x"})
    assert unknown.status_code == 422
    assert "sendgrid" in unknown.json()["errors"][0]["message"]


@pytest.mark.parametrize("overlap_hours", [0, 1, 72])
async def test_two_keys_are_valid_until_the_overlap_ends_and_a_revoked_one_is_not(
    counter: Counter, overlap_hours: int
) -> None:
    made = await _made(counter, sender="segment")
    path = f"/v1/sources/{made['id']}"
    asked = {"kind": "server_key", "overlap_hours": overlap_hours}
    turned = await counter.call("POST", f"{path}/rotate", json=asked)
    assert turned.status_code == 201, turned.text
    old, new = (await counter.get(path))["keys"]
    ends_in = datetime.fromisoformat(old["valid_until"]) - clock.now()
    assert abs(ends_in - timedelta(hours=overlap_hours)) < timedelta(minutes=5)
    assert (new["valid_until"], new["id"]) == (None, turned.json()["id"])
    assert await _valid(counter) >= ({new["id"], old["id"]} if overlap_hours else {new["id"]})
    revoked = await counter.call("POST", f"{path}/keys/{new['id']}/revoke")
    assert revoked.status_code == 200, revoked.text
    assert new["id"] not in await _valid(counter)
    again = await counter.call("POST", f"{path}/keys/{new['id']}/revoke")
    assert again.json()["valid_until"] == revoked.json()["valid_until"]
    assert (await counter.call("POST", f"{path}/keys/{made['id']}/revoke")).status_code == 404


async def test_keys_of_a_kind_are_bounded_and_a_kind_the_sender_has_not_is_refused(counter: Counter) -> None:
    made = await _made(counter, sender="segment")
    path = f"/v1/sources/{made['id']}/rotate"
    statuses = [(await counter.call("POST", path, json={"kind": "server_key"})).status_code for _ in range(11)]
    assert statuses == [201] * 9 + [422] * 2
    assert (await counter.call("POST", path, json={"kind": "browser_key"})).status_code == 201
    assert (await counter.call("POST", path, json={"kind": "secret", "secret": "x"})).status_code == 422


async def test_a_change_names_what_changes_and_leaves_the_rest(counter: Counter) -> None:
    made = await _made(counter, sender="segment", settings={"names": {"got quote": "form_submit"}})
    path = f"/v1/sources/{made['id']}"
    change = {"settings": {"time_zone": "Europe/Berlin", "options": {"topic": "t1"}, "mapping": {"email": "$.mail"}}}
    changed = await counter.call("PATCH", path, json=change, headers={"if-match": '"1"'})
    assert changed.status_code == 200, changed.text
    settings = changed.json()["settings"]
    assert (settings["names"], settings["time_zone"]) == ({"got quote": "form_submit"}, "Europe/Berlin")
    gone = await counter.call("PATCH", path, json={"settings": {"time_zone": None}}, headers={"if-match": '"2"'})
    assert "time_zone" not in gone.json()["settings"]
    assert gone.json()["settings"]["options"] == {"topic": "t1"}
    for wrong in ({"time_zone": "Mars/Olympus"}, {"names": {"x": "danced"}}, {"consent": "perhaps"}):
        refused = await counter.call("PATCH", path, json={"settings": wrong}, headers={"if-match": '"3"'})
        assert refused.status_code == 422, wrong
    stale = await counter.call("PATCH", path, json={"name": "x"}, headers={"if-match": '"1"'})
    assert (stale.status_code, (await counter.call("PATCH", path, json={})).status_code) == (412, 428)


async def test_how_a_source_stands_is_told_by_hour_and_by_reason_without_ids_to_who_may_not_see_them(
    counter: Counter,
) -> None:
    events: list[Mapping[str, object]] = [
        track("Demo Requested", userId="u1"),
        {"type": "dance", "messageId": "kim@acme.example", "userId": "u2"},
    ]
    await counter.stage.handle(raw_event(batch(*events), source_id=counter.stage.source_id))
    path = f"/v1/sources/{counter.stage.source_id}"
    standing = (await counter.get(path))["standing"]
    assert (standing["deliveries"], standing["events"], standing["refused"], standing["parked"]) == (1, 2, 1, 0)
    assert datetime.fromisoformat(standing["last_received_at"]) == AT
    told = await counter.get(f"{path}/standing")
    assert [(one["deliveries"], one["refused"]) for one in told["hours"]] == [(1, 1)]
    (reason,) = told["refusals"]
    assert reason["refused"] == 1
    assert [one["event_id"] for one in reason["samples"]] == ["kim@acme.example"]
    hidden = await counter.get(f"{path}/standing", role="admin")
    assert [one["event_id"] for one in hidden["refusals"][0]["samples"]] == [None]
    assert (await counter.call("GET", path, role="rep")).status_code == 403
    tested = await counter.call("POST", f"{path}/test")
    assert datetime.fromisoformat(tested.json()["received_at"]) == AT


async def test_a_deleted_source_ends_its_keys_and_is_known_as_deleted_for_thirty_days(counter: Counter) -> None:
    made = await _made(counter, sender="sendgrid", secret="s")
    path = f"/v1/sources/{made['id']}"
    assert (await counter.call("DELETE", path, headers={"if-match": '"1"'})).status_code == 204
    assert (await counter.call("GET", path)).status_code == 404

    async def is_told() -> bool:
        async with reading(counter.stage.database) as tx:
            listed, _ = await read_directory(tx, counter.wrapping)
        return made["id"] in {str(one.id) for one in listed if one.deleted_at is not None}

    assert await is_told()
    await counter.stage.change("update source set deleted_at = deleted_at - interval '31 days' where id = :id", **made)
    assert not await is_told()


async def test_an_address_that_had_a_secret_is_never_open_again(counter: Counter) -> None:
    bare = await _made(counter, sender="sendgrid_parse")
    made = await _made(counter, sender="sendgrid_parse", secret="s")
    (key,) = made["keys"]

    async def opened_ones(wrapping: MultiFernet) -> set[str]:
        async with reading(counter.stage.database) as tx:
            listed, _ = await read_directory(tx, wrapping)
        return {str(one.id) for one in listed if one.is_open} & {bare["id"], made["id"]}

    assert await opened_ones(MultiFernet([Fernet(Fernet.generate_key())])) == {bare["id"]}
    revoked = await counter.call("POST", f"/v1/sources/{made['id']}/keys/{key['id']}/revoke")
    assert revoked.status_code == 200, revoked.text
    assert await opened_ones(counter.wrapping) == {bare["id"]}


async def _made(counter: Counter, **asked: object) -> dict[str, Any]:
    answer = await counter.call("POST", "/v1/sources", json={"name": "one", **asked})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def _valid(counter: Counter) -> set[str]:
    """The ids of the keys that the door would take now."""
    async with reading(counter.stage.database) as tx:
        _, keys = await read_directory(tx, counter.wrapping)
        return {str(key.id) for key in keys if key.valid_until is None or key.valid_until > tx.now}


async def test_a_token_of_a_senders_api_is_kept_wrapped_and_proves_no_delivery(counter: Counter) -> None:
    made = await _made(counter, sender="eventbrite")
    path = f"/v1/sources/{made['id']}"
    asked = {"kind": "api_token", "secret": "a-token-of-tests"}
    kept = await counter.call("POST", f"{path}/rotate", role="admin", json=asked)
    assert (kept.status_code, kept.json()["kind"]) == (201, "api_token"), kept.text
    assert "a-token-of-tests" not in kept.text
    assert [key["kind"] for key in (await counter.get(path))["keys"]] == ["api_token"]
    async with reading(counter.stage.database) as tx:
        listed, _ = await read_directory(tx, counter.wrapping)
    assert [one.secrets for one in listed if str(one.id) == made["id"]] == [()]
    other = await _made(counter, sender="typeform", secret="a secret")
    refused = await counter.call("POST", f"/v1/sources/{other['id']}/rotate", role="admin", json=asked)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/kind")
    missing = await counter.call("POST", f"{path}/rotate", role="admin", json={"kind": "api_token"})
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "/secret")


async def test_another_host_of_the_api_ends_its_tokens_and_says_so(counter: Counter) -> None:
    made = await _made(counter, sender="eventbrite")
    path = f"/v1/sources/{made['id']}"
    for overlap_hours in (0, 24):  # two that are valid, the first until its overlap ends
        asked = {"kind": "api_token", "secret": "a-token-of-tests", "overlap_hours": overlap_hours}
        assert (await counter.call("POST", f"{path}/rotate", role="admin", json=asked)).status_code == 201
    waiting = "https://www.eventbriteapi.com/v3/orders/1/?expand=event"
    await counter.stage.change(
        "insert into fetch_due (id, source_id, sender, verified_by, what, url, headers, due_at, created_at)"
        " values (:id, :id, 'eventbrite', 'address', 'order', :url, '{}', baton_now(), baton_now())",
        id=made["id"],
        url=waiting,
    )

    async def after(version: int, settings: Mapping[str, object]) -> tuple[int, str, str]:
        """How many tokens are valid, what is said, where the waiting question goes."""
        headers = {"if-match": f'"{version}"'}
        answer = await counter.call("PATCH", path, json={"settings": settings}, headers=headers)
        assert answer.status_code == 200, answer.text
        async with reading(counter.stage.database) as tx:
            valid = await sources.valid_keys(tx, UUID(made["id"]), kind="api_token")
        return valid, answer.json()["notice"], await counter.stage.one("select url from fetch_due")

    assert await after(1, {"time_zone": "Europe/Berlin"}) == (2, "", waiting)
    assert await after(2, {"options": {"api_url": "https://www.EventbriteAPI.com/"}}) == (2, "", waiting)
    valid, said, url = await after(3, {"options": {"api_url": "https://evil.example"}})
    assert (valid, url) == (0, "https://evil.example/v3/orders/1/?expand=event")
    assert "token" in said
    asked = {"kind": "api_token", "secret": "another"}
    assert (await counter.call("POST", f"{path}/rotate", role="admin", json=asked)).status_code == 201
    valid, said, url = await after(4, {"options": {}})
    assert (valid, bool(said), url) == (0, True, waiting)
