"""The routes: in view or 404, token seen or 428 and 409, one effect per key, refusals that name the field."""

from services.handoff.tables import handoff as handoff_table
from tests.integration.handoff.http import callers
from tests.integration.handoff.world import DatabaseOf, crew, member, world_of
from tests.support.builders.handoff import identified, lead_id, linked, qualified, rep_id


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
        nobody = await marketer.post("/v1/handoffs", {"lead_id": str(lead_id("nobody"))})
        assert nobody.status_code == 404
        assert "owner_id" in handoff_table.columns
