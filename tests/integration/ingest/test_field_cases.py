"""Cases from the field that touch ingest (../shared/cases.md), each as the whole kind it stands for."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
import pytest_asyncio

from services.ingest.domain.csv_file import ROWS_PER_DELIVERY_MAX
from services.ingest.store.results import LEDGER
from shared.db.engine import reading
from shared.db.ledger import find_gaps
from tests.integration.ingest.counter import Counter, opened
from tests.integration.ingest.stage import AT, IngestStage, batch, identify, of_type, page, raw_event, track

SHEET = (
    b"email,company,note\r\n"
    b'kim@acme.example,"Acme, Inc.","called twice\nwants a ""demo"""\r\n'
    b',Beta Ltd,"no address\nhere"\r\n'
    b"lee@beta.example,Beta Ltd,ok\r\n"
)


@pytest_asyncio.fixture
async def counter(stage: IngestStage) -> AsyncIterator[Counter]:
    async with opened(stage) as made:
        yield made


async def _import(counter: Counter, body: bytes, *, kind: str = "leads") -> dict[str, object]:
    """Import a file, handle what it sent, and show it."""
    answer = await counter.call("POST", f"/v1/imports/{kind}", content=body, headers={"content-type": "text/csv"})
    assert answer.status_code == 202, answer.text
    await counter.handle_sent()
    shown: dict[str, object] = await counter.get(answer.headers["location"])
    return shown


# ------------------------------------------------------------------ 3: a cell with a break
@pytest.mark.parametrize("rows_before", [0, ROWS_PER_DELIVERY_MAX - 1, ROWS_PER_DELIVERY_MAX])
async def test_case_3_a_quoted_line_break_makes_no_record_wherever_the_file_is_cut(
    counter: Counter, rows_before: int
) -> None:
    before = b"".join(b"person%d@acme.example,Acme,before\r\n" % n for n in range(rows_before))
    header, _, rest = SHEET.partition(b"\r\n")
    body = header + b"\r\n" + before + rest
    first = await _import(counter, body)
    assert (first["state"], first["records"], first["leads_new"], first["refused"]) == (
        "handled",
        rows_before + 3,
        rows_before + 2,
        1,
    )
    assert first["rejects"] == [
        {
            "record": rows_before + 2,
            "reason": "no_identifier",
            "detail": "Give an e-mail, user_id, phone with +code or CRM id.",
        }
    ]
    kim = (await counter.get("/v1/leads?email=kim@acme.example"))["leads"][0]
    assert (kim["company"], kim["note"]) == ("Acme, Inc.", 'called twice\nwants a "demo"')
    again = await _import(counter, body)
    assert (again["id"], again["leads_new"]) == (first["id"], rows_before + 2)
    assert await counter.stage.one("select count(*) from lead") == rows_before + 2
    moved = await _import(counter, SHEET + b"new@acme.example,Acme,\r\n")
    assert (moved["leads_new"], moved["repeats"]) == (1, 2)


async def test_activities_of_a_file_happened_when_the_file_says(counter: Counter) -> None:
    badges = (
        b"email,kind,occurred_at,campaign,entry_channel\r\n"
        b"kim@acme.example,field_event_attended,2026-05-02T09:30:00Z,Expo,field_event\r\n"
        b"lee@acme.example,field_event_attended,yesterday,Expo,field_event\r\n"
        b"sam@acme.example,danced,2026-05-02T09:30:00Z,Expo,field_event\r\n"
    )
    shown = await _import(counter, badges, kind="activities")
    assert (shown["activities"], shown["refused"]) == (1, 2)
    assert await counter.stage.rows("select entry_channel, entered_at, campaign from lead") == [
        ("field_event", datetime(2026, 5, 2, 9, 30, tzinfo=UTC), "Expo")
    ]


async def test_a_file_that_is_no_csv_says_so_and_leaves_nothing(counter: Counter) -> None:
    for body, status in (
        (b"", 422),
        (b"email,email\r\na@b.example,x\r\n", 422),
        (b'email,note\r\na@b.example,"open\r\n', 400),
        (b"email\r\n\x81\xfe\r\n", 400),
    ):
        answer = await counter.call("POST", "/v1/imports/leads", content=body, headers={"content-type": "text/csv"})
        assert answer.status_code == status, answer.text
    refused = await counter.call("POST", "/v1/imports/leads", content=b"x", headers={"content-type": "image/png"})
    assert refused.status_code == 415
    assert counter.sent == []


