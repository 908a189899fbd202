"""Leads by HTTP: merge and split undo each other, erase leaves nothing, lists show each person once."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest_asyncio

from services.ingest.store.results import LEDGER
from services.ingest.usecases.consent_default import tell_unknown
from shared.db.engine import reading, transaction
from shared.db.ledger import find_gaps
from shared.web.pages import cursor_of
from tests.integration.ingest.counter import Counter, opened
from tests.integration.ingest.stage import AT, IngestStage, identify, of_type, page, track


@pytest_asyncio.fixture
async def counter(stage: IngestStage) -> AsyncIterator[Counter]:
    async with opened(stage) as made:
        yield made


async def test_a_lead_made_by_hand_is_found_by_address_name_and_external_id(counter: Counter) -> None:
    asked = {"email": "kim@acme.example", "name": "Kim Park", "title": "CTO", "external": {"system": "crm", "id": "77"}}
    made = await counter.call("POST", "/v1/leads", json=asked)
    assert made.status_code == 201, made.text
    again = await counter.call("POST", "/v1/leads", json=asked)
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    for query in ("email=KIM@acme.example", "q=park", "external=crm:77"):
        found = await counter.get(f"/v1/leads?{query}")
        assert [one["id"] for one in found["leads"]] == [made.json()["id"]], query
    assert (await counter.get("/v1/leads?q=nobody"))["leads"] == []
    account = await counter.get(f"/v1/accounts/{made.json()['account_id']}")
    assert (account["domain"], account["lead_ids"]) == ("acme.example", [made.json()["id"]])


async def test_a_lead_without_identifier_names_the_field(counter: Counter) -> None:
    answer = await counter.call("POST", "/v1/leads", json={"name": "Kim"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/email"


async def test_a_change_needs_the_version_that_was_read(counter: Counter) -> None:
    made = (await counter.call("POST", "/v1/leads", json={"email": "kim@acme.example"})).json()
    path = f"/v1/leads/{made['id']}"
    assert (await counter.call("PATCH", path, json={"title": "VP"})).status_code == 428
    etag = (await counter.call("GET", path)).headers["etag"]
    assert (await counter.call("GET", path, headers={"if-none-match": etag})).status_code == 304
    changed = await counter.call("PATCH", path, json={"title": "VP Sales"}, headers={"if-match": etag})
    assert (changed.status_code, changed.json()["title_level"]) == (200, "vp")
    assert (await counter.call("PATCH", path, json={"title": "x"}, headers={"if-match": etag})).status_code == 412
    assert (await counter.call("PATCH", path, json={"score": 99}, headers={"if-match": "*"})).status_code == 422


async def test_a_split_undoes_a_merge_and_facts_stay_with_their_members(counter: Counter) -> None:
    stage = counter.stage
    await stage.send(
        identify(userId="a", traits={"email": "a@acme.example", "name": "Al"}), page("/pricing", userId="a")
    )
    await stage.send(identify(userId="b", traits={"email": "b@acme.example", "name": "Bo"}), page("/blog", userId="b"))
    one, other = await stage.lead_of("user", "a"), await stage.lead_of("user", "b")
    merged = await counter.call("POST", f"/v1/leads/{other}/merge", json={"into_lead_id": str(one)})
    assert (merged.status_code, merged.json()["id"]) == (200, str(one)), merged.text
    shown = await counter.get(f"/v1/leads/{other}")
    assert (shown["id"], shown["merged_into"]) == (str(one), str(one))
    assert {UUID(member) for member in shown["members"]} == {one, other}
    during = await stage.send(track("Demo Requested", userId="b"))
    activity = of_type(during, "activity.recorded")[0]
    assert (activity.lead_id, activity.member_id) == (one, other)
    again = await counter.call("POST", f"/v1/leads/{other}/merge", json={"into_lead_id": str(one)})
    assert again.status_code == 200
    split = await counter.call("POST", f"/v1/leads/{other}/split")
    assert (split.status_code, split.json()["id"], split.json()["name"]) == (200, str(other), "Bo"), split.text
    assert (await counter.call("POST", f"/v1/leads/{other}/split")).status_code == 422
    after = await stage.send(track("Trial Started", userId="b"))
    assert of_type(after, "activity.recorded")[0].lead_id == other
    versions = await stage.rows(
        "select payload from outbox where headers like '%lead.split%' or headers like '%lead.merged%' order by id"
    )
    assert ['"identity_version":2' in row[0] or '"identity_version":3' in row[0] for row in versions] == [True, True]


async def test_an_erased_person_leaves_no_name_and_stays_out(counter: Counter) -> None:
    stage = counter.stage
    await stage.send(
        identify(userId="lee", anonymousId="a1", traits={"email": "lee@beta.example", "name": "Lee Canary"}),
        page("https://www.example.test/pricing?canary=1", anonymousId="a1"),
    )
    lead_id = await stage.lead_of("user", "lee")
    assert (
        await counter.call("POST", "/v1/erasures", role="rep", json={"email": "lee@beta.example"})
    ).status_code == 403
    done = await counter.call("POST", "/v1/erasures", role="admin", json={"email": "lee@beta.example"})
    assert (done.status_code, done.json()["lead_ids"]) == (202, [str(lead_id)]), done.text
    assert (await counter.call("GET", f"/v1/leads/{lead_id}")).status_code == 404
    events = await stage.send(
        identify(userId="lee", traits={"email": "lee@beta.example", "name": "Lee Canary"}), page("/x", anonymousId="a1")
    )
    assert events == []
    again = await counter.call("POST", "/v1/erasures", role="admin", json={"email": "lee@beta.example"})
    assert again.json()["lead_ids"] == []
    assert (
        await stage.one(
            """
        select (select count(*) from profile) + (select count(*) from activity_text)
             + (select count(*) from identity_key) + (select count(*) from external_id)
        """
        )
        == 0
    )
    assert await stage.one("select sum(suppressed) from delivery_result") == 2
    assert await stage.one("select sum(activities) from counted_activity") == 1
    asked = {"lead_ids": [str(lead_id)], "purpose": "card"}
    assert (await counter.call("POST", "/internal/profiles", role=None, json=asked)).json() == {"profiles": []}


async def test_an_erasure_empties_the_answers_kept_for_repeats(counter: Counter) -> None:
    asked = {"email": "lee@beta.example", "name": "Lee Canary"}
    made = await counter.call("POST", "/v1/leads", json=asked)
    assert made.status_code == 201, made.text
    await counter.call("POST", "/v1/erasures", role="admin", json={"lead_id": made.json()["id"]})
    assert await counter.stage.one("select count(*) from idempotency where answer ilike '%canary%'") == 0
    assert await counter.stage.one("select count(*) from idempotency where status = 201") == 1


async def test_names_are_for_services_alone_and_are_of_the_whole_person(counter: Counter) -> None:
    stage = counter.stage
    await stage.send(identify(userId="a", traits={"email": "a@acme.example", "name": "Al"}))
    lead_id = str(await stage.lead_of("user", "a"))
    asked = {"lead_ids": [lead_id], "purpose": "card"}
    assert (await counter.call("POST", "/internal/profiles", role="admin", json=asked)).status_code == 403
    answer = await counter.call("POST", "/internal/profiles", role=None, json=asked)
    assert [(one["name"], one["email"]) for one in answer.json()["profiles"]] == [("Al", "a@acme.example")]


async def test_a_walk_shows_each_person_once_while_others_change(counter: Counter) -> None:
    stage = counter.stage
    await stage.send(*(identify(userId=f"u{n}", traits={"email": f"u{n}@acme.example"}) for n in range(5)))
    first = await counter.get("/v1/leads?limit=2")
    await counter.call("PATCH", f"/v1/leads/{first['leads'][0]['id']}", json={"title": "VP"}, headers={"if-match": "*"})
    second = await counter.get(f"/v1/leads?limit=2&cursor={first['next']}")
    await counter.call("POST", "/v1/erasures", role="admin", json={"lead_id": second["leads"][0]["id"]})
    third = await counter.get(f"/v1/leads?limit=2&cursor={second['next']}")
    seen = [one["id"] for walk in (first, second, third) for one in walk["leads"]]
    assert len(seen) == len(set(seen)) == 5
    assert third["next"] is None
    changed = first["leads"][1]["updated_at"]
    since = await counter.get("/v1/leads", params={"updated_since": changed})
    assert first["leads"][1]["id"] in {one["id"] for one in since["leads"]}
    after = (datetime.fromisoformat(changed) + timedelta(microseconds=1)).isoformat()
    later = await counter.get("/v1/leads", params={"updated_since": after})
    assert first["leads"][1]["id"] not in {one["id"] for one in later["leads"]}
    nobody = UUID(int=0)
    for cursor in ("nonsense", cursor_of("2026-06-01", nobody), cursor_of("0001-01-01T00:00+14:00", nobody)):
        refused = await counter.call("GET", f"/v1/leads?cursor={cursor}")
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "query:cursor"), cursor


async def test_the_answer_about_unknown_consent_reaches_everybody(counter: Counter) -> None:
    stage = counter.stage
    events = await stage.send(page("/", anonymousId="a1"), source_id=stage.silent_source_id)
    assert [one.is_allowed for one in of_type(events, "lead.consent_changed")] == [False]
    seen = await counter.call("GET", "/v1/consent-default", role="rep")
    assert seen.json() == {"is_answered": False, "is_allowed": False, "version": 1}
    put = await counter.call(
        "PUT",
        "/v1/consent-default",
        role="admin",
        json={"is_allowed": True},
        headers={"if-match": seen.headers["etag"]},
    )
    assert put.json()["is_answered"]
    stale = await counter.call(
        "PUT",
        "/v1/consent-default",
        role="admin",
        json={"is_allowed": False},
        headers={"if-match": seen.headers["etag"]},
    )
    assert stale.status_code == 412
    async with transaction(stage.database, "periodic") as tx:
        await tell_unknown(tx)
        told = of_type(tx.pending, "lead.consent_changed")
    assert [(one.consent, one.is_allowed, one.consent_version) for one in told] == [("unknown", True, 2)]


async def test_what_others_grant_does_not_lift_what_the_person_withdrew(counter: Counter) -> None:
    stage = counter.stage
    await stage.send(identify(userId="a", traits={"email": "a@acme.example"}))
    lead_id = await stage.lead_of("user", "a")
    path = f"/v1/leads/{lead_id}/consents"
    withdrawn = {"purpose": "profiling", "consent": "withdrawn", "wording": "by phone"}
    assert (await counter.call("POST", path, json=withdrawn)).json()["consents"]["profiling"] == "withdrawn"
    granted = {"purpose": "profiling", "consent": "granted"}
    assert (await counter.call("POST", path, json=granted)).json()["consents"]["profiling"] == "withdrawn"
    again = await stage.send(identify(userId="a", traits={"consent": "granted"}, at=AT + timedelta(days=1)))
    assert of_type(again, "lead.consent_changed") == []
    assert (await counter.call("POST", path, json={**granted, "at": "2026-06-01T00:00:00"})).status_code == 422
    later = await stage.send(
        page("/pricing", userId="a", at=AT + timedelta(days=1)), track("Demo Requested", userId="a")
    )
    assert [one.kind for one in of_type(later, "activity.recorded")] == ["demo_requested"]
    async with reading(stage.database) as tx:
        assert await find_gaps(tx, LEDGER) == []


async def test_a_consent_dated_ahead_never_outlasts_a_withdrawal(counter: Counter) -> None:
    await counter.stage.send(identify(userId="a", traits={"email": "a@acme.example"}))
    path = f"/v1/leads/{await counter.stage.lead_of('user', 'a')}/consents"
    granted = {"purpose": "profiling", "consent": "granted", "is_own_act": True, "at": "2099-01-01T00:00:00Z"}
    assert (await counter.call("POST", path, json=granted)).json()["consents"]["profiling"] == "granted"
    withdrawn = {"purpose": "profiling", "consent": "withdrawn", "is_own_act": True}
    assert (await counter.call("POST", path, json=withdrawn)).json()["consents"]["profiling"] == "withdrawn"
