"""Sources and files as an operator handles them: by command, from the first key to the last; a file that is mended."""

from pathlib import Path

import pytest

from deploy.cli.exits import Exit
from deploy.local.operator import CallError
from shared.ids import new_id
from tests.e2e.command import baton, document_of
from tests.support.stack import BatonStack

pytestmark = pytest.mark.timeout(400)  # the first test pays for the start of the whole stack


async def test_a_source_is_made_rotated_revoked_and_ended_by_command(baton_stack: BatonStack) -> None:
    name = f"site-{new_id().hex[-8:]}"
    made = await document_of(baton_stack, "source", "create", name, "--origin", "https://www.example.com")
    turned = await document_of(baton_stack, "source", "rotate", name, "--overlap-hours", "1")
    await document_of(
        baton_stack, "source", "set", name, "--time-zone", "Europe/Berlin", "--add-origin", "https://b.example"
    )
    wrong = await baton(baton_stack, "source", "set", name, "--time-zone", "Mars/Olympus")
    assert (wrong.returncode, "IANA" in wrong.stderr) == (3, True)
    first, second = made["keys"][0], turned
    assert await _status(baton_stack, first["key"]) == await _status(baton_stack, second["key"]) == 200
    await document_of(baton_stack, "source", "revoke", name, first["id"])
    assert [await _status(baton_stack, key["key"]) for key in (first, second)] == [401, 200]
    await baton_stack.quiet()
    shown = await document_of(baton_stack, "source", "show", name)
    assert shown["settings"]["origins"] == ["https://www.example.com", "https://b.example"]
    assert (shown["settings"]["time_zone"], shown["standing"]["deliveries"]) == ("Europe/Berlin", 3)
    assert [bool(key["valid_until"]) for key in shown["keys"]] == [True, False]
    told = await baton(baton_stack, "source", "create", f"{name}-mail", "--sender", "sendgrid")
    assert (told.returncode, "secret" in told.stderr) == (3, True)
    again = await document_of(baton_stack, "replay", "deliveries", "--from", "2000-01-01T00:00Z", "--source", name)
    assert (again["state"], again["done"], again["failed"]) == ("done", 3, 0)
    assert (await document_of(baton_stack, "source", "delete", name, "--yes"))["deleted"]
    gone = await baton(baton_stack, "source", "show", name)
    assert (gone.returncode, "baton source list" in gone.stderr) == (4, True)


async def test_a_file_is_looked_at_imported_mended_and_imported_again(baton_stack: BatonStack, tmp_path: Path) -> None:
    mark = new_id().hex[-8:]
    file = tmp_path / "calls.csv"
    file.write_bytes(
        f"E-Mail;Type;Call date;Notes\r\nkim{mark}@acme.example;No answer;12.05.2026 14:30;später\r\n"
        f"lee{mark}@acme.example;Connected;soon;\r\n".encode("cp1252")
    )
    how = ("--set", "direction=sales", "--time-zone", "Europe/Berlin")
    looked = await document_of(baton_stack, "import", "activities", str(file), *how, "--preview")
    assert looked["refused"] == {"no_time": 1}
    assert looked["records"][0]["occurred_at"] == "2026-05-12T12:30:00Z"
    done = await document_of(baton_stack, "import", "activities", str(file), *how, code=Exit.IN_PART)
    assert (done["activities"], done["refused"], "Windows-1252" in done["note"]) == (1, 1, True)
    rejects = Path(done["rejects_file"])
    _mend(rejects)
    mended = await document_of(baton_stack, "import", "activities", str(rejects), *how)
    assert (mended["activities"], mended["refused"], mended["rejects_file"]) == (1, 0, None)

    spend = tmp_path / "spend.csv"
    spend.write_text(f"Campaign;Month;Cost;Currency\n{mark};2026-06;300.00;EUR\n", encoding="utf-8")
    assert (await document_of(baton_stack, "import", "spend", str(spend), "--preview"))["refused"] == []
    assert (await document_of(baton_stack, "import", "spend", str(spend)))["taken"] == 1


async def _status(stack: BatonStack, key: str) -> int:
    """What the door answers to an event with this key."""
    body = {"event": "Got Quote", "userId": "u1", "messageId": str(new_id())}
    try:
        answer = await stack.calls.send(
            "ingest", "POST", "/v1/track", body=body, headers={"x-write-key": key}, signed=False
        )
    except CallError as error:
        return error.status
    return answer.status_code


def _mend(rejects: Path) -> None:
    said = rejects.read_text(encoding="utf-8")
    rejects.write_text(said.replace("soon", "12.05.2026 15:00"), encoding="utf-8")
