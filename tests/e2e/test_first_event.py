"""README, "Send a first event": the line that `baton source create` prints, as it stands, makes a person."""

import shlex

import httpx2
import pytest

from tests.e2e.command import baton, document_of
from tests.support.stack import BatonStack

pytestmark = pytest.mark.timeout(400)  # the first test pays for the start of the whole stack


async def test_the_printed_line_makes_a_lead(baton_stack: BatonStack) -> None:
    made = await baton(baton_stack, "source", "create", "website")
    assert made.returncode == 0, made.stderr
    words = shlex.split(made.stdout.partition("Send a first event:")[2].replace("\\\n", " "))
    assert words[:2] == ["curl", "-u"]
    key, url, body = words[2], words[3], words[words.index("-d") + 1]
    async with httpx2.AsyncClient(trust_env=False) as sender:
        answer = await sender.post(
            url, content=body, auth=(key.rstrip(":"), ""), headers={"content-type": "application/json"}
        )
    assert answer.status_code == 200, answer.text
    await baton_stack.quiet()
    found = await baton_stack.calls.call("ingest", "GET", "/v1/leads", params={"email": "kim@acme.example"})
    assert len(found["leads"]) == 1
    assert "website" in (await baton(baton_stack, "source", "list")).stdout
    assert (await document_of(baton_stack, "verify"))["ledger_gap"] == 0


async def test_an_unknown_sender_and_a_missing_secret_are_refused_by_field(baton_stack: BatonStack) -> None:
    unknown = await baton(baton_stack, "source", "create", "x", "--sender", "bogus")
    assert (unknown.returncode, "/sender: one of: " in unknown.stderr) == (3, True)
    unsigned = await baton(baton_stack, "source", "create", "x", "--sender", "sendgrid")
    assert (unsigned.returncode, "/secret: " in unsigned.stderr) == (3, True)
