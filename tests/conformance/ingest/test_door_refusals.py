"""What a refusal of the door tells the sender: which part of the request, why, and what to send instead."""

from tests.integration.ingest.door import BROWSER_KEY, EVENTS_KEY, MAIL_ADDRESS, SERVER_KEY, door_before

EVENT = b'{"type": "track", "event": "Form Submitted", "userId": "u1", "messageId": "m1"}'
XML = b'<?xml version="1.0"?><event><userId>u1</userId></event>'


async def test_an_unproven_key_is_told_where_a_key_goes(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix) as door:
        without = await door.post("/v1/track", EVENT, key=None)
        wrong = await door.post("/v1/track", EVENT, key="nobody")
        malformed = await door.post("/v1/track", EVENT, key=None, authorization="Basic !!!")
        events = await door.post("/v1/events", b"{}", key="nobody")
        settings = await door.client.get("/v1/projects/nobody/settings")
    for answer in (without, wrong, malformed, events, settings):
        problem = answer.json()
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert problem["type"] == "/problems/not_proven"
    for answer in (without, wrong, malformed, events):
        problem = answer.json()
        assert [one["pointer"] for one in problem["errors"]] == ["header:authorization"]
        for way in ("Authorization: Bearer", "Basic", "X-Write-Key", "writeKey", "baton source"):
            assert way in problem["detail"]
    codes = [answer.json()["errors"][0]["code"] for answer in (without, wrong, malformed)]
    assert codes == ["missing", "unknown", "missing"]
    assert "nobody" not in wrong.text, "an answer repeats no key"


async def test_an_unproven_webhook_names_address_and_secret_alike(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix) as door:
        nowhere = await door.post("/webhooks/sendgrid/nowhere", b"[]")
        unsigned = await door.post(f"/webhooks/sendgrid/{MAIL_ADDRESS}", b"[]")
        no_sender = await door.post("/webhooks/nobody/nowhere", b"[]")
    assert nowhere.content == unsigned.content == no_sender.content
    assert "address" in nowhere.json()["detail"]
    assert "secret" in nowhere.json()["detail"]


async def test_another_method_is_405_and_names_those_that_work(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix) as door:
        answers = {
            path: [await door.client.request(method, path) for method in methods]
            for path, methods in {
                "/v1/track": ("GET", "PUT", "HEAD", "DELETE", "PATCH"),
                "/v1/batch": ("GET",),
                "/v1/events": ("GET",),
                "/v1/m": ("GET",),
                f"/v1/projects/{BROWSER_KEY}/settings": ("POST", "DELETE"),
                f"/webhooks/sendgrid/{MAIL_ADDRESS}": ("PUT", "DELETE"),
            }.items()
        }
        asked = await door.client.options("/v1/track")
    allowed = {path: {answer.headers.get("allow") for answer in listed} for path, listed in answers.items()}
    assert {answer.status_code for listed in answers.values() for answer in listed} == {405}
    assert allowed == {
        "/v1/track": {"POST, OPTIONS"},
        "/v1/batch": {"POST, OPTIONS"},
        "/v1/events": {"POST, OPTIONS"},
        "/v1/m": {"POST, OPTIONS"},
        f"/v1/projects/{BROWSER_KEY}/settings": {"GET, OPTIONS"},
        f"/webhooks/sendgrid/{MAIL_ADDRESS}": {"GET, HEAD, POST, OPTIONS"},
    }
    problem = answers["/v1/track"][0].json()
    assert (problem["status"], "POST" in problem["detail"]) == (405, True)
    assert asked.status_code != 405


async def test_a_body_that_is_no_json_is_told_what_to_send(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix) as door:
        looks = {
            "XML": [
                await door.post("/v1/track", XML, content_type="application/xml"),
                await door.post("/v1/batch", b"  \r\n" + XML),
                await door.post("/v1/events", XML, key=EVENTS_KEY, content_type="application/cloudevents+json"),
                await door.post(
                    "/v1/events",
                    XML,
                    key=EVENTS_KEY,
                    content_type="text/xml",
                    ce_id="1",
                    ce_source="/a",
                    ce_type="t",
                    ce_specversion="1.0",
                ),
            ],
            "empty": [await door.post("/v1/track", b""), await door.post("/v1/batch", b" ")],
            "form": [
                await door.post("/v1/track", b"userId=u1&event=x", content_type="application/x-www-form-urlencoded"),
                await door.post("/v1/batch", b"--x\r\nContent-Disposition: form-data", content_type="text/plain"),
            ],
            "not JSON": [await door.post("/v1/track", b"hello"), await door.post("/v1/batch", b'{"batch": [')],
        }
        records = await door.records()
    for word, answers in looks.items():
        for answer in answers:
            problem = answer.json()
            assert (answer.status_code, problem["type"]) == (400, "/problems/not_json"), answer.text
            assert word in problem["detail"], problem
            assert "Send" in problem["detail"], problem
            assert "JSON" in problem["detail"], problem
    assert records == []


async def test_an_encoding_we_do_not_read_names_its_header(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix) as door:
        answer = await door.post("/v1/track", EVENT, key=SERVER_KEY, content_encoding="br")
    problem = answer.json()
    assert (answer.status_code, problem["errors"][0]["pointer"]) == (415, "header:content-encoding")
