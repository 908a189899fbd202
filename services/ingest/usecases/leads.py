"""What people command about leads: make, change, merge, split, state consent. Each locks whole trees in id order."""

from collections.abc import Mapping
from uuid import UUID

from services.ingest.domain.identity import TREE_MEMBERS_MAX
from services.ingest.domain.keys import Key, KeyKind, email_of, keys_of, phone_of
from services.ingest.domain.observation import Company, ConsentClaim, Observation, Operation, Person
from services.ingest.store import identity
from services.ingest.usecases.commanding import command_delivery, ensure_api_source, user_of
from services.ingest.usecases.normalise import KeyedHash, finish, handle, open_trees
from services.ingest.usecases.normalise.consenting import claim_consent
from services.ingest.usecases.normalise.draft import Draft
from services.ingest.usecases.normalise.reading import Item
from shared.db.engine import Tx
from shared.errors import FieldError, NotFound, PreconditionFailed, Refused

__all__ = ["create_lead", "merge_leads", "patch_lead", "split_lead", "state_consent", "version_of"]


async def create_lead(
    tx: Tx,
    *,
    person: Person,
    traits: Mapping[str, str],
    company: Company,
    consents: tuple[ConsentClaim, ...],
    entry_channel: str | None,
    by: str,
    hashed: KeyedHash,
) -> tuple[UUID, bool]:
    """(root of the person, whether the lead is new). Raises Refused when nothing identifies him, or he was erased."""
    if not keys_of(person):
        error = FieldError("/email", "missing", "give an e-mail, user_id, phone with country code, or external id")
        raise Refused("A lead needs an identifier.", errors=[error])
    await ensure_api_source(tx)
    observation = Observation(
        operation=Operation.IDENTIFY,
        person=person,
        traits=traits,
        company=company,
        consents=consents,
        entry_channel=entry_channel,
    )
    delivery = command_delivery(tx.now, by=by, observation=observation)
    draft = await handle(tx, [delivery], hashed=hashed)
    if not draft.touched:
        raise Refused("This person was erased and stays out.", slug="suppressed")
    member_id = next(iter(draft.touched))
    return draft.identities.members[member_id].root_id, draft.result(delivery.items[0]).leads_new > 0


async def patch_lead(
    tx: Tx, lead_id: UUID, *, fields: Mapping[str, str], seen: str, by: str, hashed: KeyedHash
) -> UUID:
    """State profile fields of a lead; its root. Raises NotFound, PreconditionFailed, Refused for a taken identifier."""
    keys = _keys_of_fields(fields)
    taken = await _claim(tx, lead_id, keys, hashed)
    draft, item = await _opened(tx, [lead_id], by=by, hashed=hashed)
    root = draft.identities.members[lead_id].root_id
    if seen not in {version_of(draft), "*"}:
        raise PreconditionFailed("Read it again, decide again, and send the new ETag in If-Match.")
    if any(owner not in draft.identities.tree(lead_id) for owner in taken):
        raise Refused("This e-mail or phone belongs to another lead: merge the two instead.", slug="identifier_taken")
    draft.touched[lead_id] = item
    if keys:
        draft.identities.know(lead_id)
    draft.stated.append((lead_id, fields, item))
    await finish(tx, draft)
    return root


async def merge_leads(tx: Tx, lead_id: UUID, *, into_lead_id: UUID, by: str, hashed: KeyedHash) -> UUID:
    """Join the person of a lead to another person; the root that stays. Nothing happens when they are one already.

    Raises NotFound, Refused above TREE_MEMBERS_MAX members.
    """
    draft, item = await _opened(tx, [lead_id, into_lead_id], by=by, hashed=hashed)
    moving, staying = (draft.identities.members[one].root_id for one in (lead_id, into_lead_id))
    if moving == staying:
        return staying
    if len(draft.identities.tree(moving)) + len(draft.identities.tree(staying)) > TREE_MEMBERS_MAX:
        raise Refused(f"A person may have at most {TREE_MEMBERS_MAX} members.", slug="tree_too_large")
    draft.merges.append((draft.identities.join(moving, staying, reason="command"), item))
    draft.touched[moving] = draft.touched[staying] = item
    await finish(tx, draft)
    return staying


async def split_lead(tx: Tx, lead_id: UUID, *, by: str, hashed: KeyedHash) -> UUID:
    """Undo a merge: the member is a person of its own again, with the facts that came in for it; its id.

    Raises NotFound, Refused for a lead that is the root of its tree.
    """
    draft, item = await _opened(tx, [lead_id], by=by, hashed=hashed)
    former = draft.identities.part(lead_id)
    if former is None:
        raise Refused("This lead is not merged into another: split one of its members.", slug="not_merged")
    draft.splits.append((lead_id, former, item))
    draft.touched[lead_id] = draft.touched[former] = item
    await finish(tx, draft)
    return lead_id


async def state_consent(tx: Tx, lead_id: UUID, claim: ConsentClaim, *, by: str, hashed: KeyedHash) -> UUID:
    """Record what the person, or somebody for him, said about one purpose; his root. Raises NotFound."""
    draft, item = await _opened(tx, [lead_id], by=by, hashed=hashed)
    draft.touched[lead_id] = item
    claim_consent(draft, lead_id, item, claim)
    await finish(tx, draft)
    return draft.identities.members[lead_id].root_id


def version_of(draft: Draft) -> str:
    """The version of a person: grows with every change of profile, link or tree of any member."""
    rows = draft.leads.values()
    return f"{sum(row.profile_version for row in rows)}.{sum(row.link_version + row.identity_version for row in rows)}"


async def _opened(tx: Tx, lead_ids: list[UUID], *, by: str, hashed: KeyedHash) -> tuple[Draft, Item]:
    await ensure_api_source(tx)
    delivery = command_delivery(tx.now, by=by)
    draft = await open_trees(tx, lead_ids, delivery, hashed=hashed)
    draft.by_user_id = user_of(by)
    item = delivery.items[0]
    draft.result(item).operations = 1
    for lead_id in lead_ids:
        if lead_id not in draft.leads or draft.leads[lead_id].erased_at is not None:
            raise NotFound("There is no lead with this id.")
    return draft, item


def _keys_of_fields(fields: Mapping[str, str]) -> list[Key]:
    """The identifiers among profile fields. Raises Refused for one that is malformed."""
    keys = []
    for name, kind, read in (("email", KeyKind.EMAIL, email_of), ("phone", KeyKind.PHONE, phone_of)):
        if name in fields:
            value = read(fields[name])
            if value is None:
                raise Refused(
                    "An identifier is malformed.", errors=[FieldError(f"/{name}", "malformed", "see SENDERS")]
                )
            keys.append(Key(kind, value))
    return keys


async def _claim(tx: Tx, lead_id: UUID, keys: list[Key], hashed: KeyedHash) -> list[UUID]:
    """Make the keys for this lead where nobody has them; the owners of the others."""
    if not keys:
        return []
    if await identity.suppressed(tx, [hashed.of(key) for key in keys]):
        raise Refused("This person was erased and stays out.", slug="suppressed")
    rows = await identity.claim_keys(tx, {hashed.of(key): lead_id for key in keys})
    return [row.lead_id for row in rows.values() if not row.is_new]
