"""A lead as handoff mirrors it: each event carries a version, a lower one changes nothing, so order does not matter.

Pure: takes the row as stored, gives the row after. What it means for handoffs is decided in the use cases.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.handoff.domain.copies import replace
from services.handoff.domain.things import LeadView
from shared.contracts.kinds import ConsentPurpose
from shared.contracts.leads import LeadConsentChanged, LeadIdentified, LeadLinked
from shared.contracts.scores import LeadScored
from shared.ids import AccountId, LeadId

__all__ = ["Lead", "consented", "erased", "identified", "linked", "moved", "new_lead", "root_of", "scored", "view_of"]

# Without these two a person may be neither scored nor called; `sharing` is about others.
_ROUTING_PURPOSES = frozenset({ConsentPurpose.PROFILING.value, ConsentPurpose.CONTACT.value})


@dataclass(frozen=True, slots=True)
class Lead:
    """A member of a person's tree. consents: purpose to (version, is_allowed); facts are texts by name."""

    id: LeadId
    root_id: LeadId
    parent_id: LeadId | None = None
    identity_version: int = 0
    account_id: AccountId | None = None
    link_version: int = 0
    profile_version: int = 0
    consents: Mapping[str, tuple[int, bool]] = field(default_factory=dict)
    is_suppressed: bool = False
    is_erased: bool = False
    score_version: int = 0
    qualified_number: int = 0
    demoted_number: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    external: tuple[tuple[str, str], ...] = ()

    @property
    def has_consent(self) -> bool:
        """Whether nothing forbids to score and call; a lead of which nothing is known yet is allowed.

        Scoring never qualifies somebody without consent, so a qualification says that there was one.
        """
        return all(allowed for purpose, (_, allowed) in self.consents.items() if purpose in _ROUTING_PURPOSES)


def new_lead(lead_id: LeadId) -> Lead:
    """A lead that an event names for the first time: its own root."""
    return Lead(lead_id, lead_id)


def identified(lead: Lead, event: LeadIdentified) -> Lead:
    """The derived attributes changed."""
    if event.profile_version <= lead.profile_version:
        return lead
    named = event.model_dump(
        mode="json", exclude={"lead_id", "profile_version", "external", "is_known"}, exclude_none=True
    )
    return replace(
        lead,
        profile_version=event.profile_version,
        facts={**lead.facts, **_texts(named), "is_known": _text(event.is_known)},
        external=tuple((each.system, each.id) for each in event.external),
    )


def linked(lead: Lead, event: LeadLinked) -> Lead:
    """It belongs to an account."""
    if event.link_version <= lead.link_version:
        return lead
    return replace(lead, link_version=event.link_version, account_id=AccountId(event.account_id))


def consented(lead: Lead, event: LeadConsentChanged) -> Lead:
    """The permission for one purpose changed."""
    purpose = str(event.purpose)
    version, _ = lead.consents.get(purpose, (0, True))
    if event.consent_version <= version:
        return lead
    return replace(lead, consents={**lead.consents, purpose: (event.consent_version, event.is_allowed)})


def erased(lead: Lead) -> Lead:
    """The person was erased: nothing that was derived from it stays."""
    return replace(lead, is_erased=True, is_suppressed=True, facts={}, external=())


def scored(lead: Lead, event: LeadScored) -> Lead:
    """A displayed number changed."""
    if event.score_version <= lead.score_version:
        return lead
    named: dict[str, object] = {
        "score": event.score,
        "fit": event.fit,
        "engagement": event.engagement,
        "is_qualified": event.is_qualified,
    }
    return replace(lead, score_version=event.score_version, facts={**lead.facts, **_texts(named)})


def moved(lead: Lead, *, parent_id: LeadId | None, root_id: LeadId, version: int) -> Lead:
    """The member hangs on another lead, or on none (its own root)."""
    return replace(lead, parent_id=parent_id, root_id=root_id, identity_version=version)


def root_of(leads: Mapping[LeadId, Lead], lead_id: LeadId) -> LeadId:
    """The end of a lead's pointers; in a ring, which two moves overtaking each other can make for a while, the least.

    `leads` holds the whole tree.
    """
    seen = [lead_id]
    while (parent_id := leads[seen[-1]].parent_id) is not None and parent_id in leads:
        if parent_id in seen:
            return min(seen[seen.index(parent_id) :])
        seen.append(parent_id)
    return seen[-1]


def view_of(lead: Lead, *, account_facts: Mapping[str, str], more: Mapping[str, str]) -> LeadView:
    """The lead as routing and tier conditions see it; its own facts go before those of its account."""
    return LeadView(
        id=lead.id,
        root_id=lead.root_id,
        account_id=lead.account_id,
        is_suppressed=lead.is_suppressed,
        has_consent=lead.has_consent,
        is_erased=lead.is_erased,
        facts={**account_facts, **lead.facts, **more},
    )


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    return {name: _text(value) for name, value in values.items()}


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
