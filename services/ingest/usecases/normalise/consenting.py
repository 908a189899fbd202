"""Applies statements of consent to the leads of a batch, and tells each member of a tree what holds for all of it."""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from uuid import UUID

from services.ingest.domain.consent import OWN_ACTS, Standing, Statement, folded, is_allowed, stated
from services.ingest.domain.observation import ConsentClaim
from services.ingest.store.consents import ConsentRow, StatementRow
from services.ingest.usecases.normalise.draft import Draft, caused_by_delivery
from services.ingest.usecases.normalise.reading import Item
from shared.contracts.envelope import Event, Payload
from shared.contracts.kinds import Consent, ConsentPurpose
from shared.contracts.leads import LeadConsentChanged
from shared.ids import derived_id

__all__ = ["apply_statements", "claim_consent", "consent_changes", "consent_event", "consent_of_tree"]

_PROFILING, _CONTACT, _SHARING = (purpose.value for purpose in ConsentPurpose)
_BOTH = (_PROFILING, _CONTACT)
_OPEN = ("", Consent.UNKNOWN.value)  # not told yet; or told as what a setting gives its meaning


def apply_statements(draft: Draft, member_id: UUID, item: Item, kind: str | None) -> None:
    """What the source, the observation and the kind of activity state about this lead."""
    request = item.delivery.request
    if item.delivery.settings.consent == "granted":
        for purpose in _BOTH:
            row = _row(draft, member_id, purpose)
            if row.standing.source is None:
                statement = Statement(Consent.GRANTED, item.delivery.received_at, "source")
                _change(draft, row, statement, item)
    if request.is_gpc and not _row(draft, member_id, _SHARING).is_gpc:
        _row(draft, member_id, _SHARING).is_gpc = True
        draft.changed_consents.add((member_id, _SHARING))
    for claim in item.observation.consents:
        if claim.is_own_act or item.delivery.is_verified:
            claim_consent(draft, member_id, item, claim)
    if kind in OWN_ACTS:
        for purpose in _BOTH:
            claim_consent(draft, member_id, item, ConsentClaim(purpose, OWN_ACTS[kind].value, is_own_act=True))


def consent_of_tree(draft: Draft, lead_id: UUID, purpose: str = _PROFILING) -> Consent:
    """What holds for the whole tree of this lead now."""
    rows = [draft.consents.get((member, purpose)) for member in draft.identities.tree(lead_id)]
    if len(rows) == 1:  # nearly every tree
        return Consent.UNKNOWN if rows[0] is None else rows[0].standing.consent
    return folded(row.standing.consent for row in rows if row is not None)


def consent_changes(draft: Draft) -> Iterator[Event[Payload]]:
    """One event per lead and purpose whose tree's consent, or whose result, is not what was told last."""
    changed = {lead_id for lead_id, _ in draft.changed_consents}
    changed |= {merge.lead_id for merge, _ in draft.merges} | {one for left in draft.splits for one in left[:2]}
    for tree in draft.trees_touched():
        if _is_as_told(draft, tree, changed):  # nearly every tree
            continue
        purposes = {_PROFILING} | {
            purpose for purpose in (_CONTACT, _SHARING) for lead_id in tree if (lead_id, purpose) in draft.consents
        }
        members = sorted(tree)
        item = next(draft.touched[lead_id] for lead_id in members if lead_id in draft.touched)
        for purpose in sorted(purposes):
            yield from _told(draft, members, purpose, item)


def _is_as_told(draft: Draft, tree: Iterable[UUID], changed: Collection[UUID]) -> bool:
    """Whether nothing was said of this tree since it was told last; what unknown means may have changed."""
    for lead_id in tree:
        if lead_id in changed or (lead_id, _PROFILING) not in draft.consents:
            return False
        rows = [draft.consents.get((lead_id, purpose)) for purpose in (_PROFILING, _CONTACT, _SHARING)]
        if any(row is not None and row.told in _OPEN for row in rows):
            return False
    return True


