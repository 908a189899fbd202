"""A real SMTP server that keeps what it received and refuses by the recipient's name or the text."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.places import free_ports
from services.handoff.outbound.mail import SmtpServer

__all__ = ["Inbox", "smtp_server"]


class Inbox:
    """What a real SMTP server received; it refuses by the name of the recipient."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("unknown@"):
            return "550 no such person"
        if address.startswith("busy@"):
            return "450 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        assert isinstance(envelope.content, bytes)
        self.received.append(envelope.content)
        return "554 refused" if b"spam" in envelope.content else "250 OK"


@contextmanager
def smtp_server() -> Iterator[tuple[SmtpServer, Inbox]]:
    """The server until the block ends."""
    inbox = Inbox()
    (port,) = free_ports(1)
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield SmtpServer("127.0.0.1", port), inbox
    finally:
        controller.stop()