async def test_a_quote_left_open_far_inside_a_file_leaves_nothing_half_done(counter: Counter) -> None:
    rows = b"".join(b"person%d@acme.example,ok\r\n" % n for n in range(2 * ROWS_PER_DELIVERY_MAX + 10))
    body = b"email,note\r\n" + rows + b'last@acme.example,"open\r\n'
    answer = await counter.call("POST", "/v1/imports/leads", content=body, headers={"content-type": "text/csv"})
    problem = answer.json()
    assert (answer.status_code, problem["errors"][0]["pointer"]) == (400, "/records/1011")
    assert "Record 1011 (line 1012)" in problem["detail"]
    assert counter.sent == []
    assert await counter.stage.one("select count(*) from import_job") == 0
    mended = await _import(counter, body.replace(b'"open', b"open"))
    assert (mended["records"], mended["state"]) == (1011, "handled")


# ------------------------------------------------------------------ 5: one browser, two people
SAM, KIM = "sam@vendor.example", "kim@acme.example"
SHARED_BROWSER = (
    page("https://www.example.test/", anonymousId="a1", message_id="1"),
    identify(userId=SAM, anonymousId="a1", message_id="2"),
    identify(userId=KIM, anonymousId="a1", message_id="3"),
    track("Demo Requested", anonymousId="a1", message_id="4"),
    identify(userId=SAM, anonymousId="a1", message_id="5"),
)


@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_a_shared_browser_never_merges_two_known_people(stage: IngestStage, *, is_one_batch: bool) -> None:
    if is_one_batch:
        await stage.send(*SHARED_BROWSER)
    else:
        for event in SHARED_BROWSER:
            await stage.send(event)
    sam, kim = await stage.lead_of("email", SAM), await stage.lead_of("email", KIM)
    assert await stage.rows("select count(*) from lead where parent_id is not null") == [(0,)]
    assert sam != kim
    assert await stage.lead_of("anonymous", "a1") == sam
    assert await stage.one("select sum(ambiguous) from delivery_result") == 2
    assert await stage.rows("select l.id from lead l join activity_text t on t.lead_id = l.id") == [(sam,)]
    demos = await stage.rows("select payload from outbox where payload like '%demo_requested%'")
    assert len(demos) == 1
    assert f'"member_id":"{kim}"' in demos[0][0]


# ------------------------------------------------------------------ 7: merge, ingest's half
async def test_merge_and_split_move_pointers_and_never_facts(counter: Counter) -> None:
    stage = counter.stage
    for name in ("a", "b"):
        await stage.send(
            identify(userId=name, traits={"email": f"{name}@acme.example"}),
            *(page("https://www.example.test/pricing", userId=name) for _ in range(2)),
        )
    one, other = await stage.lead_of("user", "a"), await stage.lead_of("user", "b")
    for moving, staying in ((other, one), (one, other)):
        await counter.call("POST", f"/v1/leads/{moving}/merge", json={"into_lead_id": str(staying)})
        late = await stage.send(track("Webinar Attended", userId="a"), track("Trial Started", userId="b"))
        members = {(one.kind, one.lead_id, one.member_id) for one in of_type(late, "activity.recorded")}
        assert members == {("webinar_attended", staying, one), ("trial_started", staying, other)}
        await counter.call("POST", f"/v1/leads/{moving}/split")
        apart = await stage.send(track("Webinar Attended", userId="a"), track("Trial Started", userId="b"))
        assert {(a.lead_id, a.member_id) for a in of_type(apart, "activity.recorded")} == {(one, one), (other, other)}
    async with reading(stage.database) as tx:
        assert await find_gaps(tx, LEDGER) == []


# ------------------------------------------------------------------ 21: the first touch
VISITS: Sequence[dict[str, object]] = (
    page("https://www.example.test/", at=AT, anonymousId="a1", message_id="v1"),
    page(
        "https://www.example.test/land?utm_source=ads&utm_campaign=june&gclid=AbC-9_x",
        at=AT + timedelta(days=3),
        anonymousId="a1",
        message_id="v2",
    ),
    track(
        "Demo Requested",
        at=AT + timedelta(days=3, minutes=5),
        anonymousId="a1",
        message_id="v3",
        properties={"email": "kim@acme.example"},
    ),
)


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_case_21_a_direct_first_visit_is_never_filled_by_a_later_ad(
    counter: Counter, order: tuple[int, ...]
) -> None:
    stage = counter.stage
    for index in order:
        await stage.handle(
            raw_event(batch(VISITS[index]), source_id=stage.source_id, received_at=AT + timedelta(days=4))
        )
    kim = (await counter.get("/v1/leads?email=kim@acme.example"))["leads"][0]
    assert (kim["traffic_source"], kim["campaign"], kim["first_page"]) == ("direct", None, "/")
    assert "gclid=AbC-9_x" in await stage.one("select url from activity_text where url like '%gclid%'")
    touched = await stage.rows("select payload from outbox where payload like '%page_view%' order by id")
    assert sorted('"traffic_source":"ads"' in row[0] for row in touched) == [False, True]


