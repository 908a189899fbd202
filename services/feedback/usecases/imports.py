"""CSV files of outcomes and of spend: each line taken or refused with its record number, field and reason.

A file is known by its hash, so the same file again adds nothing and answers the same. Nothing half-read stays: the
lines that are taken and the answer commit together.
"""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from services.feedback.domain.disposition import REPORTED, Result
from services.feedback.domain.money import is_currency, minor_of
from services.feedback.store import money
from services.feedback.store.money import SpendRow
from services.feedback.usecases import SOURCE
from services.feedback.usecases.outcomes import Reported, record_churn, record_opportunity
from shared.db.engine import Tx
from shared.errors import AppError, FieldError, Refused, Unreadable
from shared.ids import derived_id

RECORDS_MOST = 5_000
RESULTS: Mapping[str, Result] = {"opportunity": "open", "won": "won", "lost": "lost"}
OUTCOME_COLUMNS = ("lead_id", "what", "occurred_at")
SPEND_COLUMNS = ("since_on", "until_on", "amount", "currency")


class BadField(Exception):
    """One field of one record is wrong; the record is refused and counted, the file goes on."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name
        self.reason = reason


@dataclass(slots=True)
class Taken:
    """What came of a file."""

    records: int = 0
    taken: int = 0
    repeated: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)


async def import_outcomes(tx: Tx, content: bytes) -> dict[str, Any]:
    """Take a file of outcomes: lead_id, what, occurred_at.

    Optional external_id, system, handoff_id, reason_code, amount, currency.
    """
    return await _import(tx, content, kind="outcomes", needed=OUTCOME_COLUMNS, take=_take_outcome)


async def import_spend(tx: Tx, content: bytes) -> dict[str, Any]:
    """Take a file of spend: since_on, until_on, amount, currency; optional source, campaign."""
    return await _import(tx, content, kind="spend", needed=SPEND_COLUMNS, take=_take_spend)


async def _import(
    tx: Tx, content: bytes, *, kind: str, needed: tuple[str, ...], take: Callable[..., Any]
) -> dict[str, Any]:
    digest = sha256(kind.encode() + b"\0" + content).hexdigest()
    known = await money.file_answer(tx, digest)
    if known is not None:
        return known | {"is_repeat": True}
    came_of = Taken()
    for number, record in enumerate(_records(content, needed), start=1):
        came_of.records += 1
        try:
            async with tx.connection.begin_nested():
                is_new = await take(tx, record, digest, number)
        except BadField as wrong:
            came_of.refused.append({"record": number, "field": wrong.name, "reason": wrong.reason})
        except AppError as wrong:
            came_of.refused.append({"record": number, "field": "", "reason": wrong.detail})
        else:
            came_of.taken += is_new
            came_of.repeated += not is_new
    answer = {
        "file": digest,
        "records": came_of.records,
        "taken": came_of.taken,
        "repeated": came_of.repeated,
        "refused": came_of.refused,
    }
    await money.add_file(tx, digest, kind, answer)
    return answer | {"is_repeat": False}


async def _take_outcome(tx: Tx, record: Mapping[str, str], _digest: str, _number: int) -> bool:
    what = record["what"].strip()
    if what not in REPORTED:
        raise BadField("what", f"must be one of {', '.join(sorted(REPORTED))}")
    lead_id = _uuid(record, "lead_id")
    amount_minor, currency = _money(record)
    reported = Reported(
        system=record.get("system", "").strip() or "csv",
        external_id=record.get("external_id", "").strip() or str(lead_id),
        lead_id=lead_id,
        result=RESULTS.get(what, "open"),
        occurred_at=_moment(record, "occurred_at"),
        object_version=None,
        handoff_id=_uuid(record, "handoff_id") if record.get("handoff_id", "").strip() else None,
        reason_code=record.get("reason_code", "").strip(),
        amount_minor=amount_minor,
        currency=currency,
    )
    if what == "churned":
        await record_churn(tx, reported)
        return True
    _, verdict = await record_opportunity(tx, reported)
    return verdict in {"created", "changed"}


async def _take_spend(tx: Tx, record: Mapping[str, str], digest: str, number: int) -> bool:
    since_on, until_on = _day(record, "since_on"), _day(record, "until_on")
    if until_on < since_on:
        raise BadField("until_on", "lies before since_on")
    amount_minor, currency = _money(record)
    if amount_minor is None or currency is None:
        raise BadField("amount", "is missing")
    row = SpendRow(
        since_on=since_on,
        until_on=until_on,
        traffic_source=record.get("source", "").strip(),
        campaign=record.get("campaign", "").strip(),
        amount_minor=amount_minor,
        currency=currency,
    )
    await money.add_spend(tx, [(derived_id(SOURCE, "spend", digest, number), row)])
    return True


def _records(content: bytes, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """The records of a CSV with a header line, UTF-8. Raises Unreadable or Refused with what to mend."""
    rows: list[dict[str, str]] = []
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        rows.extend({name: value or "" for name, value in row.items() if isinstance(name, str)} for row in reader)
    except UnicodeDecodeError as wrong:
        raise Unreadable("The file is not UTF-8; export it as CSV in UTF-8 and send it again.") from wrong
    except csv.Error as wrong:
        place = f"Record {len(rows) + 1}" if rows else "The header line or record 1"
        error = FieldError(f"/records/{len(rows) + 1}", "quote", str(wrong))
        detail = f"{place} has a quote that is not closed or stands bare; mend it and send the file again."
        raise Unreadable(detail, errors=[error]) from wrong
    missing = [name for name in needed if name not in (reader.fieldnames or ())]
    if missing:
        raise Refused(f"The header line lacks {', '.join(missing)}; add these columns.", slug="columns")
    if len(rows) > RECORDS_MOST:
        raise Refused(f"A file has at most {RECORDS_MOST} records; cut it into parts.", slug="too_many_records")
    return rows


def _money(record: Mapping[str, str]) -> tuple[int | None, str | None]:
    amount, currency = record.get("amount", "").strip(), record.get("currency", "").strip()
    if not amount:
        return None, None
    if not is_currency(currency):
        raise BadField("currency", "must be three capital letters, ISO 4217")
    minor = minor_of(amount, currency)
    if isinstance(minor, str):
        raise BadField("amount", minor)
    return minor, currency


def _uuid(record: Mapping[str, str], name: str) -> UUID:
    try:
        return UUID(record[name].strip())
    except ValueError as wrong:
        raise BadField(name, "is no id of ours") from wrong


def _moment(record: Mapping[str, str], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(record[name].strip())
    except ValueError as wrong:
        raise BadField(name, "is no ISO 8601 time") from wrong
    if moment.tzinfo is None:
        raise BadField(name, "has no time zone; write 2026-06-01T09:00:00Z")
    return moment.astimezone(UTC)


def _day(record: Mapping[str, str], name: str) -> date:
    try:
        return date.fromisoformat(record[name].strip())
    except ValueError as wrong:
        raise BadField(name, "is no date like 2026-06-01") from wrong
