"""Telling somebody outside: take what is due, send it, and write what came of it.

`attempt_dispatch` holds no transaction while it waits for anybody; `conclude_attempt` is one, in which a late result of
an attempt that another one overtook changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import orjson

from services.handoff.domain.dispatch import (
    ATTEMPTS_MAX,
    DISABLE_AFTER,
    WARN_AFTER,
    Answer,
    Judged,
    LaneHealth,
    Outcome,
    health_after,
    judge,
)
from services.handoff.outbound import ingest, mail, webhook
from services.handoff.outbound.ingest import IngestClient
from services.handoff.outbound.mail import Card, MailServer, Person
from services.handoff.outbound.webhook import WebhookClient
from services.handoff.store.endpoints import Target, read_targets
from services.handoff.store.secrets import Wrapping
from services.handoff.store.sending import (
    Claimed,
    Reader,
    claim_dispatches,
    hasten_lane,
    lane_health,
    reader_of,
    save_lane_health,
    settle_dispatch,
    write_endpoint_mail,
)
from shared.clock import machine_now
from shared.db.engine import Tx
from shared.errors import AppError
from shared.ids import EndpointId, LeadId
from shared.telemetry import announce

__all__ = ["Destinations", "Names", "Ready", "attempt_dispatch", "conclude_attempt", "take_due"]

# What says something about the endpoint's health; a missing name or address is ours.
_SPEAKS_OF_THE_LANE = frozenset({Outcome.DELIVERED, Outcome.REFUSED, Outcome.UNANSWERED})
_GAVE_UP = f"gave up: no result of {ATTEMPTS_MAX} attempts came back"
_NOBODY = "no mail address is set for {who}"


class Names(Protocol):
    """Asks ingest, the only place that knows names."""

    async def people(self, lead_ids: Sequence[LeadId]) -> Mapping[LeadId, Person]:
        """The names of these leads; erased ones are absent. Raises AppError when ingest cannot be asked now."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """Everything through which news leaves. mail_server None: the operator set none; the attempt log says so."""

    webhooks: WebhookClient
    names: Names
    ingest: IngestClient
    wrapping: Wrapping
    mail_server: MailServer | None = None
    mail_from: str = "baton@localhost"
    console_url: str = "http://127.0.0.1"
    role_addresses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ready:
    """A claimed dispatch with where it goes, read in the claim's transaction; an attempt needs no database."""

    claimed: Claimed
    target: Target | None = None
    reader: Reader | None = None


async def take_due(tx: Tx, destinations: Destinations, *, budgets: Mapping[EndpointId, int]) -> list[Ready]:
    """Claim what is due, with addresses and secrets as they are now; the caller commits, then attempts each."""
    claimed = await claim_dispatches(tx, budgets=budgets)
    lanes = {one.lane_id for one in claimed if one.channel == "webhook"}
    targets = await read_targets(tx, lanes, wrapping=destinations.wrapping) if lanes else {}
    return [
        Ready(
            one,
            target=targets.get(one.lane_id),
            reader=await reader_of(tx, one) if one.channel == "mail" else None,
        )
        for one in claimed
    ]


async def attempt_dispatch(ready: Ready, destinations: Destinations) -> Answer:
    """Send once; never raises for what the world outside does.

    One whose workers all died on it is not tried for ever: who makes it out of the last try does not send it again.
    """
    if ready.claimed.tries > ATTEMPTS_MAX:
        return Answer(Outcome.NOT_SENT, error=_GAVE_UP)
    if ready.target is not None:
        return await _attempt_webhook(ready.claimed, ready.target, destinations)
    if ready.reader is not None:
        return await _attempt_mail(ready.claimed, ready.reader, destinations)
    return await _attempt_ingest(ready.claimed, destinations)


async def conclude_attempt(tx: Tx, claimed: Claimed, answer: Answer, *, milliseconds: int) -> None:
    """Write the result of one attempt, and what it means for its endpoint."""
    judged = judge(answer, dispatch_id=claimed.id, attempt=claimed.tries, now=tx.now)
    before, warned_at = await lane_health(tx, claimed.lane_id)
    is_ours = await settle_dispatch(tx, claimed, answer, judged, milliseconds=milliseconds)
    if is_ours and claimed.channel == "webhook" and answer.outcome in _SPEAKS_OF_THE_LANE:
        await _note_health(tx, claimed, judged, before, warned_at)