async def test_case_21_merge_split_and_replay_leave_the_first_touch_as_it_was(counter: Counter) -> None:
    stage, origin = counter.stage, ("traffic_source", "medium", "campaign", "first_referrer", "first_page")
    later = page(
        "https://www.example.test/pricing?utm_source=ads&utm_medium=cpc&utm_campaign=june",
        at=AT + timedelta(days=3),
        userId="late",
    )
    first = page("https://www.example.test/blog/one", at=AT, userId="early", message_id="first")
    context = {"page": {"url": "https://www.example.test/blog/one", "referrer": "https://news.example/story?x=1"}}
    await stage.send({**first, "context": context}, later, received_at=AT + timedelta(days=4))

    async def shown(kind: str) -> tuple[object, ...]:
        lead = await counter.get(f"/v1/leads/{await stage.lead_of('user', kind)}")
        return tuple(lead[name] for name in origin)

    early, late = await shown("early"), await shown("late")
    assert early == ("news.example", "referral", None, "news.example", "/blog/one")
    assert late == ("ads", "cpc", "june", None, "/pricing")
    moving, staying = await stage.lead_of("user", "late"), await stage.lead_of("user", "early")
    await counter.call("POST", f"/v1/leads/{moving}/merge", json={"into_lead_id": str(staying)})
    assert await shown("early") == early, "the first of the whole person"
    again = page("https://www.example.test/?utm_source=mail", at=AT + timedelta(days=5), userId="early")
    await stage.send({**first, "context": context}, later, again, received_at=AT + timedelta(days=6))
    assert await shown("early") == early, "what comes again or later changes nothing"
    await counter.call("POST", f"/v1/leads/{moving}/split")
    assert (await shown("early"), await shown("late")) == (early, late)


# ------------------------------------------------------------------ 23: a file and a withdrawal
async def test_case_23_no_file_subscribes_again_who_unsubscribed_or_was_erased(counter: Counter) -> None:
    stage = counter.stage
    for name in ("kim@acme.example", "lee@beta.example"):
        await stage.send(identify(userId=name, traits={"email": name}))
    unsubscribe = (
        b'[{"event":"unsubscribe","email":"kim@acme.example","timestamp":1781085600,"sg_event_id":"u1"}]'  # 2026-06-10
    )
    withdrawn = await stage.handle(
        raw_event(
            unsubscribe,
            source_id=stage.source_id,
            sender="sendgrid",
            path="/webhooks/sendgrid/x",
            verified_by="signature",
        )
    )
    assert {(one.purpose, one.consent, one.is_allowed) for one in of_type(withdrawn, "lead.consent_changed")} == {
        ("profiling", "withdrawn", False),
        ("contact", "withdrawn", False),
    }
    await counter.call("POST", "/v1/erasures", role="admin", json={"email": "lee@beta.example"})
    before = await stage.one("select count(*) from outbox where headers like '%consent_changed%'")
    sheets = (
        b"email,name\r\nkim@acme.example,Kim\r\n",
        b"email,consent,consent_at\r\nkim@acme.example,granted,2026-06-01T00:00:00Z\r\n",
        b"email,consent,consent_at,consent_wording\r\nkim@acme.example,granted,2026-06-11T00:00:00Z,I agree\r\n",
        b"email,name,consent\r\nlee@beta.example,Lee Canary,granted\r\n",
        b"email,consent,consent_purpose\r\nkim@acme.example,granted,profiling\r\n",
    )
    shown = [await _import(counter, sheet) for sheet in sheets]
    assert [one["conflicts"] for one in shown] == [0, 1, 1, 0, 1]
    assert shown[3]["suppressed"] == 1
    assert await stage.one("select count(*) from outbox where headers like '%consent_changed%'") == before
    kim = (await counter.get("/v1/leads?email=kim@acme.example"))["leads"][0]
    assert kim["consents"] == {"contact": "withdrawn", "profiling": "withdrawn"}
    assert (await counter.get("/v1/leads?email=lee@beta.example"))["leads"] == []
    assert await stage.one("select count(*) from profile where search_text like '%canary%'") == 0
    resubscribed = await stage.handle(
        raw_event(
            unsubscribe.replace(b"unsubscribe", b"group_resubscribe")
            .replace(b"u1", b"u2")
            .replace(b"1781085600", b"1781258400"),
            source_id=stage.source_id,
            sender="sendgrid",
            path="/webhooks/sendgrid/x",
            verified_by="signature",
        )
    )
    assert {one.is_allowed for one in of_type(resubscribed, "lead.consent_changed")} == {True}
