"""A file of activities with their true times (a badge list, a call log), cut by the import route into deliveries.

Columns: the identifiers and profile columns of `csv_leads`, and `kind occurred_at name url campaign traffic_source
medium asset direction actor_user_id duration_seconds subject text id`. A record without identifier, kind or time is
refused.
"""

from collections.abc import Mapping

from services.ingest.adapters.csv_leads import handshake, hint, outline, person_of, piece, refused, verify
from services.ingest.domain.activity import CHANNELS
from services.ingest.domain.csv_file import Record, row_id
from services.ingest.domain.fields import company_of, consents_of, fingerprint_of, moment_of, number_of, profile_of
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


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One activity per record, in the order of the file."""
    observations, refusals = [], []
    for record in piece(request):
        refusal = refused(record) or _refused(record)
        if refusal is None:
            observations.append(_observation(record))
        else:
            refusals.append(refusal)
    return Parsed(tuple(observations), tuple(refusals))


def _refused(record: Record) -> Refusal | None:
    if record.cells.get("kind", "").lower() not in KINDS:
        return Refusal(record.number, "unknown_kind", detail="kind must be one of the kinds of activities.")
    if moment_of(record.cells.get("occurred_at")) is None:
        return Refusal(record.number, "no_time", detail="occurred_at must be a time like 2026-06-10T14:00:00Z.")
    return None


def _observation(record: Record) -> Observation:
    cells = record.cells
    identity = row_id(cells)
    return Observation(
        operation=Operation.ACTIVITY,
        event_id=identity,
        kind=KINDS[cells["kind"].lower()],
        name=cells.get("name") or None,
        person=person_of(cells),
        timestamp=moment_of(cells["occurred_at"]),
        direction="sales" if cells.get("direction", "").lower() == "sales" else "marketing",
        actor_user_id=cells.get("actor_user_id") or None,
        traits=profile_of({name: value for name, value in cells.items() if name != "name"}),
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
