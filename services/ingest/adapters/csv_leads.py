"""A file of leads, of one record each; the import cuts it into deliveries of at most 500 records.

Columns by our names: `email user_id phone external_system external_id name first_name last_name title department
company country language time_zone note industry employees is_target entry_channel consent consent_purpose consent_at
consent_wording id`; others are kept with the record as answers. A record without an identifier is refused with its
number.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain.body import utf8
from services.ingest.domain.csv_file import Record, records, row_id
from services.ingest.domain.fields import company_of, consents_of, fingerprint_of, profile_of
from services.ingest.domain.keys import email_of, keys_of
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Refusal
from services.ingest.domain.source import SourceSettings
from shared.senders import InboundRequest, Proof, Reply

SENDER: str = "csv_leads"
TITLE: str = "CSV file of leads"
SETUP: tuple[str, ...] = ("Run `baton import leads FILE`, or upload the file in the console.",)
PROOF: Proof = "key"  # of the person whose import it is; no webhook address leads here
REPLY: Reply = Reply(202)
KEPT_HEADERS: tuple[str, ...] = ()
KINDS: Mapping[str, str] = {}
STATUSES: tuple[str, ...] = ()
_DEFAULT_CHANNEL: Final = "email"  # a list of addresses is written to


hint = quiet.hint
handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the protocol's form
    """Never: the import route has proven the user."""
    return False


def outline(request: InboundRequest) -> Outline:
    """Number of records."""
    return Outline(len(piece(request)))


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One identify per record, in the order of the file."""
    observations, refusals = [], []
    for record in piece(request):
        refusal = refused(record)
        if refusal is None:
            observations.append(_observation(record))
        else:
            refusals.append(refusal)
    return Parsed(tuple(observations), tuple(refusals))


def piece(request: InboundRequest) -> Sequence[Record]:
    """The records of one delivery, numbered as in the file."""
    first = int(parse_qs(request.query).get("first_record", ["1"])[0])
    return tuple(records(utf8(request.body).decode(), first=first))


def person_of(cells: Mapping[str, str]) -> Person:
    """The identifiers in a record."""
    system, id_there = cells.get("external_system"), cells.get("external_id")
    return Person(
        anonymous_id=cells.get("anonymous_id") or None,
        user_id=cells.get("user_id") or None,
        email=cells.get("email") or None,
        phone=cells.get("phone") or None,
        external=(system, id_there) if system and id_there else None,
    )


def refused(record: Record) -> Refusal | None:
    """Why a record is not taken: no identifier, or an e-mail that is none."""
    email = record.cells.get("email")
    if email and email_of(email) is None:
        return Refusal(record.number, "bad_email", detail="The e-mail is no single plain address.")
    if not keys_of(person_of(record.cells)):
        return Refusal(record.number, "no_identifier", detail="Give an e-mail, user_id, phone with +code or CRM id.")
    return None


def _observation(record: Record) -> Observation:
    cells = record.cells
    identity = row_id(cells)
    return Observation(
        operation=Operation.IDENTIFY,
        event_id=identity,
        person=person_of(cells),
        traits=profile_of(cells),
        company=company_of(cells),
        consents=consents_of(cells, is_own_act=False),
        entry_channel=cells.get("entry_channel") or _DEFAULT_CHANNEL,
        index=record.number,
        fingerprint=fingerprint_of(identity.encode()),
    )
