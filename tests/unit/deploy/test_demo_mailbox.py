"""The demo's mail server takes what a real client sends."""

from email.message import EmailMessage

import aiosmtplib

from deploy.demo.mailbox import open_mailbox
from deploy.local.places import free_ports


async def test_a_real_client_delivers_its_mails() -> None:
    message = EmailMessage()
    message["from"], message["to"], message["subject"] = "baton@nordlicht.example", "anna@nordlicht.example", "New lead"
    message.set_content("A line that begins with a dot:\n.dot\n")
    port = free_ports(1)[0]
    async with open_mailbox(port) as mailbox:
        for _ in range(2):
            await aiosmtplib.send(message, hostname="127.0.0.1", port=port)
        assert mailbox.received == 2
