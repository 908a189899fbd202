"""One person through the whole loop, exported and erased by command: then nothing of them is found, byte by byte.

Everything the person is known by holds one mark that exists nowhere else (what a rep typed holds another), so a search
for the marks finds whatever was left behind: in a dump of every table, in Kafka's files, in logs, spool and copies.
"""

import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from shared.config import SERVICES
from shared.ids import new_id
from shared.web.auth import Principal
from tests.e2e.command import baton, document_of
from tests.e2e.life import Life, begin_life
from tests.support.stack import BatonStack

pytestmark = pytest.mark.timeout(400)  # the first test pays for the start of the whole stack

_TABLES = """
    select format('%I.%I', schemaname, tablename) from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema') order by 1
"""
_SUPPRESSED = "select coalesce(sum(suppressed), 0)::int from delivery_result"


class Person:
    """Six identifiers and what else is personal; `said` holds every text that an export must show."""

    def __init__(self, life: Life) -> None:
        self.mark = f"canary{new_id().hex[-12:]}"
        self.typed = f"typed{new_id().hex[-12:]}"  # by a rep: it stands in handoff's own row until the erasure
        self.phone = f"+49301{new_id().int % 10**9:09d}"
        self.email, self.second = f"kim.{self.mark}@{life.domain}", f"k.{self.mark}@second-{life.domain}"
        self.user_id, self.anonymous_id = f"user-{self.mark}", f"anon-{self.mark}"
        self.external_id = f"003{new_id().hex}"  # names a row of the CRM and nothing else: it travels, as all ids do
        self.url = f"https://www.example.test/pricing?who={self.mark}-url"
        self.texts = [f"{self.mark} {part}" for part in ("name", "title", "note", "question", "answer", "wording")]

    @property
    def marks(self) -> list[str]:
        return [self.mark, self.phone.lstrip("+")]

    @property
    def said(self) -> list[str]:
        ids = [self.email, self.second, self.phone, self.external_id]
        return [*ids, self.url, *self.texts, self.typed]


async def test_an_erased_person_is_found_in_no_byte_that_is_kept(baton_stack: BatonStack, tmp_path: Path) -> None:
    life = await begin_life(baton_stack)
    kim = Person(life)
    lead_id = await goes_through_the_loop(life, kim)
    await life.comes("lee", "Demo Requested")  # a colleague, of the same account

    # Before: at home in ingest, nowhere else.
    assert await tables_with(baton_stack, "ingest", kim.marks) != []
    for service in SERVICES[1:]:
        assert await tables_with(baton_stack, service, kim.marks) == []
    assert files_with(baton_stack, kim.marks) == []
    assert any(kim.mark.encode() in content_of(file) for file in deliveries(baton_stack)), "the search finds bytes"

    file = tmp_path / "kim.json"
    exported = await baton(baton_stack, "export", "--external", f"crm:{kim.external_id}", "--out", str(file))
    assert exported.returncode == 0, exported.stderr
    document = file.read_text(encoding="utf-8")
    assert [one for one in kim.said if one not in document] == []
    assert "lee-" not in document
    assert file.stat().st_mode & 0o077 == 0
    found = json.loads(document)
    assert found["score"]["reasons"]
    assert {one["kind"] for one in found["identifiers"]} == {"email", "phone", "external", "crm", "user", "anonymous"}
    assert (len(found["handoffs"]), bool(found["outcomes"])) == (1, True)

    erased = await document_of(baton_stack, "erase", "--phone", kim.phone, "--yes")
    assert lead_id in erased["lead_ids"]
    assert sorted(erased["lead_ids"]) == sorted(found["lead_ids"]), "every member"
    await baton_stack.quiet()
    await nothing_is_left(baton_stack, kim)
    again = await baton(baton_stack, "erase", "--email", kim.email, "--yes")
    assert (again.returncode, "Nothing to do" in again.stdout) == (0, True)
    gone = await baton(baton_stack, "export", "--email", kim.second)
    assert (gone.returncode, "Nobody" in gone.stderr) == (3, True)

    # What comes later is counted, tied to nobody and kept nowhere.
    before = await value(baton_stack, "ingest", _SUPPRESSED)
    who = {"userId": kim.user_id, "anonymousId": kim.anonymous_id}
    await life.send([{"type": "identify", "traits": {"email": kim.email, "name": kim.texts[0]}, **who}])
    await life.send([{"type": "page", "properties": {"url": kim.url}, "anonymousId": kim.anonymous_id}])
    await baton_stack.quiet()
    assert await value(baton_stack, "ingest", _SUPPRESSED) == before + 2
    await nothing_is_left(baton_stack, kim)
    assert (await document_of(baton_stack, "verify"))["ledger_gap"] == 0
    assert (await document_of(baton_stack, "replay-decision"))["differing"] == []


