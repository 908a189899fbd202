"""Writes acts of the story as the bodies real senders post: Segment batches, SendGrid events, CloudEvents, a CSV. Pure.

Times are world times of the story. Each happening's key is the sender's event id, so what is sent twice is the same
event.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from deploy.demo import cast
from deploy.demo.leads import Lead
from deploy.demo.story import Act, Happening, user_id

__all__ = ["badge_list", "cloudevents_batch", "segment_batch", "sendgrid_events"]

_SITE = "https://www.nordlicht.example"
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
_SCANNER = "Mozilla/5.0 (compatible; MailScanner/4.1)"
_FAIR = "Shift Expo 2026"
_COLUMNS = (
    "id", "kind", "occurred_at", "email", "first_name", "last_name", "title", "company", "industry", "employees",
    "country", "is_target", "entry_channel", "campaign", "consent",
)  # fmt: skip


def segment_batch(act: Act, people: Mapping[int, Lead]) -> bytes:
    """The body of POST /v1/batch."""
    batch = [_segment_event(happening, people[happening.number]) for happening in act.happenings]
    return json.dumps({"batch": batch, "sentAt": act.at.isoformat()}).encode()


def sendgrid_events(act: Act, people: Mapping[int, Lead]) -> bytes:
    """The body of SendGrid's event webhook, which ends in CR LF."""
    events = [_mail_event(happening, people[happening.number]) for happening in act.happenings]
    return json.dumps(events).encode() + b"\r\n"


def cloudevents_batch(act: Act, people: Mapping[int, Lead]) -> bytes:
    """The body of POST /v1/events in batch mode: the webinar tool and the product speak CloudEvents."""
    return json.dumps([_cloudevent(happening, people[happening.number]) for happening in act.happenings]).encode()


def badge_list(happenings: Iterable[Happening], people: Mapping[int, Lead]) -> bytes:
    """The file of scanned badges, with the true time of each scan."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=_COLUMNS)
    writer.writeheader()
    for happening in happenings:
        person = people[happening.number]
        writer.writerow(
            {
                "id": happening.key,
                "kind": "field_event_attended",
                "occurred_at": happening.happened_at.isoformat(),
                "entry_channel": "field_event",
                "campaign": _FAIR,
                **_traits_of_file(person),
            }
        )
    return text.getvalue().encode()


def traits(person: Lead) -> dict[str, Any]:
    """What a form or a signed-in page tells of a person."""
    return {
        "email": person.email,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "title": person.title,
        "company": {
            "name": person.company,
            "domain": person.domain,
            "industry": person.industry,
            "employees": person.employees,
            "is_target_industry": person.is_target,
        },
        "country": person.country,
        "language": "de" if person.country in cast.GERMAN else "en",
        "consent": "granted",
        "consent_wording": "demo form 2026-05",
    }


def _traits_of_file(person: Lead) -> dict[str, object]:
    return {
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "title": person.title,
        "company": person.company,
        "industry": person.industry,
        "employees": person.employees,
        "country": person.country,
        "is_target": "true" if person.is_target else "false",
        "consent": "granted",
    }


def _segment_event(happening: Happening, person: Lead) -> dict[str, Any]:
    event: dict[str, Any] = {
        "type": happening.what,
        "messageId": happening.key,
        "timestamp": happening.happened_at.isoformat(),
        "anonymousId": person.anonymous_id,
        "context": {"userAgent": _BROWSER, "library": {"name": "analytics-python", "version": "2.3.4"}},
    }
    if happening.is_known:
        event["userId"] = user_id(person.number)
    if happening.what == "identify":
        return {**event, **_identity(happening, person)}
    properties: dict[str, str] = {"path": happening.path, "url": _SITE + happening.path}
    if happening.what == "track":
        event["event"] = happening.name
    if happening.details.get("campaign"):
        event["context"]["campaign"] = {"name": person.campaign, "source": person.source, "medium": person.medium}
        properties["url"] += f"?utm_source={person.source}&utm_medium={person.medium}&utm_campaign={person.campaign}"
    return {**event, "properties": properties}


def _identity(happening: Happening, person: Lead) -> dict[str, Any]:
    """The identify of a person; of a second, private identity where the story says so."""
    if "email" not in happening.details:
        return {"traits": traits(person)}
    private = {"email": happening.details["email"], "firstName": person.first_name, "consent": "granted"}
    return {"userId": happening.details["user"], "anonymousId": f"{person.anonymous_id}-private", "traits": private}


def _mail_event(happening: Happening, person: Lead) -> dict[str, Any]:
    is_machine = bool(happening.details.get("machine"))
    mail = "-".join(happening.key.split("-")[:3])
    event: dict[str, Any] = {
        "email": person.email,
        "timestamp": int(happening.happened_at.timestamp()),
        "event": happening.what,
        "sg_event_id": happening.key,
        "sg_message_id": f"{mail}.recvd-0001",
        "category": ["nurture"],
        "marketing_campaign_name": "nurture-2026",
    }
    if happening.what in {"open", "click"}:
        event |= {"useragent": _SCANNER if is_machine else _BROWSER, "ip": "192.0.2.10"}
    if happening.what == "open":
        event["sg_machine_open"] = is_machine
    if happening.what == "click":
        event["url"] = f"{_SITE}/pricing"
    if happening.what == "bounce":
        event |= {"type": "bounce", "reason": "550 5.1.1 no such user", "status": "5.1.1"}
    return event


def _cloudevent(happening: Happening, person: Lead) -> dict[str, Any]:
    is_product = happening.what.startswith("trial")
    return {
        "specversion": "1.0",
        "id": happening.key,
        "source": "https://app.nordlicht.example" if is_product else "https://webinars.example",
        "type": f"example.nordlicht.{happening.what}",
        "time": _zulu(happening.happened_at),
        "data": {
            "email": person.email,
            "campaign": "trial" if is_product else "rosters-without-tears",
            "traits": traits(person),
            "consent": "granted",
        },
    }


def _zulu(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
