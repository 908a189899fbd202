"""Turns a batch of deliveries into leads, consent and activities: one transaction, a fixed number of statements.

Order of work: read (pure) -> drop repeats, lock keys -> lock trees -> take each observation in its order -> judge
mails -> link accounts -> save -> emit. Invariant: each event of a delivery ends in exactly one count of its result.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from services.ingest.domain.identity import Identities
from services.ingest.domain.observation import Operation
from services.ingest.store import accounts, consents, fetches, identity, memory, people, results, sources
from services.ingest.store.identity import values_of
from services.ingest.store.results import RefusalRow, ResultRow
from services.ingest.store.statements import save_together
from services.ingest.usecases.normalise.asking import set_aside
from services.ingest.usecases.normalise.consenting import apply_statements, consent_changes
from services.ingest.usecases.normalise.draft import Draft
from services.ingest.usecases.normalise.hashing import KeyedHash
from services.ingest.usecases.normalise.profiling import (
    account_keys_of,
    identified_events,
    leads_shown_anew,
    linked_events,
    merged_events,
    settle,
    split_events,
    take_identity,
)
from services.ingest.usecases.normalise.reading import (
    FETCH_FAILED,
    NO_SETTINGS,
    Delivery,
    Item,
    read_delivery,
    read_request,
)
from services.ingest.usecases.normalise.recognising import Recognised, claimed_by, keep_keys, recognise
from services.ingest.usecases.normalise.recording import (
    activity_events,
    kind_and_place,
    mail_of,
    record,
    rejudged,
)
from services.ingest.usecases.normalise.repeats import candidates_of, fresh_of, refuse_forged, remember
from shared.contracts.envelope import Event, Payload
from shared.db.engine import Tx
from shared.stream.handlers import RawEvent
from shared.stream.outbox import emit
from shared.telemetry import announce

__all__ = ["KeyedHash", "finish", "handle", "normalise_deliveries", "open_trees"]


async def normalise_deliveries(tx: Tx, received: Sequence[RawEvent], *, hashed: KeyedHash) -> None:
    """Handle deliveries in log order.

    Raises ParkError for one that cannot be read (the batch is then cut down to it), Busy when a tree of leads grew
    while it was being locked (the batch runs again).
    """
    requests = [read_request(event) for event in received]
    settings, unknown_means = await sources.settings_and_default(tx, {request.source_id for request in requests})
    failed = [event.id for event, one in zip(received, requests, strict=True) if one.parked_as == FETCH_FAILED]
    parked = await fetches.parked_before(tx, failed) if failed else frozenset()
    deliveries = [
        read_delivery(event, request, settings.get(request.source_id, NO_SETTINGS), was_parked=event.id in parked)
        for event, request in zip(received, requests, strict=True)
    ]
    await refuse_forged(tx, deliveries)
    await handle(tx, deliveries, hashed=hashed, unknown_means=unknown_means)


async def handle(
    tx: Tx, deliveries: Sequence[Delivery], *, hashed: KeyedHash, unknown_means: str | None = None
) -> Draft:
    """Handle deliveries that are already read; the draft says what became of them.

    unknown_means: what unknown consent means, where it was read with them.
    """
    found = {one.id: _result(one, tx) for one in deliveries}
    candidates = candidates_of(deliveries, found)
    claim = claimed_by([item for by_id in candidates.values() for item in by_id.values()], hashed)
    remembered, keys = await remember(tx, candidates, claim)
    items = await set_aside(tx, fresh_of(deliveries, candidates, remembered, found), found)
    recognised = await recognise(tx, claim, keys)
    if unknown_means is None:
        unknown_means = (await consents.default(tx)).unknown_means
    draft = _draft(tx, deliveries, recognised, found, hashed, unknown_means=unknown_means)
    await announce("batch:after_locks")
    for item in items:
        _take(draft, item)
    await keep_keys(tx, recognised)
    await finish(tx, draft)
    return draft


async def open_trees(tx: Tx, lead_ids: Collection[UUID], delivery: Delivery, *, hashed: KeyedHash) -> Draft:
    """A draft over the locked trees of these leads, for a command. Raises Busy when a tree grew meanwhile."""
    leads = await identity.lock_trees(tx, lead_ids)
    identities = Identities(owners={}, members=[row.as_member() for row in leads.values()])
    said = await consents.consents(tx, leads)
    recognised = Recognised(identities, leads, {}, {}, frozenset(), said)
    unknown_means = (await consents.default(tx)).unknown_means
    found = {delivery.id: _result(delivery, tx)}
    return _draft(tx, [delivery], recognised, found, hashed, unknown_means=unknown_means)


async def finish(tx: Tx, draft: Draft) -> None:
    """Derive, save and emit what a draft holds."""
    concerned = {member_id for member_id, _, _ in draft.stated} | draft.companies.keys()
    draft.profiles = await people.profiles(tx, concerned & draft.before.keys())
    settle(draft)
    events = await _decided(tx, draft)
    await _save(tx, draft)
    emit(tx, *events)


def _result(delivery: Delivery, tx: Tx) -> ResultRow:
    return ResultRow(
        delivery_id=delivery.id,
        source_id=delivery.request.source_id,
        import_id=delivery.import_id,
        verified_by=delivery.request.verified_by,
        received_at=delivery.received_at,
        handled_at=tx.now,
        events=len(delivery.items) + len(delivery.refusals),
        refused=len(delivery.refusals),
    )


def _draft(
    tx: Tx,
    deliveries: Sequence[Delivery],
    recognised: Recognised,
    found: dict[UUID, ResultRow],
    hashed: KeyedHash,
    *,
    unknown_means: str,
) -> Draft:
    draft = Draft(
        now=tx.now,
        hashed=hashed,
        unknown_means=unknown_means,
        identities=recognised.identities,
        leads=recognised.leads,
        suppressed=recognised.suppressed,
        results={one.id: found[one.id] for one in deliveries},
        consents=recognised.consents,
    )
    for delivery in deliveries:
        draft.refusals.extend(
            RefusalRow(
                delivery_id=delivery.id,
                index=refusal.index,
                reason=refusal.reason,
                import_id=delivery.import_id,
                source_id=delivery.request.source_id,
                event_id=refusal.event_id,
                detail=refusal.detail,
                refused_at=tx.now,
            )
            for refusal in delivery.refusals
        )
    return draft


def _take(draft: Draft, item: Item) -> None:
    """One observation, after all before it."""
    is_activity = item.observation.operation is Operation.ACTIVITY
    result = draft.result(item)
    if any(key in draft.suppressed for key in item.keys):
        result.suppressed += 1
        if is_activity:
            draft.count_without_person(item, kind_and_place(item)[0])
        draft.refuse(item, "suppressed", "This person was erased and stays out.")
        return
    if not item.keys:
        result.counted += 1
        if is_activity:
            draft.count_without_person(item, kind_and_place(item)[0])
        return
    resolution = draft.identities.resolve(
        item.keys, is_verified=item.delivery.is_verified, new_id=item.lead_id, now=draft.now
    )
    take_identity(draft, resolution, item)
    if not is_activity:
        apply_statements(draft, resolution.member_id, item, None)
        result.operations += 1
        return
    kind, fields = kind_and_place(item)
    apply_statements(draft, resolution.member_id, item, kind)
    record(draft, resolution.member_id, item, kind, fields)


async def _decided(tx: Tx, draft: Draft) -> list[Event[Payload]]:
    """All events of the batch, in the order they leave; notes accounts and mails to be saved on the way."""
    await _name_externals(tx, draft)
    wanted = account_keys_of(draft)
    linked: list[Event[Payload]] = []
    if wanted:
        owners = await accounts.account_owners(tx, {key for keys, _ in wanted.values() for key in keys})
        rows = await accounts.accounts(tx, set(owners.values()))
        linked, saved, noted = linked_events(draft, wanted, owners, rows)
        draft.pending.append(accounts.changed_accounts(sorted(saved.values(), key=lambda row: row.id)))
        draft.pending.append(accounts.new_account_keys(noted))
    new_mail = mail_of(draft.activities)
    known = {}
    if new_mail:
        new_ids = {one.activity_id for one in new_mail}
        stored = await memory.mail_activities(tx, {one.message_key for one in new_mail})
        known = {one.activity_id: one for one in stored if one.activity_id not in new_ids}
    verdicts = rejudged(known.values(), new_mail)
    changed = [one for one in known.values() if verdicts[one.activity_id] != one.verdict]
    judged = [replace(one, verdict=verdicts[one.activity_id]) for one in (*new_mail, *changed)]
    draft.pending.append(memory.new_mail(judged))
    return [
        *identified_events(draft),
        *linked,
        *merged_events(draft),
        *split_events(draft),
        *consent_changes(draft),
        *activity_events(draft, known, verdicts),
    ]


async def _name_externals(tx: Tx, draft: Draft) -> None:
    """Keep new ids in other systems, and load those of the leads that are shown anew."""
    if draft.new_externals:
        draft.new_externals = await people.add_external_ids(tx, draft.new_externals)
    known = set(leads_shown_anew(draft)) & draft.before.keys()
    if known:
        draft.externals = await people.external_ids(tx, known)
    for system, external_id, lead_id in draft.new_externals:
        listed = draft.externals.setdefault(lead_id, [])
        if (system, external_id) not in listed:
            listed.append((system, external_id))


async def _save(tx: Tx, draft: Draft) -> None:
    before, leads = draft.before, draft.leads
    pending = (
        identity.new_leads([row for lead_id, row in leads.items() if lead_id not in before]),
        identity.changed_leads([leads[one] for one, values in before.items() if values_of(leads[one]) != values]),
        people.changed_profiles({lead_id: draft.profiles[lead_id] for lead_id in draft.changed_profiles}),
        consents.changed_consents([draft.consents[key] for key in sorted(draft.changed_consents)]),
        consents.new_statements(draft.statements),
        *people.new_texts(draft.texts),
        *draft.pending,
        results.newly_counted(draft.counted),
        results.new_refusals(draft.refusals),
        results.new_results(list(draft.results.values())),
    )
    await save_together(tx, pending)
