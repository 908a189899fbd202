"""Each sender through sockets: its exact answer and one record, nothing for what is forged, and its handshakes."""

import asyncio
import gzip
import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

from services.ingest.adapters import ADAPTERS, plain_request
from services.ingest.collector import SourceDirectory
from services.ingest.collector.certificates import Certificates
from services.ingest.collector.directory import GONE_FOR
from shared import clock
from shared.ids import derived_id
from shared.senders import InboundRequest
from tests.conformance.ingest.forgeries import forgeries
from tests.conformance.ingest.signing import SIGNINGS, request_to
from tests.conformance.ingest.signing import mailgun as mailgun_signing
from tests.conformance.ingest.signing import ses as ses_signing
from tests.conformance.ingest.webhook_sources import (
    UNKNOWN,
    Shelf,
    address_of,
    all_sources,
    post,
    signed_now,
    source_of,
    sources_of_all,
    url_of,
)
from tests.integration.ingest.door import Door, door_before

FETCHED = {url: body for one in SIGNINGS.values() for url, body in one.fetched.items()}
FORGED_OF_EACH = 12
AT_ONCE = 16
ROTATED = 512


def _certificates() -> Certificates:
    return Certificates(Shelf(FETCHED))


async def _verified(door: Door) -> Counter[tuple[str, str]]:
    """(sender, verified_by) of all records."""
    said = [json.loads(dict(record.headers)["request"]) for record in await door.records()]
    return Counter((one["sender"], one["verified_by"]) for one in said)


async def test_each_sender_signed_now_gets_its_exact_answer_and_is_kept_once(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix, directory=sources_of_all(), certificates=_certificates()) as door:
        for name in SIGNINGS:
            reply, answer = ADAPTERS[name].REPLY, await post(door, signed_now(name))
            said = (answer.status_code, answer.content, answer.headers["content-type"])
            assert said == (reply.status, reply.body, reply.content_type), name
        kept = await _verified(door)
    proofs = {name: ADAPTERS[name].PROOF for name in SIGNINGS}
    assert kept == Counter((name, "shared_secret" if proof == "address" else proof) for name, proof in proofs.items())