async def _note_health(
    tx: Tx, claimed: Claimed, judged: Judged, before: LaneHealth, warned_at: datetime | None
) -> None:
    after = health_after(before, judged, now=tx.now)
    failing_for = tx.now - (after.failing_since or tx.now)
    because = "gone" if judged.is_gone else "failing" if failing_for >= DISABLE_AFTER else None
    is_warned = warned_at is not None and not judged.is_delivered
    is_warning = not is_warned and because is None and failing_for >= WARN_AFTER
    if judged.is_delivered:
        warned_at = None
    elif is_warning:
        warned_at = tx.now
    await save_lane_health(tx, claimed.lane_id, after, warned_at=warned_at, disabled_because=because)
    if judged.is_delivered and before.failing_since is not None:
        await hasten_lane(tx, claimed.lane_id)
    if because is not None or is_warning:
        what = "endpoint_failing" if is_warning else "endpoint_disabled"
        details = {"Endpoint": str(claimed.lane_id), "Because": because or "nothing but failures for 24 hours"}
        await write_endpoint_mail(tx, claimed.lane_id, what=what, details=details)


async def _attempt_webhook(claimed: Claimed, target: Target, destinations: Destinations) -> Answer:
    request = webhook.request_of(
        url=target.url,
        webhook_id=claimed.event_id,
        body=claimed.body.encode(),
        secrets=target.secrets,
        sent_at=machine_now(),
        own_headers=target.headers,
    )
    await announce("dispatch:before_call")
    answer = await webhook.send(request, destinations.webhooks)
    await announce("dispatch:after_call")
    return answer


async def _attempt_mail(claimed: Claimed, reader: Reader, destinations: Destinations) -> Answer:
    if destinations.mail_server is None:
        return Answer(Outcome.NOT_SENT, error="no mail server is set (BATON_HANDOFF_SMTP_HOST)")
    address = reader.address or destinations.role_addresses.get(claimed.recipient or "")
    if address is None:
        return Answer(Outcome.NOT_SENT, error=_NOBODY.format(who=claimed.recipient or "this rep"))
    try:
        person = await _person(claimed, destinations.names)
    except AppError as error:
        return Answer(Outcome.NAMES_MISSING, error=error.problem)
    card = _card(claimed, destinations.console_url, zone=reader.zone)
    try:
        message = mail.render(
            card,
            person=person,
            to=address,
            sender=destinations.mail_from,
            message_id=claimed.id,
            sent_at=format_datetime(machine_now()),
        )
    except ValueError:
        return Answer(Outcome.NOT_SENT, error="the reader's or the sender's mail address is malformed")
    await announce("dispatch:before_call")
    answer = await mail.send(message, destinations.mail_server)
    await announce("dispatch:after_call")
    return answer


async def _attempt_ingest(claimed: Claimed, destinations: Destinations) -> Answer:
    assert claimed.lead_id is not None, "every command to ingest is about a lead"
    await announce("dispatch:before_call")
    answer = await ingest.send(ingest.render(claimed.lead_id), destinations.ingest)
    await announce("dispatch:after_call")
    return answer


async def _person(claimed: Claimed, names: Names) -> Person | None:
    """The lead's names; None when the mail is about no lead."""
    if claimed.lead_id is None:
        return None
    return (await names.people([claimed.lead_id])).get(claimed.lead_id, Person())


def _card(claimed: Claimed, console_url: str, *, zone: str) -> Card:
    stored = orjson.loads(claimed.body)
    due = stored.get("due_at")
    place = f"/leads/{claimed.lead_id}" if claimed.lead_id else "/settings/endpoints"
    return Card(
        what=stored["what"],
        link=console_url.rstrip("/") + place,
        reasons=tuple(stored.get("reasons") or ()),
        details=stored.get("details") or {},
        due=None if due is None else _local(datetime.fromisoformat(due), zone),
    )


def _local(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%a %d %b, %H:%M} ({zone})"