def _told(draft: Draft, tree: list[UUID], purpose: str, item: Item) -> Iterator[Event[Payload]]:
    consent = consent_of_tree(draft, tree[0], purpose)
    rows = [_row(draft, lead_id, purpose) for lead_id in tree]
    is_gpc = any(row.is_gpc for row in rows)
    allowed = is_allowed(consent, draft.unknown_means) and not (is_gpc and purpose == _SHARING)
    for row in rows:
        if (row.told, row.is_allowed, row.is_gpc) == (consent.value, allowed, is_gpc):
            continue
        if purpose == _CONTACT and consent is Consent.UNKNOWN and not row.told:
            continue
        row.told, row.is_allowed, row.is_gpc = consent.value, allowed, is_gpc
        row.version += 1
        draft.changed_consents.add((row.lead_id, purpose))
        draft.leads[row.lead_id].updated_at = draft.now
        yield caused_by_delivery(
            consent_event(row),
            item,
            event_id=derived_id("lead.consent_changed", row.lead_id, purpose, row.version),
            occurred_at=item.timed.occurred_at,
            recorded_at=draft.now,
        )


def consent_event(row: ConsentRow) -> LeadConsentChanged:
    """The event that says what a row says."""
    return LeadConsentChanged(
        lead_id=row.lead_id,
        consent_version=row.version,
        purpose=ConsentPurpose(row.purpose),
        consent=Consent(row.told),
        is_allowed=row.is_allowed,
        is_gpc=row.is_gpc,
        source_id=row.source_id,
        wording_sha256=row.wording_sha256,
    )


def claim_consent(draft: Draft, member_id: UUID, item: Item, claim: ConsentClaim) -> None:
    """Take one statement about a lead; what others grant against a withdrawal is kept as a conflict.

    A withdrawal is the person's own word, whoever passes it on: nobody else withdraws for him.
    """
    voice = "own" if claim.is_own_act or claim.consent == Consent.WITHDRAWN else "other"
    at = min(claim.at or item.timed.occurred_at, draft.now)  # nothing said today may outlast what is said tomorrow
    row = _row(draft, member_id, claim.purpose)
    former: Statement | None = getattr(row.standing, voice)
    wording_before = row.wording_sha256
    is_conflict = _change(draft, row, Statement(Consent(claim.consent), at, voice), item, wording=claim.wording)
    tree = consent_of_tree(draft, member_id, claim.purpose)
    is_conflict |= voice == "other" and claim.consent == Consent.GRANTED and tree is Consent.WITHDRAWN
    is_same = former is not None and former.consent == claim.consent and row.wording_sha256 == wording_before
    if is_same and not is_conflict:
        return  # said before: the proof of the first time stands
    draft.statements.append(
        StatementRow(
            id=derived_id("consent", item.activity_id, claim.purpose),
            lead_id=member_id,
            purpose=claim.purpose,
            consent=claim.consent,
            voice=voice,
            wording=claim.wording,
            source_id=item.delivery.request.source_id,
            by_user_id=draft.by_user_id,
            delivery_id=item.delivery.id,
            is_conflict=is_conflict,
            stated_at=at,
            recorded_at=draft.now,
        )
    )
    if is_conflict and item.activity_id not in draft.conflicting:
        draft.conflicting.add(item.activity_id)
        draft.result(item).conflicts += 1
        draft.refuse(item, "consent_conflict", "The person withdrew; only the person can give consent again.")


def _change(draft: Draft, row: ConsentRow, statement: Statement, item: Item, *, wording: str | None = None) -> bool:
    after, is_conflict = stated(row.standing, statement)
    if after != row.standing:
        row.standing = after
        row.source_id = item.delivery.request.source_id
        row.wording_sha256 = hashlib.sha256(wording.encode()).hexdigest() if wording else row.wording_sha256
        draft.changed_consents.add((row.lead_id, row.purpose))
    return is_conflict


def _row(draft: Draft, lead_id: UUID, purpose: str) -> ConsentRow:
    row = draft.consents.get((lead_id, purpose))
    if row is None:
        row = draft.consents[lead_id, purpose] = ConsentRow(lead_id, purpose, Standing())
    return row
