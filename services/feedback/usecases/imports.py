"""CSV files of outcomes and of spend: each line taken or refused with its record number, field and reason.

A file is known by its hash, so the same file again adds nothing and answers the same. A line of spend is known by what
it says, so a file that was mended adds what was mended alone. Nothing half-read stays: the lines that are taken and the
answer commit together.
"""

import calendar
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from services.feedback.domain.disposition import REPORTED, Result
from services.feedback.domain.money import is_currency, minor_of
from services.feedback.domain.sheet import Sheet, read_sheet
from services.feedback.store import money
from services.feedback.store.money import SpendRow
from services.feedback.usecases import SOURCE
from services.feedback.usecases.outcomes import Reported, record_churn, record_opportunity
from shared.db.engine import Tx
from shared.errors import AppError, Refused
from shared.ids import derived_id

RECORDS_MOST = 5_000
RESULTS: Mapping[str, Result] = {"opportunity": "open", "won": "won", "lost": "lost"}
OUTCOME_COLUMNS = ("lead_id", "what", "occurred_at")
SPEND_COLUMNS = ("amount", "currency")
SPEND_SHOWN_MOST = 10
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_QUARTER = re.compile(r"(\d{4})-?Q([1-4])", re.ASCII | re.IGNORECASE)


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


async def import_spend(tx: Tx, content: bytes, *, mapping: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Take a file of spend: amount, currency, and since_on with until_on, or period (2026-06, 2026-Q2, a day).

    Optional source, campaign. mapping: heading of the file to one of these.
    """
    seen: Counter[SpendRow] = Counter()

    async def take(tx: Tx, record: Mapping[str, str]) -> bool:
        row = _spend_row(record)
        seen[row] += 1  # the same line twice in one file is two invoices, in a mended file it is the same one
        said = [getattr(row, name) for name in SpendRow.__slots__]
        return await money.add_spend(tx, derived_id(SOURCE, "spend", *said, seen[row]), row)

    return await _import(tx, content, kind="spend", needed=SPEND_COLUMNS, take=take, mapping=mapping or {})


def preview_spend(content: bytes, *, mapping: Mapping[str, str]) -> dict[str, Any]:
    """What a file of spend would become: its columns, its first lines, all that would be refused. Keeps nothing."""
    sheet = _sheet(content, SPEND_COLUMNS, mapping)
    rows: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    for number, record in enumerate(sheet.records, start=1):
        try:
            row = _spend_row(record)
        except BadField as wrong:
            refused.append({"record": number, "field": wrong.name, "reason": wrong.reason})
        else:
            rows.append({"record": number} | {name: getattr(row, name) for name in SpendRow.__slots__})
    return {
        "columns": [{"heading": heading, "field": column} for heading, column in sheet.columns.items()],
        "note": sheet.note,
        "records": len(sheet.records),
        "rows": rows[:SPEND_SHOWN_MOST],
        "refused": refused,
    }


async def _import(
    tx: Tx,
    content: bytes,
    *,
    kind: str,
    needed: Sequence[str],
    take: Callable[..., Any],
    mapping: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    said = b"".join(f"{heading}={column}\0".encode() for heading, column in sorted((mapping or {}).items()))
    digest = sha256(kind.encode() + b"\0" + said + content).hexdigest()
    known = await money.file_answer(tx, digest)
    if known is not None:
        return known | {"is_repeat": True}
    came_of = Taken()
    sheet = _sheet(content, needed, mapping or {})
    for number, record in enumerate(sheet.records, start=1):
        came_of.records += 1
        try:
            async with tx.connection.begin_nested():
                is_new = await take(tx, record)
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
        "note": sheet.note,
    }
    await money.add_file(tx, digest, kind, answer)
    return answer | {"is_repeat": False}


async def _take_outcome(tx: Tx, record: Mapping[str, str]) -> bool:
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


def _spend_row(record: Mapping[str, str]) -> SpendRow:
    """One line of spend. Raises BadField."""
    since_on, until_on = _period(record)
    if until_on < since_on:
        raise BadField("until_on", "lies before since_on")
    amount_minor, currency = _money(record)
    if amount_minor is None or currency is None:
        raise BadField("amount", "is missing")
    return SpendRow(
        since_on=since_on,
        until_on=until_on,
        traffic_source=record.get("source", "").strip(),
        campaign=record.get("campaign", "").strip(),
        amount_minor=amount_minor,
        currency=currency,
    )


def _period(record: Mapping[str, str]) -> tuple[date, date]:
    """First and last day: as written, or those of a month, a quarter or a day."""
    said = record.get("period", "").strip()
    if not said:
        return _day(record, "since_on"), _day(record, "until_on")
    if found := _MONTH.fullmatch(said):
        return _months(int(found[1]), int(found[2]), int(found[2]))
    if found := _QUARTER.fullmatch(said):
        last = 3 * int(found[2])
        return _months(int(found[1]), last - 2, last)
    try:
        day = date.fromisoformat(said)
    except ValueError as wrong:
        raise BadField("period", "is no month like 2026-06, quarter like 2026-Q2 or day like 2026-06-01") from wrong
    return day, day


def _months(year: int, first: int, last: int) -> tuple[date, date]:
    try:
        return date(year, first, 1), date(year, last, calendar.monthrange(year, last)[1])
    except ValueError as wrong:
        raise BadField("period", "is no month like 2026-06, quarter like 2026-Q2 or day like 2026-06-01") from wrong


def _sheet(content: bytes, needed: Sequence[str], mapping: Mapping[str, str]) -> Sheet:
    """The records of a CSV. Raises Unreadable or Refused with what to mend."""
    sheet = read_sheet(content, mapping=mapping, records_max=RECORDS_MOST)
    missing = [name for name in needed if name not in sheet.columns.values()]
    if missing:
        raise Refused(f"The header line lacks {', '.join(missing)}; add these columns.", slug="columns")
    return sheet


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
        return date.fromisoformat(record.get(name, "").strip())
    except ValueError as wrong:
        raise BadField(name, "is no date like 2026-06-01") from wrong
