"""The routes: in view or 404, token seen or 428 and 409, one effect per key, refusals that name the field."""

import asyncio
from datetime import timedelta

import orjson

from shared.db.engine import transaction
from tests.integration.handoff.http import callers
from tests.integration.handoff.world import DatabaseOf, crew, member, world_of
from tests.support.builders.handoff import identified, lead_id, linked, qualified, rep_id, rep_row


async def test_a_rep_accepts_and_rejects_over_http(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        anna = rep_id("anna")
        await world.reps(*crew("anna", "bert"))
        await world.agreement({"default": [member(anna)]})
        await world.take(identified("kim"), qualified("kim"))
        mine, other = api.user(anna, "rep"), api.user(rep_id("bert"), "rep")

        listed = (await mine.get("/v1/handoffs")).json()["handoffs"]
        assert [each["lead_id"] for each in listed] == [str(lead_id("kim"))]
        path, etag = f"/v1/handoffs/{listed[0]['id']}", listed[0]["etag"]
        assert (await other.get("/v1/handoffs")).json()["handoffs"] == []
        assert (await other.get(path)).status_code == 404
        assert (await other.post(f"{path}/accept", etag=etag)).status_code == 404

        assert (await mine.post(f"{path}/accept")).status_code == 428
        refused = await mine.post(f"{path}/reject", {}, etag=etag)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/reason_code"
        missing = await mine.post(f"{path}/reject", {"reason_code": "no_fit"}, etag=etag)
        assert missing.json()["errors"][0] == {
            "pointer": "/sub_reason",
            "code": "sub_reason_missing",
            "message": "This reason needs a sub-reason.",
        }

        accepted = await mine.post(f"{path}/accept", etag=etag, key="one")
        assert accepted.status_code == 200, accepted.text
        assert accepted.json()["state"] == "accepted"
        assert accepted.headers["etag"] != etag
        again = await mine.post(f"{path}/accept", etag=etag, key="one")
        assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
        late = await mine.post(f"{path}/accept", etag=etag)
        assert late.status_code == 409
        assert late.json()["current"]["state"] == "accepted"

        shown = await mine.get(path)
        assert shown.json()["assignments"][0]["accepted_at"] is not None
        assert (await mine.get(path, if_none_match=shown.headers["etag"])).status_code == 304
        verdicts = [each["verdict"] for each in (await mine.get(f"{path}/events")).json()["events"]]
        assert verdicts == ["ok", "ok", "invalid", "invalid", "ok", "stale"]
        assert (await mine.get(f"{path}/card")).json()["who"]["is_available"] is False


async def test_a_reject_is_dated_with_its_press_but_not_far_back_nor_ahead(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        mine = api.user(rep_id("anna"), "rep")
        wanted = {
            "kim": (timedelta(seconds=10), timedelta(seconds=10)),
            "lee": (timedelta(days=2), timedelta(minutes=5)),
            "max": (-timedelta(hours=1), timedelta(0)),
        }
        for name, (said, counted) in wanted.items():
            await world.take(identified(name), qualified(name))
            handoff = (await mine.get(f"/v1/handoffs?lead_id={lead_id(name)}")).json()["handoffs"][0]
            body = {"reason_code": "no_need", "pressed_at": (world.now - said).isoformat()}
            done = await mine.post(f"/v1/handoffs/{handoff['id']}/reject", body, etag=handoff["etag"])
            assert done.status_code == 200, done.text
            left = await world.rows("select headers from outbox where key = :key order by id", key=str(lead_id(name)))
            rejected = next(row.headers for row in left if "handoff.rejected" in row.headers)
            assert (world.now - counted).strftime("%Y-%m-%dT%H:%M:%S") in rejected, name
        assert await world.gaps() == []


async def test_lists_page_in_a_stable_order_and_narrow(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"), load_max=2)]})
        for name in ("a", "b", "c", "d", "e"):
            await world.take(identified(name), qualified(name))
        everybody = api.user(rep_id("marketer"), "marketer")
        first = (await everybody.get("/v1/handoffs?limit=2")).json()
        second = (await everybody.get(f"/v1/handoffs?limit=2&cursor={first['next']}")).json()
        third = (await everybody.get(f"/v1/handoffs?limit=2&cursor={second['next']}")).json()
        seen = [each["id"] for page in (first, second, third) for each in page["handoffs"]]
        assert len(seen) == len(set(seen)) == 5
        assert third["next"] is None
        queued = (await everybody.get("/v1/handoffs?state=queued&queue=no_eligible_rep")).json()["handoffs"]
        assert len(queued) == 3
        queues = {each["name"]: each["waiting"] for each in (await everybody.get("/v1/queues")).json()["queues"]}
        assert queues["no_eligible_rep"] == 3
        assert (await everybody.get("/v1/handoffs?cursor=nonsense")).status_code == 422


async def test_managers_see_their_team_and_reassign(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        boss, anna, bert = rep_id("boss"), rep_id("anna"), rep_id("bert")
        team = rep_id("team")
        admin = api.user(boss, "manager", team)
        made = await admin.put(f"/v1/teams/{team}", {"name": "North", "manager_id": str(boss)})
        assert made.status_code == 201, made.text
        for each in (anna, bert):
            put = await admin.put(f"/v1/reps/{each}", {"name": "x", "team_id": str(team)})
            assert put.status_code == 201, put.text
        await world.agreement({"default": [member(anna)]})
        await world.take(identified("kim"), qualified("kim"))
        listed = (await admin.get("/v1/handoffs")).json()["handoffs"]
        assert len(listed) == 1
        other = api.user(rep_id("other boss"), "manager", rep_id("other team"))
        assert (await other.get("/v1/handoffs")).json()["handoffs"] == []
        path = f"/v1/handoffs/{listed[0]['id']}"
        given = await admin.post(f"{path}/reassign", {"rep_id": str(bert)}, etag=listed[0]["etag"])
        assert given.status_code == 200, given.text
        assert given.json()["owner_id"] == str(bert)
        assert (await api.user(anna, "rep").post(f"{path}/reassign", {"rep_id": str(anna)})).status_code == 403
        assert (await world.gaps()) == []


async def test_a_decision_explains_itself_and_replays(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        await world.reps(*crew("anna", "bert"))
        await world.agreement({"default": [member(rep_id("anna")), member(rep_id("bert"))]})
        await world.take(identified("kim"), linked("kim", "acme"), qualified("kim"))
        manager = api.user(rep_id("revops"), "revops")
        found = (await world.rows("select id from routing_decision"))[0]
        shown = (await manager.get(f"/v1/routing-decisions/{found.id}")).json()
        assert shown["rep_id"] in {str(rep_id("anna")), str(rep_id("bert"))}
        assert shown["explanation"]
        replayed = (await manager.post(f"/v1/routing-decisions/{found.id}/replay")).json()
        assert replayed["is_same"] is True
        pools = (await manager.get("/v1/pools")).json()["pools"]
        assert sum(each["received"] for pool in pools for each in pool["members"]) == 1


async def test_a_handoff_is_opened_by_hand_for_a_rep(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        await world.take(identified("kim"))
        marketer = api.user(rep_id("marketer"), "marketer")
        body = {"lead_id": str(lead_id("kim")), "rep_id": str(rep_id("anna"))}
        opened = await marketer.post("/v1/handoffs", body)
        assert opened.status_code == 201, opened.text
        assert (opened.json()["policy"], opened.json()["state"]) == ("manual", "assigned")
        assigned = [orjson.loads(payload) for (payload,) in await world.rows("select payload from outbox")][-1]
        assert assigned["is_reassigned"] is False
        nobody = await marketer.post("/v1/handoffs", {"lead_id": str(lead_id("nobody"))})
        assert nobody.status_code == 404


async def test_the_life_of_a_handoff_over_http(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        anna = rep_id("anna")
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(anna, load_max=1)]})
        await world.take(identified("kim"), qualified("kim"), identified("lee"), qualified("lee"))
        rep, marketer = api.user(anna, "rep"), api.user(rep_id("marketer"), "marketer")
        by_lead = {each["lead_id"]: each for each in (await marketer.get("/v1/handoffs")).json()["handoffs"]}
        kim, lee = by_lead[str(lead_id("kim"))], by_lead[str(lead_id("lee"))]
        assert (kim["state"], lee["state"]) == ("assigned", "queued")
        path = f"/v1/handoffs/{kim['id']}"

        full = await rep.post(f"/v1/handoffs/{lee['id']}/pull", etag=lee["etag"])
        assert (full.status_code, full.json()["type"]) == (422, "/problems/rep_full")
        assert (await rep.post(f"{path}/accept", etag='"x"')).status_code == 422
        accepted = (await rep.post(f"{path}/accept", etag=kim["etag"])).json()
        paused = await rep.post(
            f"{path}/pause", {"reason_code": "lead_away", "until_at": "2026-06-12T09:00:00Z"}, etag=accepted["etag"]
        )
        assert (paused.status_code, paused.json()["is_paused"]) == (200, True), paused.text
        too_long = {"reason_code": "lead_away", "until_at": "2027-06-12T09:00:00Z"}
        assert (await rep.post(f"{path}/pause", too_long, etag=paused.json()["etag"])).status_code == 422
        resumed = (await rep.post(f"{path}/resume", etag=paused.json()["etag"])).json()
        # without zone; a number; before there was a lead
        for wrong in ("2026-06-10T09:00:00", 1781082000, "2020-01-01T00:00:00Z"):
            refused = await rep.post(f"{path}/touch", {"touched_at": wrong}, etag=resumed["etag"])
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/touched_at")
        touched = (await rep.post(f"{path}/touch", {"kind": "call"}, etag=resumed["etag"])).json()
        assert touched["state"] == "working"
        other = {"disposition": "recycle", "reason_code": "other"}
        assert (await rep.post(f"{path}/dispose", other, etag=touched["etag"])).json()["type"].endswith("text_missing")
        done = await rep.post(f"{path}/dispose", {**other, "text": "asked to call in autumn"}, etag=touched["etag"])
        assert (done.status_code, done.json()["state"]) == (200, "nurture")

        shown = (await marketer.get(path)).json()
        assert (shown["stage"], shown["notes"][0]["text"]) == ("recycled", "asked to call in autumn")
        for sql in ("select payload from outbox", "select input from handoff_event"):
            assert not any("autumn" in str(row) for row in await world.rows(sql))
        enrolled = await marketer.post(f"{path}/enrol", {"programme": "autumn"}, etag=done.json()["etag"])
        assert [each["state"] for each in enrolled.json()["clocks"] if each["kind"] == "enrol"] == ["met"]
        assert await world.gaps() == []


async def test_a_batch_locks_in_the_order_of_all_whatever_the_order_of_its_items(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        await world.reps(*crew("anna"))
        await world.agreement({"default": [member(rep_id("anna"))]})
        await world.take(identified("kim"), qualified("kim"), identified("lee"), qualified("lee"))
        rows = sorted(
            (await api.key("leads:read").get("/v1/handoffs")).json()["handoffs"], key=lambda one: one["lead_id"]
        )
        items = [{"handoff_id": one["id"], "command": "revoke", "token": one["token"]} for one in reversed(rows)]
        one_lead = "select id from lead where id = :id for update skip locked"
        async with asyncio.TaskGroup() as group, transaction(world.database, "command") as holding:
            await holding.execute(one_lead, {"id": rows[0]["lead_id"]})
            batch = group.create_task(api.user(rep_id("m"), "marketer").post("/v1/handoffs/batch", {"items": items}))
            while not batch.done() and not await world.rows(_WAITING):
                await asyncio.to_thread(bool)
            assert await world.rows(one_lead, id=rows[1]["lead_id"])  # it waits for the first and holds no other
        assert [each["status"] for each in batch.result().json()["items"]] == [200, 200]


_WAITING = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


async def test_a_batch_answers_each_item_by_itself(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        anna, bert = rep_id("anna"), rep_id("bert")
        team = rep_id("team")
        await world.reps(rep_row("anna", team_id=team), rep_row("bert", team_id=team))
        await world.agreement({"default": [member(anna)]})
        await world.take(identified("kim"), qualified("kim"), identified("lee"), qualified("lee"))
        rows = (await api.key("leads:read").get("/v1/handoffs")).json()["handoffs"]
        items = [
            {"handoff_id": rows[0]["id"], "command": "reassign", "token": rows[0]["token"], "rep_id": str(bert)},
            {"handoff_id": rows[1]["id"], "command": "revoke", "token": 1},
            {"handoff_id": str(rep_id("nothing")), "command": "revoke", "token": 1},
            {"handoff_id": rows[1]["id"], "command": "revoke", "token": rows[1]["token"]},
        ]
        manager = api.user(rep_id("boss"), "manager", team)
        answered = await manager.post("/v1/handoffs/batch", {"items": items}, key="b")
        assert [each["status"] for each in answered.json()["items"]] == [200, 409, 404, 200]
        again = await manager.post("/v1/handoffs/batch", {"items": items}, key="b")
        assert again.json() == answered.json()
        rep = api.user(anna, "rep")
        refused = (await rep.post("/v1/handoffs/batch", {"items": items[:1]})).json()["items"]
        assert refused[0]["status"] == 403
        assert await world.gaps() == []


async def test_teams_calendars_and_owners_change_by_version(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        manager = api.user(rep_id("boss"), "manager")
        team = await manager.post("/v1/teams", {"name": "North"})
        path = team.headers["location"]
        assert (await manager.patch(path, {"name": "South"})).status_code == 428
        changed = await manager.patch(path, {"name": "South"}, if_match=team.headers["etag"])
        assert (changed.status_code, changed.json()["name"]) == (200, "South")
        assert (await manager.patch(path, {"name": "East"}, if_match=team.headers["etag"])).status_code == 412
        unknown = await manager.patch(path, {"calendar": "nowhere"}, if_match=changed.headers["etag"])
        assert unknown.json()["errors"][0]["pointer"] == "/calendar"
        calendar = await manager.patch("/v1/calendars/default", {"holiday_country": "DE"}, if_match='"1"')
        assert (calendar.status_code, "2026-12-25" in calendar.json()["holidays"]) == (200, True), calendar.text
        odd = await manager.patch("/v1/calendars/default", {"holiday_country": "XX"}, if_match='"2"')
        assert odd.json()["errors"][0]["pointer"] == "/holiday_country"
        owner = await manager.put(f"/v1/account-owners/{rep_id('acme')}", {"rep_id": str(rep_id("nobody"))})
        assert owner.status_code == 422
        rep = await manager.put(f"/v1/reps/{rep_id('anna')}", {"name": "Anna", "languages": ["de"]})
        asked = {"rep_ids": [str(rep_id("nobody")), str(rep_id("anna"))]}
        known = await api.service().post("/internal/known-reps", asked)
        assert (known.status_code, known.json()) == (200, {"rep_ids": [str(rep_id("anna"))]})
        assert (await manager.post("/internal/known-reps", asked)).status_code == 403
        assert rep.status_code == 201
        owned = await manager.put(f"/v1/account-owners/{rep_id('acme')}", {"rep_id": str(rep_id("anna"))})
        assert owned.status_code == 201
        assert (await manager.get(f"/v1/account-owners/{rep_id('acme')}")).json()["rep_id"] == str(rep_id("anna"))
        listed = (await manager.get("/v1/reps")).json()["reps"]
        assert [each["languages"] for each in listed] == [["de"]]


async def test_a_pool_may_name_somebody_who_is_no_rep_yet(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        await world.agreement({"default": [member(rep_id("anna"))]})
        await world.take(identified("kim"), qualified("kim"))
        assert (await world.handoff_of(lead_id("kim"))).queue == "no_eligible_rep"
        manager = api.user(rep_id("boss"), "manager")
        assert (await manager.put(f"/v1/reps/{rep_id('anna')}", {"name": "Anna"})).status_code == 201
        await world.fire()
        assert (await world.handoff_of(lead_id("kim"))).owner_id == rep_id("anna")
        assert await world.gaps() == []


async def test_what_is_typed_with_a_touch_or_a_reassignment_stays_with_the_handoff(database_of: DatabaseOf) -> None:
    async with world_of(database_of) as world, callers(world) as api:
        anna, bert, team, boss = rep_id("anna"), rep_id("bert"), rep_id("team"), rep_id("boss")
        await world.reps(rep_row("anna", team_id=team), rep_row("bert", team_id=team))
        await world.agreement({"default": [member(anna)]})
        await world.take(identified("kim"), qualified("kim"))
        path = f"/v1/handoffs/{(await world.handoff_of(lead_id('kim'))).id}"
        manager = api.user(boss, "manager", team)
        etag = (await manager.get(path)).json()["etag"]
        given = await manager.post(f"{path}/reassign", {"rep_id": str(bert), "text": "speaks French"}, etag=etag)
        assert given.status_code == 200, given.text
        rep = api.user(bert, "rep")
        touched = await rep.post(f"{path}/touch", {"text": "call after ten"}, etag=given.json()["etag"])
        assert touched.status_code == 200, touched.text
        notes = [(each["about"], each["text"]) for each in (await rep.get(path)).json()["notes"]]
        assert sorted(notes) == [("reassign", "speaks French"), ("touch", "call after ten")]