async def test_nothing_forged_is_kept_and_wrong_unsigned_and_unknown_look_alike(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix, directory=sources_of_all(), certificates=_certificates()) as door:
        expected = (await post(door, signed_now("sendgrid"), address=UNKNOWN)).content
        for name, signing in SIGNINGS.items():
            door.directory.replace(all_sources(), [], read_at=clock.monotonic())  # as its loop does all the time
            right = signed_now(name)
            sendable = [one for one in forgeries(signing, right) if _is_sendable(one) and one.url == right.url]
            step = max(1, len(sendable) // FORGED_OF_EACH)
            wrong, asked = sendable[::step], right._replace(method="GET", body=b"")
            if ADAPTERS[name].handshake(asked, []) is None:
                wrong.append(asked)
            if right.headers.keys() - {"content-type"}:  # some prove themselves inside the body
                wrong.append(right._replace(headers={}))
            answers = [await post(door, one) for one in wrong]
            answers.append(await post(door, right, address=UNKNOWN))
            answers += [await post(door, signed_now(name, seconds=away)) for away in _too_far(name)]
            alike = {one.content for one in answers if one.status_code == 401}
            others = {one.status_code for one in answers if one.status_code != 401}
            assert alike == {expected}, name
            assert others <= {400, 403, 405}, name  # unreadable, a subscription that is refused, another method
        assert await door.records() == []


def _is_sendable(request: InboundRequest) -> bool:
    """Whether a client can put it on the wire: headers of plain signs, none at the edges."""
    return all(value.isascii() and value.isprintable() and value == value.strip() for value in request.headers.values())


def _too_far(sender: str) -> list[float]:
    """Seconds that are too long ago, and too far ahead (some more, since time goes on)."""
    seconds = SIGNINGS[sender].tolerance_seconds
    return [] if seconds is None else [-seconds - 1, seconds + 30]


async def test_a_mere_address_is_enough_only_where_a_sender_has_nothing_else(kafka: str, topic_prefix: str) -> None:
    open_senders = {name for name, one in ADAPTERS.items() if one.PROOF == "address"} & SIGNINGS.keys()
    async with door_before(kafka, topic_prefix, directory=sources_of_all(with_secrets=False)) as door:
        for name in SIGNINGS:
            bare = signed_now(name)._replace(headers={"content-type": signed_now(name).headers["content-type"]})
            answer = await post(door, bare)
            assert answer.status_code == (ADAPTERS[name].REPLY.status if name in open_senders else 401), name
            assert (await post(door, bare, address=UNKNOWN)).status_code == 401, name
        for name in ("segment", "cloudevents", "csv_leads", "csv_activities"):
            assert (await door.post(f"/webhooks/{name}/{address_of(name)}", b"[]")).status_code == 401, name
        assert set(await _verified(door)) == {(name, "address") for name in open_senders}


async def test_an_address_whose_secret_was_ended_or_lost_is_not_open_again(kafka: str, topic_prefix: str) -> None:
    named = [name for name, one in ADAPTERS.items() if one.PROOF == "address" and name in SIGNINGS]
    lost, ended = SourceDirectory(), SourceDirectory()
    lost.replace([replace(source_of(name), has_secret=True) for name in named], [], read_at=clock.monotonic())
    over = [clock.now() - timedelta(days=1)]
    ended.replace([source_of(name, "old", valid_until=over) for name in named], [], read_at=clock.monotonic())
    assert named
    for directory in (lost, ended):
        async with door_before(kafka, topic_prefix, directory=directory) as door:
            for name in named:
                bare = signed_now(name)._replace(headers={"content-type": signed_now(name).headers["content-type"]})
                assert (await post(door, bare)).status_code == 401, name


async def test_a_source_deleted_on_purpose_is_410_for_thirty_days_and_then_unknown(
    kafka: str, topic_prefix: str
) -> None:
    directory, now = SourceDirectory(), clock.now()
    secret = SIGNINGS["postmark"].secret
    async with door_before(kafka, topic_prefix, directory=directory) as door:
        answers = []
        for ago in (timedelta(minutes=1), GONE_FOR - timedelta(minutes=1), GONE_FOR + timedelta(minutes=1)):
            directory.replace([source_of("postmark", secret, deleted_at=now - ago)], [], read_at=clock.monotonic())
            answers.append((await post(door, signed_now("postmark"))).status_code)
        assert answers == [410, 410, 401]
        assert await door.records() == []


async def test_two_secrets_are_valid_while_one_is_rotated_and_the_old_one_ends(kafka: str, topic_prefix: str) -> None:
    old, new = "mailgun-old-key", "mailgun-new-key"
    soon, past = clock.now() + timedelta(minutes=10), clock.now() - timedelta(seconds=1)
    steps = [
        [source_of("mailgun", old)],
        [source_of("mailgun", old, new, valid_until=[soon])],
        [source_of("mailgun", new, old, valid_until=[None, soon])],
        [source_of("mailgun", old, new, valid_until=[soon])],
    ]
    directory = SourceDirectory()
    directory.replace(steps[0], [], read_at=clock.monotonic())
    async with door_before(kafka, topic_prefix, directory=directory) as door:

        async def deliver(number: int) -> int:
            if number % AT_ONCE == 0:  # while the others are on their way
                directory.replace(steps[4 * number // ROTATED], [], read_at=clock.monotonic())
            secret = old if number < ROTATED // 2 or number % 2 else new
            return (await post(door, _mailgun(secret))).status_code

        statuses: list[int] = []
        for first in range(0, ROTATED, 4 * AT_ONCE):
            statuses += await asyncio.gather(*(deliver(number) for number in range(first, first + 4 * AT_ONCE)))
        directory.replace([source_of("mailgun", old, new, valid_until=[past])], [], read_at=clock.monotonic())
        ended = [(await post(door, _mailgun(secret))).status_code for secret in (old, new)]
    assert Counter(statuses) == {200: ROTATED}
    assert ended == [401, 200]


def _mailgun(secret: str) -> InboundRequest:
    return mailgun_signing.sign(mailgun_signing.BODY, secret, clock.now().timestamp(), url=url_of("mailgun"))


async def test_a_token_of_mailgun_is_good_for_one_body_alone(kafka: str, topic_prefix: str) -> None:
    async with door_before(kafka, topic_prefix, directory=sources_of_all()) as door:
        right = signed_now("mailgun")
        forged = right._replace(body=right.body.replace(b"kim@acme.example", b"eve@acme.example"))
        statuses = [(await post(door, one)).status_code for one in (right, right, forged, right)]
        records = await door.records()
    assert statuses == [200, 200, 401, 200]
    assert {record.value for record in records} == {right.body}


async def test_a_token_of_an_account_is_good_for_one_body_at_all_its_sources(kafka: str, topic_prefix: str) -> None:
    """One captured proof must not sign another body at a second source that has the same signing key."""
    mail = source_of("mailgun", mailgun_signing.SECRET)
    second = replace(mail, id=derived_id("source", "second"), address="second")
    routes = source_of("mailgun_routes", mailgun_signing.SECRET)
    directory = SourceDirectory()
    directory.replace([mail, second, routes], [], read_at=clock.monotonic())
    async with door_before(kafka, topic_prefix, directory=directory) as door:
        right = _mailgun(mailgun_signing.SECRET)
        forged = right._replace(body=right.body.replace(b"kim@acme.example", b"eve@acme.example"))
        proof = json.loads(right.body)["signature"]
        reply = urlencode({**proof, "from": "eve@acme.example", "Message-Id": "<r@acme.example>"}).encode()
        form = {"content-type": "application/x-www-form-urlencoded"}
        statuses = [
            (await post(door, right)).status_code,
            (await post(door, right, address="second")).status_code,
            (await post(door, forged, address="second")).status_code,
            (await post(door, request_to(url_of("mailgun_routes"), form, reply))).status_code,
        ]
        records = await door.records()
    assert statuses == [200, 200, 401, 401]
    assert {record.value for record in records} == {right.body}


async def test_a_packed_body_is_kept_as_it_came_and_one_that_cannot_be_unpacked_is_unreadable(
    kafka: str, topic_prefix: str
) -> None:
    right = signed_now("postmark")
    packed = right._replace(body=gzip.compress(right.body), headers={**right.headers, "content-encoding": "gzip"})
    async with door_before(kafka, topic_prefix, directory=sources_of_all()) as door:
        kept = await post(door, packed)
        broken = await post(door, packed._replace(body=packed.body[:-4]))
        other = await post(door, packed._replace(headers={**packed.headers, "content-encoding": "br"}))
        records = await door.records()
    assert [one.status_code for one in (kept, broken, other)] == [200, 400, 415]
    assert {record.value for record in records} == {packed.body}
    said = json.loads(dict(records[0].headers)["request"])
    assert said["headers"]["content-encoding"] == "gzip"
    bare = InboundRequest("POST", right.path, "", said["headers"], records[0].value)
    assert plain_request(ADAPTERS["postmark"], bare).body == right.body


# --------------------------------------------------------------------------------------------------------- Handshakes
async def test_mandrill_and_mailchimp_find_their_addresses(kafka: str, topic_prefix: str) -> None:
    empty = SIGNINGS["mandrill"].sign(b"mandrill_events=%5B%5D", "test-webhook", 0, url=url_of("mandrill"))
    async with door_before(kafka, topic_prefix, directory=sources_of_all()) as door:
        answers = [
            await door.client.head(f"/webhooks/mandrill/{address_of('mandrill')}"),
            await post(door, empty),
            await door.client.get(f"/webhooks/mailchimp/{address_of('mailchimp')}"),
            await door.client.head(f"/webhooks/mailchimp/{address_of('mailchimp')}"),
        ]
        unknown = [
            await door.client.head(f"/webhooks/mandrill/{UNKNOWN}"),
            await post(door, empty, address=UNKNOWN),
            await door.client.get(f"/webhooks/mailchimp/{UNKNOWN}"),
            await post(door, empty._replace(body=b"mandrill_events=%5B1%5D")),
        ]
        records = await door.records()
    assert [one.status_code for one in answers] == [200] * 4
    assert [one.status_code for one in unknown] == [401] * 4
    assert records == []


async def test_a_subscription_of_sns_is_confirmed_on_its_own_host_for_the_expected_topic(
    kafka: str, topic_prefix: str
) -> None:
    topic, host = ses_signing.SOURCE_SECRET, "https://sns.eu-central-1.amazonaws.com"
    confirm, elsewhere = (
        f"{host}/?Action=ConfirmSubscription&Token=t",
        "https://evil.example/?Action=ConfirmSubscription",
    )
    shelf = Shelf({**FETCHED, confirm: b"<ConfirmSubscriptionResponse/>"})
    async with door_before(kafka, topic_prefix, directory=sources_of_all(), certificates=Certificates(shelf)) as door:
        right = [await post(door, _confirmation(topic, confirm, version)) for version in ("1", "2")]
        asked = list(shelf.asked)
        off_host = await post(door, _confirmation(topic, elsewhere))
        other_topic = await post(door, _confirmation(f"{topic}-of-others", confirm))
        away = await post(door, _confirmation(topic, f"{host}/?Action=ConfirmSubscription&Token=gone"))
        records = await door.records()
    assert [one.status_code for one in right] == [200, 200]
    assert asked == [ses_signing.CERTIFICATE_URL, confirm, confirm], "a certificate is fetched once"
    assert (off_host.status_code, other_topic.status_code, away.status_code) == (200, 401, 200)
    assert elsewhere not in shelf.asked
    assert records == []


def _confirmation(topic: str, url: str, version: str = "2") -> InboundRequest:
    fields = {
        "Type": "SubscriptionConfirmation",
        "MessageId": "1",
        "Token": "t",
        "Message": "Confirm.",
        "SubscribeURL": url,
    }
    return ses_signing.envelope(fields, topic=topic, now=clock.now().timestamp(), url=url_of("ses"), version=version)


async def test_a_certificate_lies_on_the_host_of_sns_alone_and_a_host_that_is_away_is_waited_for(
    kafka: str, topic_prefix: str
) -> None:
    right, shelf = signed_now("ses"), Shelf({})
    own = ses_signing.CERTIFICATE_URL.encode()
    async with door_before(kafka, topic_prefix, directory=sources_of_all(), certificates=Certificates(shelf)) as door:
        for other in (
            b"https://sns.eu-central-1.amazonaws.com.evil.example/SimpleNotificationService-0.pem",
            b"https://evil.example/SimpleNotificationService-0.pem",
            b"http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0.pem",
            b"https://sns.eu-central-1.amazonaws.com@evil.example/SimpleNotificationService-0.pem",
            b"https://sns.eu-central-1.amazonaws.com:444/SimpleNotificationService-0.pem",
            b"https://sns.eu-central-1.amazonaws.com/../SimpleNotificationService-0.pem",
            b"https://s3.eu-central-1.amazonaws.com/SimpleNotificationService-0.pem",
        ):
            answer = await post(door, right._replace(body=right.body.replace(own, other)))
            assert answer.status_code == 401, other
        assert shelf.asked == []
        assert (await post(door, right)).status_code == 401, "there is no such certificate"
    async with door_before(kafka, f"{topic_prefix}away.", directory=sources_of_all()) as door:
        answer = await post(door, right, tries=1)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
