"""What the routes share: the databases, keys and producer of the process."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from cryptography.fernet import MultiFernet
from fastapi import Depends, Request

from services.ingest.usecases.exporting import Ask, nobody_asked
from services.ingest.usecases.imports import Deliver
from services.ingest.usecases.mapping import Kept, nothing_kept
from services.ingest.usecases.normalise import KeyedHash
from shared.db.engine import Database

__all__ = ["Parts", "PartsOf"]


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the process that routes use.

    `refresh_directory` lets the door know a change at once; `kept` finds the last deliveries of a source; `ask` asks
    every other service what it keeps of a person.
    """

    database: Database
    hashed: KeyedHash
    wrapping: MultiFernet
    deliver: Deliver
    public_url: str
    refresh_directory: Callable[[], Awaitable[None]]
    kept: Kept = nothing_kept
    ask: Ask = nobody_asked


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsOf = Annotated[Parts, Depends(_parts)]
