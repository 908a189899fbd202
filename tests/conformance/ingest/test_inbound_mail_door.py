"""Mails through sockets: up to 10 MiB with their attachments, above it 413 before the rest is read."""

import json

from services.ingest.adapters import ADAPTERS
from services.ingest.collector import SourceDirectory
from services.ingest.domain.source import SourceSettings
from shared import clock
from tests.conformance.ingest.signing import request_to
from tests.conformance.ingest.webhook_sources import post, source_of, url_of
from tests.integration.ingest.door import door_before

MIB = 1024 * 1024
HEADERS = "From: Kim <kim@acme.example>\r\nMessage-ID: <r1@acme.example>\r\nIn-Reply-To: <m1@out.example.test>\r\n"


def mail(attachment_bytes: int) -> bytes:
    fields = [("headers", HEADERS), ("from", "Kim <kim@acme.example>"), ("text", "Yes.\r\n\r\n> Shall we talk?")]
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields]
    file = '--b\r\nContent-Disposition: form-data; name="attachment1"; filename="plan.pdf"\r\n\r\n'
    return "".join((*parts, file)).encode() + bytes(attachment_bytes) + b"\r\n--b--\r\n"


async def test_a_mail_of_nine_mebibytes_is_kept_and_one_of_eleven_is_refused(kafka: str, topic_prefix: str) -> None:
    directory = SourceDirectory()
    directory.replace([source_of("sendgrid_parse"), source_of("typeform", "x")], [], read_at=clock.monotonic())
    content_type = {"content-type": "multipart/form-data; boundary=b"}
    async with door_before(kafka, topic_prefix, directory=directory) as door:
        answers = [
            await post(door, request_to(url_of("sendgrid_parse"), content_type, mail(size * MIB)))
            for size in (0, 9, 11)
        ]
        answers.append(await post(door, request_to(url_of("typeform"), {}, mail(2 * MIB))))
        records = await door.records()
    assert [one.status_code for one in answers] == [200, 200, 413, 413]
    assert sorted(len(record.value) // MIB for record in records) == [0, 9]
    for record in records:
        said = json.loads(dict(record.headers)["request"])
        request = request_to(url_of("sendgrid_parse"), said["headers"], record.value)
        (found,) = ADAPTERS["sendgrid_parse"].parse(request, SourceSettings()).observations
        assert (said["verified_by"], found.kind, found.texts.text) == ("address", "email_replied", "Yes.")
        assert found.touch.message == "m1@out.example.test"
