"""The working state of one batch: what was loaded under locks, what the observations made of it, what must be saved."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.ingest.domain.identity import Identities, Merge
from services.ingest.domain.keys import Key
from services.ingest.domain.machine import Verdict
from services.ingest.domain.observation import Company
from services.ingest.domain.profile import Stated
from services.ingest.store.consents import ConsentRow, StatementRow
from services.ingest.store.identity import LeadRow, values_of
from services.ingest.store.people import TextRow
from services.ingest.store.results import RefusalRow, ResultRow
from services.ingest.store.statements import Pending
from services.ingest.usecases.normalise.hashing import KeyedHash
from services.ingest.usecases.normalise.reading import Item
from shared.contracts.activities import Property
from shared.contracts.envelope import Event, Payload

__all__ = ["SOURCE", "Draft", "PendingActivity", "caused_by_delivery", "new_lead"]

SOURCE = "/baton/ingest"


@dataclass(slots=True)
class PendingActivity:
    """One activity on its way out; the root it is emitted under is known when the whole batch is."""

    item: Item
    member_id: UUID
    kind: str
    verdict: Verdict
    fields: dict[str, str | None]
    properties: list[Property]
    message_key: str | None = None


@dataclass(slots=True)
class Draft:
    """Everything a batch reads and writes; `leads` holds all members of all trees touched, locked."""

    now: datetime
    hashed: KeyedHash
    unknown_means: str
    identities: Identities
    leads: dict[UUID, LeadRow]
    suppressed: frozenset[Key]
    results: dict[UUID, ResultRow]
    profiles: dict[UUID, dict[str, Stated]] = field(default_factory=dict)
    externals: dict[UUID, list[tuple[str, str]]] = field(default_factory=dict)
    consents: dict[tuple[UUID, str], ConsentRow] = field(default_factory=dict)
    before: dict[UUID, tuple[Any, ...]] = field(default_factory=dict)
    """The values of the leads as they were loaded."""
    touched: dict[UUID, Item] = field(default_factory=dict)
    companies: dict[UUID, list[Company]] = field(default_factory=dict)
    stated: list[tuple[UUID, Mapping[str, str], Item]] = field(default_factory=list)
    """Profile fields that were said, in order; taken once the profiles concerned are loaded."""
    changed_profiles: set[UUID] = field(default_factory=set)
    changed_consents: set[tuple[UUID, str]] = field(default_factory=set)
    new_externals: list[tuple[str, str, UUID]] = field(default_factory=list)
    moved: dict[Key, UUID] = field(default_factory=dict)
    merges: list[tuple[Merge, Item]] = field(default_factory=list)
    splits: list[tuple[UUID, UUID, Item]] = field(default_factory=list)
    """(lead that left, root it left, cause)"""
    by_user_id: UUID | None = None
    """Who commanded it, when a person did."""
    statements: list[StatementRow] = field(default_factory=list)
    activities: list[PendingActivity] = field(default_factory=list)
    texts: list[TextRow] = field(default_factory=list)
    refusals: list[RefusalRow] = field(default_factory=list)
    pending: list[Pending | None] = field(default_factory=list)
    """What else must be saved, of accounts and mails."""
    counted: Counter[tuple[date, UUID, str]] = field(default_factory=Counter)
    conflicting: set[UUID] = field(default_factory=set)
    """Observations whose consent stands against a withdrawal: one conflict each, however many purposes it names."""

    def __post_init__(self) -> None:
        self.before = {lead_id: values_of(row) for lead_id, row in self.leads.items()}

    def result(self, item: Item) -> ResultRow:
        """The result of the item's delivery."""
        return self.results[item.delivery.id]

    def refuse(self, item: Item, reason: str, detail: str) -> None:
        """Note why an event was not taken as it asked; shown per import and source."""
        self.refusals.append(
            RefusalRow(
                delivery_id=item.delivery.id,
                index=item.observation.index,
                reason=reason,
                import_id=item.delivery.import_id,
                source_id=item.delivery.request.source_id,
                event_id=None,
                detail=detail,
                refused_at=self.now,
            )
        )

    def count_without_person(self, item: Item, kind: str) -> None:
        """Count an activity that is tied to nobody."""
        self.counted[(item.timed.occurred_at.date(), item.delivery.request.source_id, kind)] += 1

    def sync(self) -> None:
        """Bring pointers and stages of the leads to what identity decided."""
        for lead_id, member in self.identities.members.items():
            row = self.leads[lead_id]
            row.parent_id, row.root_id = member.parent_id, member.root_id
            row.identity_version, row.is_known = member.identity_version, member.is_known

    def trees_touched(self) -> Iterable[frozenset[UUID]]:
        """Each tree that an observation of this batch was recognised in, once."""
        seen: set[UUID] = set()
        for lead_id in self.touched:
            root = self.identities.members[lead_id].root_id
            if root not in seen:
                seen.add(root)
                yield self.identities.tree(lead_id)


def new_lead(lead_id: UUID, *, now: datetime, active_at: datetime) -> LeadRow:
    """A lead of which nothing is known yet."""
    empty = dict.fromkeys(LeadRow.__dataclass_fields__)
    row = LeadRow(**empty)  # type: ignore[arg-type]  # every field that may not be None is set below
    row.id = row.root_id = lead_id
    row.identity_version, row.profile_version, row.link_version, row.is_known = 1, 0, 0, False
    row.created_at, row.updated_at, row.active_at = now, now, active_at
    return row


def caused_by_delivery(
    payload: Payload, item: Item, *, event_id: UUID, occurred_at: datetime, recorded_at: datetime
) -> Event[Payload]:
    """An event whose first cause is a delivery."""
    return Event(
        id=event_id,
        payload=payload,
        source=SOURCE,
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        correlation_id=item.delivery.id,
        causation_id=item.delivery.id,
    )
