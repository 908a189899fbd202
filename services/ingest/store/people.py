"""The profile store: the only place of names, addresses, phones and texts of activities; and ids in other systems."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.ingest.domain.profile import Stated
from services.ingest.store.statements import Pending, by_columns, change_by_columns
from shared.db.engine import ReadTx, Tx

__all__ = [
    "TextRow",
    "add_external_ids",
    "changed_profiles",
    "external_ids",
    "new_texts",
    "profiles",
    "texts",
]

_SEARCHED: Final = ("name", "email", "company")


@dataclass(frozen=True, slots=True)
class TextRow:
    """The personal part of one activity."""

    activity_id: UUID
    lead_id: UUID
    occurred_at: datetime
    url: str | None = None
    recipient: str | None = None
    subject: str | None = None
    text: str | None = None
    answers: Mapping[str, object] = field(default_factory=dict)
    user_agent_family: str | None = None


_PROFILES = by_columns("select lead_id, fields from profile where lead_id = any(:ids)", ids="uuid")
_SAVE = change_by_columns(
    "profiles",
    """
    insert into profile (lead_id, fields, search_text)
    select lead_id, fields::jsonb, search_text
      from unnest(:lead_ids, :fields, :searched) as row (lead_id, fields, search_text)
    on conflict (lead_id) do update set fields = excluded.fields, search_text = excluded.search_text
    """,
    lead_ids="uuid",
    fields="text",
    searched="text",
)
_ADD_TEXTS = change_by_columns(
    "texts",
    """
    insert into activity_text
           (activity_id, lead_id, occurred_at, url, recipient, subject, text, answers, user_agent_family)
    select activity_id, lead_id, occurred_at, url, recipient, subject, text, answers::jsonb, family
      from unnest(:ids, :lead_ids, :moments, :urls, :recipients, :subjects, :texts, :answers, :families)
        as row (activity_id, lead_id, occurred_at, url, recipient, subject, text, answers, family)
    on conflict do nothing
    """,
    ids="uuid",
    lead_ids="uuid",
    moments="time",
    urls="text",
    recipients="text",
    subjects="text",
    texts="text",
    answers="text",
    families="text",
)
# What a page view leaves: most rows, with half of the columns.
_ADD_ADDRESSES = change_by_columns(
    "addresses",
    """
    insert into activity_text (activity_id, lead_id, occurred_at, url, user_agent_family)
    select * from unnest(:ids, :lead_ids, :moments, :urls, :families) on conflict do nothing
    """,
    ids="uuid",
    lead_ids="uuid",
    moments="time",
    urls="text",
    families="text",
)
_TEXTS = by_columns("select * from activity_text where activity_id = any(:ids)", ids="uuid")
_EXTERNAL = by_columns(
    "select lead_id, system, external_id from external_id where lead_id = any(:ids) order by 1, 2, 3", ids="uuid"
)
_ADD_EXTERNAL = by_columns(
    """
    insert into external_id (system, external_id, lead_id)
    select * from unnest(:systems, :external_ids, :lead_ids) on conflict do nothing
    returning system, external_id, lead_id
    """,
    systems="text",
    external_ids="text",
    lead_ids="uuid",
)


async def profiles(tx: ReadTx, lead_ids: Collection[UUID]) -> dict[UUID, dict[str, Stated]]:
    """The profiles of these leads; leads without one are absent."""
    if not lead_ids:
        return {}
    rows = await tx.execute(_PROFILES, {"ids": list(lead_ids)})
    return {
        row.lead_id: {
            name: Stated(stated["value"], datetime.fromisoformat(stated["at"])) for name, stated in row.fields.items()
        }
        for row in rows
    }


def changed_profiles(changed: Mapping[UUID, Mapping[str, Stated]]) -> Pending | None:
    """Write whole profiles."""
    if not changed:
        return None
    return _SAVE, {
        "lead_ids": list(changed),
        "fields": [
            json.dumps({name: {"value": one.value, "at": one.at.isoformat()} for name, one in fields.items()})
            for fields in changed.values()
        ],
        "searched": [
            " ".join(fields[name].value.lower() for name in _SEARCHED if name in fields) for fields in changed.values()
        ],
    }


def new_texts(rows: Sequence[TextRow]) -> tuple[Pending | None, Pending | None]:
    """Keep the personal parts of activities: those with a text of their own, and those with an address alone."""
    whole = [row for row in rows if row.recipient or row.subject or row.text or row.answers]
    short = [row for row in rows if not (row.recipient or row.subject or row.text or row.answers)]
    texts = {
        **_places(whole),
        "recipients": [row.recipient for row in whole],
        "subjects": [row.subject for row in whole],
        "texts": [row.text for row in whole],
        "answers": [json.dumps(row.answers) for row in whole],
    }
    return (_ADD_TEXTS, texts) if whole else None, (_ADD_ADDRESSES, _places(short)) if short else None


def _places(rows: Sequence[TextRow]) -> dict[str, list[Any]]:
    return {
        "ids": [row.activity_id for row in rows],
        "lead_ids": [row.lead_id for row in rows],
        "moments": [row.occurred_at for row in rows],
        "urls": [row.url for row in rows],
        "families": [row.user_agent_family for row in rows],
    }


async def texts(tx: ReadTx, activity_ids: Collection[UUID]) -> list[dict[str, Any]]:
    """The personal parts of these activities; those without any are absent."""
    rows = await tx.execute(_TEXTS, {"ids": list(activity_ids)})
    return [dict(row) for row in rows.mappings()]


async def external_ids(tx: ReadTx, lead_ids: Collection[UUID]) -> dict[UUID, list[tuple[str, str]]]:
    """(system, id) of these leads, in order; leads without one are absent."""
    found: dict[UUID, list[tuple[str, str]]] = {}
    for row in await tx.execute(_EXTERNAL, {"ids": list(lead_ids)}):
        found.setdefault(row.lead_id, []).append((row.system, row.external_id))
    return found


async def add_external_ids(tx: Tx, rows: Sequence[tuple[str, str, UUID]]) -> list[tuple[str, str, UUID]]:
    """Note (system, id, lead) and return those that are new; the first lead of an id keeps it."""
    ordered = sorted(set(rows))
    parameters = {
        "systems": [system for system, _, _ in ordered],
        "external_ids": [one for _, one, _ in ordered],
        "lead_ids": [lead for _, _, lead in ordered],
    }
    added = await tx.execute(_ADD_EXTERNAL, parameters)
    return [(row.system, row.external_id, row.lead_id) for row in added]
