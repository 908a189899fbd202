"""The company's mail server of the demo: takes every mail, keeps none, counts them. The RFC 5321 that a client needs.

So that reps are told as they would be; it is gone when the story is told.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

__all__ = ["Mailbox", "open_mailbox"]

_ANSWERS = {b"EHLO": b"250 demo", b"HELO": b"250 demo", b"QUIT": b"221 bye", b"DATA": b"354 go on"}
_END_OF_MAIL = b"\r\n.\r\n"


@dataclass(slots=True)
class Mailbox:
    """How many mails came."""

    received: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        try:
            await self._say(writer, b"220 demo")
            command = b""
            while command != b"QUIT":
                line = await reader.readline()
                if not line:
                    return
                command = line[:4].upper()
                await self._say(writer, _ANSWERS.get(command, b"250 ok"))
                if command == b"DATA":
                    await reader.readuntil(_END_OF_MAIL)
                    self.received += 1
                    await self._say(writer, b"250 kept")
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client went away: it will say so itself
        finally:
            writer.close()

    @staticmethod
    async def _say(writer: asyncio.StreamWriter, line: bytes) -> None:
        writer.write(line + b"\r\n")
        await writer.drain()


@asynccontextmanager
async def open_mailbox(port: int) -> AsyncIterator[Mailbox]:
    """A mailbox that listens on this port of 127.0.0.1."""
    mailbox = Mailbox()
    server = await asyncio.start_server(mailbox.serve, "127.0.0.1", port)
    try:
        yield mailbox
    finally:
        server.close()
