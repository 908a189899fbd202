"""One suite over every outbound destination: what a new file in outbound/ must keep."""

import ast
import importlib
import inspect
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from services.handoff import outbound
from services.handoff.domain.dispatch import Answer, Outcome
from services.handoff.outbound import ingest, mail, webhook
from shared.errors import AppError, Busy, Forbidden, NotFound, Refused

FOLDER = Path(outbound.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
SAMPLES = Path(__file__).parents[2] / "samples" / "outbound"
MODULES = [importlib.import_module(f"services.handoff.outbound.{name}") for name in NAMES]
every_destination = pytest.mark.parametrize("module", MODULES, ids=NAMES)
AT = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)
LEAD = UUID(int=7)


class Scripted:
    """Every kind of client at once, which answers or raises as told."""

    def __init__(self, result: Answer | AppError | None = None) -> None:
        self.result = result
        self.sent: list[Any] = []

    async def post(self, url: str, *, content: bytes, headers: Mapping[str, str]) -> Answer:
        self.sent.append((url, content, dict(headers)))
        assert isinstance(self.result, Answer)
        return self.result

    async def deliver(self, message: EmailMessage) -> Answer:
        self.sent.append(message)
        assert isinstance(self.result, Answer)
        return self.result

    async def call(self, method: str, path: str, **named: Any) -> Any:  # noqa: ANN401 - JSON
        self.sent.append((method, path, named["json"]))
        if isinstance(self.result, AppError):
            raise self.result


async def send(name: str, client: Scripted) -> Answer:
    """One message of each destination through the client."""
    match name:
        case "webhook":
            request = webhook.request_of(
                url="https://a.example", webhook_id=LEAD, body=b"{}", secrets=["whsec_" + "QUJD" * 11], sent_at=AT
            )
            return await webhook.send(request, client)
        case "mail":
            card = mail.Card(what="assigned", link="https://b.example")
            message = mail.render(
                card, person=None, to="a@b.example", sender="c@d.example", message_id=LEAD, sent_at="Wed, 10 Jun 2026"
            )
            return await mail.send(message, client)
        case "ingest":
            return await ingest.send(ingest.render(LEAD), client)
        case _:
            raise AssertionError(f"{name} is new: send one of its messages here")


@every_destination
def test_it_renders_purely_and_sends_through_the_client_it_is_given(module: ModuleType) -> None:
    assert module.__doc__
    assert not inspect.iscoroutinefunction(module.render)
    assert inspect.iscoroutinefunction(module.send)
    assert len(inspect.signature(module.send).parameters) == 2


@every_destination
def test_it_says_nothing_in_logs_and_opens_no_database(module: ModuleType) -> None:
    tree = ast.parse(Path(inspect.getfile(module)).read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    forbidden = ("structlog", "logging", "shared.telemetry", "shared.db", "sqlalchemy", "shared.clock", "httpx2")
    assert not {name for name in imported if name.startswith(forbidden)}


@every_destination
async def test_success_is_delivered_once(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    client = Scripted(Answer(Outcome.DELIVERED, status=200))
    assert (await send(name, client)).outcome is Outcome.DELIVERED
    assert len(client.sent) == 1


@pytest.mark.parametrize("name", ["webhook", "mail"])
@pytest.mark.parametrize("status", [301, 400, 404, 429, 500, 503])
async def test_a_refusal_is_an_answer_with_what_the_receiver_asked_for(name: str, status: int) -> None:
    told = Answer(Outcome.REFUSED, status=status, retry_after=("120",), date="Wed, 10 Jun 2026 09:00:00 GMT")
    assert await send(name, Scripted(told)) == told


@pytest.mark.parametrize("name", ["webhook", "mail"])
async def test_silence_is_an_answer(name: str) -> None:
    silent = Answer(Outcome.UNANSWERED, error="ConnectTimeout")
    assert await send(name, Scripted(silent)) == silent


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Busy("later"), Outcome.UNANSWERED),
        (NotFound("none"), Outcome.NOT_SENT),
        (Refused("no"), Outcome.NOT_SENT),
        (Forbidden("no"), Outcome.NOT_SENT),
    ],
)
async def test_a_command_to_ingest_is_tried_again_only_where_that_may_help(error: AppError, outcome: Outcome) -> None:
    assert (await send("ingest", Scripted(error))).outcome is outcome


@pytest.mark.parametrize("name", ["webhook", "mail"])
def test_there_are_golden_samples(name: str) -> None:
    assert len(list((SAMPLES / name).glob("*.json"))) >= 3


@pytest.mark.parametrize("name", ["webhook", "mail"])
async def test_the_same_message_carries_the_same_id(name: str) -> None:
    client = Scripted(Answer(Outcome.DELIVERED, status=200))
    for _ in range(2):
        await send(name, client)
    ids = [str(one["message-id"]) if isinstance(one, EmailMessage) else one[2]["webhook-id"] for one in client.sent]
    assert ids[0] == ids[1]
    assert str(LEAD) in ids[0]
