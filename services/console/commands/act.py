"""A person's command on a handoff, sent to the service that owns it with the token seen and a key made by the page.

The table says which fields of the form travel; empty ones stay home. What was answered comes back as one value: done,
lost the race (with the current state), or refused (with the reason in words).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.console.commands.owners import Owners
from shared.errors import AppError, Busy, NotFound, Stale, StillRunning
from shared.web.auth import Principal

__all__ = ["COMMANDS", "Outcome", "Pressed", "act", "body_of"]

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pressed:
    """One press of a button: which handoff, the token the page showed, the page's key, and the form."""

    command: str
    handoff_id: UUID
    token: int
    key: str
    form: Form
    pressed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command: `done`, `lost`, `refused`, or `away` (no answer); with the owner's words and state."""

    kind: str
    detail: str = ""
    current: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Command:
    """How one command is written: the last segment of its path, and its body from the form."""

    verb: str
    body: Callable[[Form], dict[str, Any]]
    tells_press: bool = False  # its owner takes when it was pressed, which may lie before it is sent


def _given(*names: str) -> Callable[[Form], dict[str, Any]]:
    def body(form: Form) -> dict[str, Any]:
        return {name: form[name] for name in names if form.get(name)}

    return body


def _nothing(_: Form) -> dict[str, Any]:
    return {}


COMMANDS: dict[str, _Command] = {
    "accept": _Command("accept", _nothing),
    "reject": _Command("reject", _given("reason_code", "sub_reason", "until_on", "text"), tells_press=True),
    "touch": _Command("touch", _given("kind", "text")),
    "pause": _Command("pause", _given("reason_code", "until_at")),
    "resume": _Command("resume", _nothing),
    "dispose": _Command("dispose", _given("disposition", "reason_code", "sub_reason", "until_on", "text")),
    "return": _Command("dispose", lambda _: {"disposition": "return"}),
    "reassign": _Command("reassign", _given("rep_id", "text")),
    "pull": _Command("pull", _nothing),
}


def body_of(command: str, form: Form) -> dict[str, Any]:
    """The JSON body of a command. Raises NotFound for one that does not exist."""
    if command not in COMMANDS:
        raise NotFound("There is no such command.")
    return COMMANDS[command].body(form)


async def act(owners: Owners, pressed: Pressed, *, principal: Principal) -> Outcome:
    """Send a command and say what became of it; a service that does not answer is a refusal with that reason."""
    body = body_of(pressed.command, pressed.form)
    if pressed.pressed_at is not None and COMMANDS[pressed.command].tells_press:
        body["pressed_at"] = pressed.pressed_at.isoformat()
    path = f"/v1/handoffs/{pressed.handoff_id}/{COMMANDS[pressed.command].verb}"
    headers = {"idempotency-key": pressed.key, "if-match": f'"{pressed.token}.0"'}
    try:
        answer = await owners.public["handoff"].call("POST", path, principal=principal, json=body, headers=headers)
    except Stale as error:
        return Outcome("lost", error.detail, error.current)
    except (Busy, StillRunning) as error:  # sent twice at once: the first has not ended, and will tell
        return Outcome("away", error.detail)
    except AppError as error:
        words = [error.detail, *(one.message for one in error.errors)]
        return Outcome("refused", " ".join(words))
    return Outcome("done", current=answer or {})