async def goes_through_the_loop(life: Life, kim: Person) -> str:
    """Known by six identifiers, asks for a demo, is worked by a rep and recycled; the id of the lead."""
    stack = life.stack
    name, title, note, question, answer, wording = kim.texts
    claim = {"consent": "granted", "is_own_act": True, "wording": wording}
    made = await stack.calls.call(
        "ingest",
        "POST",
        "/v1/leads",
        body={
            "email": kim.email, "phone": kim.phone, "user_id": kim.user_id, "name": name, "title": f"VP Sales {title}",
            "note": note, "external": {"system": "crm", "id": kim.external_id},
            "consents": [{"purpose": purpose, **claim} for purpose in ("profiling", "contact")],
        },
    )  # fmt: skip
    other = await stack.calls.call("ingest", "POST", "/v1/leads", body={"email": kim.second, "name": name})
    await stack.calls.call("ingest", "POST", f"/v1/leads/{other['id']}/merge", body={"into_lead_id": made["id"]})
    await life.send([{"type": "page", "properties": {"url": kim.url}, "anonymousId": kim.anonymous_id}])
    who = {"userId": kim.user_id, "anonymousId": kim.anonymous_id}
    form = {"message": question, "answers": {"what for": answer, "question": question}, "url": kim.url}
    await life.send(
        [
            {"type": "identify", "traits": {"email": kim.email, "phone": kim.phone}, **who},
            {"type": "track", "event": "Form Submitted", "properties": form, **who},
            {"type": "track", "event": "Demo Requested", "properties": form, **who},
        ]
    )
    await stack.quiet()
    listed = await stack.calls.call("handoff", "GET", "/v1/handoffs", params={"lead_id": made["id"]})
    (handoff,) = listed["handoffs"]
    rep_id, manager = await rep_of(life), Principal("user", str(new_id()), "manager", new_id())
    path = f"/v1/handoffs/{handoff['id']}"
    for verb, body in (
        ("reassign", {"rep_id": rep_id, "text": f"{kim.typed} to you"}),
        ("accept", {}),
        ("touch", {"text": f"{kim.typed} called"}),
        ("dispose", {"disposition": "opportunity", "text": f"{kim.typed} will buy"}),
    ):
        seen = await stack.calls.call("handoff", "GET", path)
        by = manager if verb == "reassign" else Principal("user", rep_id, "rep", manager.team_id)
        await stack.calls.call(
            "handoff", "POST", f"{path}/{verb}", principal=by, body=body, headers={"if-match": seen["etag"]}
        )
        await stack.quiet()
    return str(made["id"])


async def rep_of(life: Life) -> str:
    """A rep who is always there."""
    rep_id, name = str(new_id()), f"always-{life.domain.partition('.')[0]}"
    hours = [[[0, 1440]] for _ in range(7)]
    await life.stack.calls.call("handoff", "POST", "/v1/calendars", body={"name": name, "zone": "UTC", "hours": hours})
    body = {"name": "Priya Nair", "email": f"priya@{life.domain}", "calendar": name}
    await life.stack.calls.call("handoff", "PUT", f"/v1/reps/{UUID(rep_id)}", body=body)
    return rep_id


async def nothing_is_left(stack: BatonStack, kim: Person) -> None:
    marks = [*kim.marks, kim.typed]
    assert {service: await tables_with(stack, service, marks) for service in SERVICES} == {one: [] for one in SERVICES}
    assert files_with(stack, marks) == []


async def tables_with(stack: BatonStack, service: str, marks: Iterable[str]) -> list[str]:
    """The tables of a service that hold one of the marks, as text or in octets."""
    needles = [needle for mark in marks for needle in (mark.lower().encode(), mark.encode().hex().encode())]
    found = []
    connection = await asyncpg.connect(stack.database_url(service))
    try:
        for (table,) in await connection.fetch(_TABLES):
            rows = io.BytesIO()
            await connection.copy_from_query(f"select row_to_json(t) from {table} t", output=rows)  # noqa: S608
            dumped = rows.getvalue().lower()
            found += [table for needle in needles if needle in dumped]
    finally:
        await connection.close()
    return found


def files_with(stack: BatonStack, marks: Iterable[str]) -> list[str]:
    """The files of the stack with one of the marks: Kafka's but those of `deliveries`, logs, spool, copy of sources.

    PostgreSQL's own are left out: its tables are dumped instead, as a backup would.
    """
    return [
        str(file)
        for file in files_of(stack)
        if not is_delivery(file) and any(mark.encode() in content_of(file) for mark in marks)
    ]


def deliveries(stack: BatonStack) -> list[Path]:
    """Kafka's files of the raw deliveries, which nobody edits and which are gone after 30 days."""
    return [file for file in files_of(stack) if is_delivery(file)]


def is_delivery(file: Path) -> bool:
    return file.parent.name.startswith("baton.deliveries-")


def files_of(stack: BatonStack) -> list[Path]:
    """Every file beside the data of PostgreSQL."""
    postgres = stack.state.postgres
    assert postgres is not None, "the stack runs its own PostgreSQL"
    found = []
    for folder, folders, names in os.walk(stack.home):
        folders[:] = [name for name in folders if Path(folder, name) != Path(postgres.data)]
        found += [Path(folder, name) for name in names]
    return found


def content_of(file: Path) -> bytes:
    """What it holds; nothing where it is gone: a broker at work writes its checkpoints anew and renames them."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


async def value(stack: BatonStack, service: str, statement: str) -> int:
    connection = await asyncpg.connect(stack.database_url(service))
    try:
        return int(await connection.fetchval(statement))
    finally:
        await connection.close()
