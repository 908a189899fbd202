"""What a batch says of people: who they are, their profile and its attributes, their account; the events of it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from operator import attrgetter, itemgetter
from uuid import UUID

from services.ingest.domain.accounts import AccountKey, Linked, account_keys, link, staff_band
from services.ingest.domain.identity import TREE_MEMBERS_MAX, Resolution
from services.ingest.domain.keys import KeyKind
from services.ingest.domain.observation import Company
from services.ingest.domain.profile import attributes, newest
from services.ingest.store.accounts import AccountRow
from services.ingest.store.identity import LeadRow
from services.ingest.usecases.normalise.draft import Draft, caused_by_delivery, new_lead
from services.ingest.usecases.normalise.reading import Item
from shared.contracts.envelope import Event, Payload
from shared.contracts.leads import PROFILE_ATTRIBUTES, ExternalId, LeadIdentified, LeadLinked, LeadMerged, LeadSplit
from shared.ids import derived_id

__all__ = [
    "account_keys_of",
    "identified_event",
    "identified_events",
    "leads_shown_anew",
    "linked_event",
    "linked_events",
    "merged_events",
    "settle",
    "split_events",
    "take_identity",
]

_RANK: Mapping[str | None, int] = {"command": 3, "domain": 2, "crm": 1, "company_name": 0, None: -1}
_SHOWN = ("is_known", *PROFILE_ATTRIBUTES)
_SHOWN_OF = attrgetter(*_SHOWN)
_SHOWN_AT = itemgetter(*(tuple(LeadRow.__dataclass_fields__).index(name) for name in _SHOWN))


def take_identity(draft: Draft, resolution: Resolution, item: Item) -> None:
    """Note what one resolved claim makes of its lead: the lead itself, merges, profile fields, company, other ids."""
    member_id = resolution.member_id
    result = draft.result(item)
    if resolution.is_new:
        draft.leads[member_id] = new_lead(member_id, now=draft.now, active_at=item.timed.occurred_at)
        result.leads_new += 1
    result.ambiguous += resolution.is_ambiguous
    if resolution.is_refused_merge:
        draft.refuse(item, "tree_too_large", f"A person may have at most {TREE_MEMBERS_MAX} members: split one off.")
    draft.touched.setdefault(member_id, item)
    draft.merges.extend((merge, item) for merge in resolution.merges)
    traits = dict(item.observation.traits)
    for key in item.keys:
        if key.kind in {KeyKind.EMAIL, KeyKind.PHONE}:
            traits[key.kind.value] = key.value
        elif key.kind is KeyKind.CRM:
            _note_external(draft, member_id, key.value)
    if traits:
        draft.stated.append((member_id, traits, item))
    company = item.observation.company
    if company.external or company.domain or company.name or company.industry or company.is_target is not None:
        draft.companies.setdefault(member_id, []).append(company)
    lead = draft.leads[member_id]
    channel = item.observation.entry_channel
    if channel and (lead.entered_at is None or item.timed.occurred_at < lead.entered_at):
        lead.entry_channel, lead.entered_at = channel, item.timed.occurred_at


def settle(draft: Draft) -> None:
    """Take what was said of profiles, and derive the attributes of every changed one."""
    draft.sync()
    for member_id, traits, item in draft.stated:
        _state_profile(draft, member_id, traits, item)
    for lead_id in draft.changed_profiles:
        derived = attributes({name: stated.value for name, stated in draft.profiles[lead_id].items()})
        for name in derived.__slots__:
            setattr(draft.leads[lead_id], name, getattr(derived, name))


def identified_events(draft: Draft) -> Iterator[Event[Payload]]:
    """One event per lead that is new or shows something else than before; raises its profile_version."""
    for lead_id in leads_shown_anew(draft):
        lead, item = draft.leads[lead_id], draft.touched[lead_id]
        lead.profile_version += 1
        lead.updated_at = draft.now
        yield caused_by_delivery(
            identified_event(lead, draft.externals.get(lead_id, [])),
            item,
            event_id=derived_id("lead.identified", lead_id, lead.profile_version),
            occurred_at=item.timed.occurred_at,
            recorded_at=draft.now,
        )


def leads_shown_anew(draft: Draft) -> list[UUID]:
    """Leads that are new, or show something else than before."""
    renamed = {one for _, _, one in draft.new_externals}
    return [lead_id for lead_id in draft.touched if lead_id in renamed or _is_shown_anew(draft, lead_id)]


def _is_shown_anew(draft: Draft, lead_id: UUID) -> bool:
    before = draft.before.get(lead_id)
    return before is None or _SHOWN_OF(draft.leads[lead_id]) != _SHOWN_AT(before)


def identified_event(lead: LeadRow, externals: list[tuple[str, str]]) -> LeadIdentified:
    """What may be known of a lead outside the profile store."""
    return LeadIdentified(
        lead_id=lead.id,
        profile_version=lead.profile_version,
        external=[ExternalId(system=system, id=one) for system, one in externals],
        **{name: getattr(lead, name) for name in _SHOWN},
    )


def merged_events(draft: Draft) -> Iterator[Event[Payload]]:
    """One event per merge, in order; the member that moves and its root when the batch was through."""
    for merge, item in draft.merges:
        moved = draft.leads[merge.lead_id]
        for lead_id in draft.identities.tree(merge.lead_id):
            draft.leads[lead_id].updated_at = draft.now
        yield caused_by_delivery(
            LeadMerged(
                lead_id=merge.lead_id,
                into_lead_id=merge.into_lead_id,
                root_lead_id=moved.root_id,
                identity_version=moved.identity_version,
                reason=merge.reason,
                by_user_id=draft.by_user_id,
            ),
            item,
            event_id=derived_id("lead.merged", merge.lead_id, moved.identity_version),
            occurred_at=item.timed.occurred_at,
            recorded_at=draft.now,
        )


def split_events(draft: Draft) -> Iterator[Event[Payload]]:
    """One event per member that left its tree by command."""
    for lead_id, former, item in draft.splits:
        left = draft.leads[lead_id]
        for member in (*draft.identities.tree(lead_id), former):
            draft.leads[member].updated_at = draft.now
        yield caused_by_delivery(
            LeadSplit(
                lead_id=lead_id,
                from_lead_id=former,
                root_lead_id=left.root_id,
                identity_version=left.identity_version,
                reason="command",
                by_user_id=draft.by_user_id,
            ),
            item,
            event_id=derived_id("lead.split", lead_id, left.identity_version),
            occurred_at=item.timed.occurred_at,
            recorded_at=draft.now,
        )


def account_keys_of(draft: Draft) -> dict[UUID, tuple[tuple[AccountKey, ...], Company]]:
    """For each lead whose account may have changed: the keys of its account and what is said of it."""
    found = {}
    for lead_id in draft.touched:
        companies = draft.companies.get(lead_id, [])
        if not companies and lead_id not in draft.changed_profiles:
            continue
        company = _merged(companies)
        profile = draft.profiles.get(lead_id, {})
        if company.name is None and "company" in profile:
            company = replace(company, name=profile["company"].value)
        keys = account_keys(profile["email"].value if "email" in profile else None, company)
        if keys:
            found[lead_id] = (keys, company)
    return found


def linked_events(
    draft: Draft,
    wanted: Mapping[UUID, tuple[tuple[AccountKey, ...], Company]],
    owners: dict[AccountKey, UUID],
    accounts: dict[UUID, AccountRow],
) -> tuple[list[Event[Payload]], dict[UUID, AccountRow], dict[AccountKey, UUID]]:
    """(events, accounts to save, keys to note): each lead gets the account of its strongest key."""
    events: list[Event[Payload]] = []
    saved: dict[UUID, AccountRow] = {}
    noted: dict[AccountKey, UUID] = {}
    for lead_id, (keys, company) in wanted.items():
        linked = link(keys, owners)
        if linked is None:
            continue
        account = accounts.get(linked.account_id) or _new_account(draft, linked.account_id)
        accounts[linked.account_id] = account
        is_told = _describe(account, keys, company)
        if is_told or linked.is_new:
            account.updated_at = draft.now
            saved[account.id] = account
        for key in keys:
            if key not in owners:
                owners[key] = noted[key] = account.id
        if _relink(draft.leads[lead_id], linked) or is_told:
            lead = draft.leads[lead_id]
            lead.link_version += 1
            lead.updated_at = draft.now
            events.append(
                caused_by_delivery(
                    linked_event(lead, account),
                    draft.touched[lead_id],
                    event_id=derived_id("lead.linked", lead_id, lead.link_version),
                    occurred_at=draft.touched[lead_id].timed.occurred_at,
                    recorded_at=draft.now,
                )
            )
    return events, saved, noted


def linked_event(lead: LeadRow, account: AccountRow) -> LeadLinked:
    """The link of a lead with what is known of its account."""
    assert lead.account_id is not None, "a linked lead has an account"
    return LeadLinked(
        lead_id=lead.id,
        account_id=lead.account_id,
        link_version=lead.link_version,
        by=lead.link_by or "command",
        domain=account.domain,
        account_name=account.name or account.domain,
        industry=account.industry,
        staff_band=account.staff_band,
        country=account.country,
        is_target=account.is_target,
        is_competitor=account.is_competitor,
        is_customer=account.is_customer,
    )


def _note_external(draft: Draft, member_id: UUID, value: str) -> None:
    system, _, external_id = value.partition("\x1f")
    draft.new_externals.append((system, external_id, member_id))


def _state_profile(draft: Draft, member_id: UUID, traits: Mapping[str, str], item: Item) -> None:
    known = draft.profiles.setdefault(member_id, {})
    changed = newest(known, traits, item.timed.occurred_at)
    if changed:
        known.update(changed)
        draft.changed_profiles.add(member_id)


def _merged(companies: list[Company]) -> Company:
    """What several statements say together; a later one goes before."""
    merged = Company()
    for company in companies:
        said = {name: value for name in company.__slots__ if (value := getattr(company, name)) is not None}
        merged = replace(merged, **said)
    return merged


def _new_account(draft: Draft, account_id: UUID) -> AccountRow:
    return AccountRow(account_id, None, None, None, None, None, None, None, None, 1, draft.now, draft.now)


def _describe(account: AccountRow, keys: tuple[AccountKey, ...], company: Company) -> bool:
    """Add what was said to the account; whether that changed something shown. The typed name never travels.

    People fill what is empty; only who knows the account by an id of its own (CRM, group) changes what is known.
    """
    said = {
        "domain": next((key.value for key in keys if key.kind == "domain"), None),
        "name": company.name if company.external is not None else None,
        "industry": company.industry,
        "staff_band": staff_band(company.employees),
        "country": company.country.upper() if company.country and len(company.country) == 2 else None,
        "is_target": company.is_target,
    }
    is_changed = False
    for name, value in said.items():
        known = getattr(account, name)
        may_change = known is None or (company.external is not None and name != "domain")
        if value is not None and value != known and may_change:
            setattr(account, name, value)
            is_changed = True
    return is_changed


def _relink(lead: LeadRow, linked: Linked) -> bool:
    if lead.account_id == linked.account_id or _RANK[linked.by] < _RANK[lead.link_by]:
        return False
    lead.account_id, lead.link_by = linked.account_id, linked.by
    return True
