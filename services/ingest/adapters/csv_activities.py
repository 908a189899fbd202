"""A file of activities with their true times (a badge list, a call log), cut by the import route into deliveries.

Columns: the identifiers and profile columns of a file of leads, with the person's name as `person_name`, and `kind
occurred_at name url campaign traffic_source medium asset direction actor_user_id duration_seconds subject text id`. A
kind is one of ours or a word people use for it (badge scan, dinner, call, no answer). A time without a zone is meant in
the zone the import was given. A record without identifier, kind or time is refused.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import parse_qs

from services.ingest.adapters.csv_leads import handshake, hint, outline, person_of, piece, refused, verify
from services.ingest.domain.activity import CHANNELS
from services.ingest.domain.csv_file import Record, row_id
from services.ingest.domain.fields import company_of, consents_of, fingerprint_of, number_of, profile_of
from services.ingest.domain.local_times import Dates, local_moment
from services.ingest.domain.observation import Observation, Operation, Parsed, Refusal, Texts, Touch
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, Proof, Reply

__all__ = [
    "KEPT_HEADERS",
    "KINDS",
    "PROOF",
    "REPLY",
    "SENDER",
    "SETUP",
    "STATUSES",
    "TITLE",
    "handshake",
    "hint",
    "outline",
    "parse",
    "verify",
]

SENDER: str = "csv_activities"
TITLE: str = "CSV file of activities"
SETUP: tuple[str, ...] = ("Run `baton import activities FILE`, or upload the file in the console.",)
PROOF: Proof = "key"  # of the person whose import it is; no webhook address leads here
REPLY: Reply = Reply(202)
KEPT_HEADERS: tuple[str, ...] = ()
KINDS: Mapping[str, str] = {kind: kind for kind in CHANNELS}
STATUSES: tuple[str, ...] = ()
_WORDS: Final[Mapping[str, str]] = {
    "badge scan": "field_event_attended",
    "scan": "field_event_attended",
    "trade show": "field_event_attended",
    "dinner": "field_event_attended",
    "roundtable": "field_event_attended",
    "webinar": "webinar_attended",
    "call": "call_connected",
    "connected": "call_connected",
    "reached": "call_connected",
    "no answer": "call_attempted",
    "not reached": "call_attempted",
    "voicemail": "call_attempted",
    "busy": "call_attempted",
    "meeting": "meeting_held",
    "visit": "site_visit",
    "email reply": "email_replied",
}
"""What people write in lists of badges, dinners and calls, in lower-case words."""
_HOW_TO_WRITE: Final = {
    "iso": "occurred_at must be a time like 2026-06-10T14:00 or 10.06.2026 14:00; for 06/10/2026 say the order.",
    "dmy": "occurred_at must be a time like 10/06/2026 14:00, 10.06.2026 14:00 or 2026-06-10T14:00.",
    "mdy": "occurred_at must be a time like 06/10/2026 2:00 PM or 2026-06-10T14:00.",
}
_ORDERS: Final[Mapping[str, Dates]] = {"iso": "iso", "dmy": "dmy", "mdy": "mdy"}


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One activity per record, in the order of the file."""
    said = parse_qs(request.query)
    zone, dates = said.get("time_zone", ["UTC"])[0], _ORDERS.get(said.get("dates", [""])[0], "iso")
    observations, refusals = [], []
    for record in piece(request):
        read = _read(record, zone, dates)
        if isinstance(read, Refusal):
            refusals.append(read)
        else:
            observations.append(read)
    return Parsed(tuple(observations), tuple(refusals))


def _read(record: Record, zone: str, dates: Dates) -> Observation | Refusal:
    known = refused(record)
    if known is not None:
        return known
    kind = _kind_of(record)
    if kind is None:
        return Refusal(record.number, "unknown_kind", detail="kind must be one of the kinds of activities.")
    at = local_moment(record.cells.get("occurred_at", ""), zone=zone, dates=dates)
    if at is None:
        return Refusal(record.number, "no_time", detail=_HOW_TO_WRITE[dates])
    return _observation(record, kind, at)


def _kind_of(record: Record) -> str | None:
    said = record.cells.get("kind", "").lower()
    return KINDS.get(said) or _WORDS.get(" ".join(said.replace("_", " ").replace("-", " ").split()))


def _observation(record: Record, kind: str, at: datetime) -> Observation:
    cells = record.cells
    identity = row_id(cells)
    said = {**cells, "name": cells.get("person_name", "")}
    return Observation(
        operation=Operation.ACTIVITY,
        event_id=identity,
        kind=kind,
        name=cells.get("name") or None,
        person=person_of(cells),
        timestamp=at,
        direction="sales" if cells.get("direction", "").lower() == "sales" else "marketing",
        actor_user_id=cells.get("actor_user_id") or None,
        traits=profile_of(said),
        company=company_of(cells),
        touch=Touch(
            url=cells.get("url") or None,
            traffic_source=cells.get("traffic_source") or None,
            medium=cells.get("medium") or None,
            campaign=cells.get("campaign") or None,
            asset=cells.get("asset") or None,
            duration_seconds=number_of(cells.get("duration_seconds")),
        ),
        texts=Texts(subject=cells.get("subject") or None, text=cells.get("text") or None),
        consents=consents_of(cells, is_own_act=False),
        entry_channel=cells.get("entry_channel") or None,
        index=record.number,
        fingerprint=fingerprint_of(identity.encode()),
    )
