"""The life of a draft: draft -> checked -> signed by one -> signed by both -> published.

A published version is superseded.

Two signatures of two different people, one per team; an edit loses the check and both signatures; an admin cannot
sign. A published version never changes and never applies backwards. Pure: each step returns the draft after it, or
why it is refused. DOMAIN 1.

draft --check--> checked --sign--> signed by one --sign--> signed by both --publish--> published --> superseded ^ |
| | +------ edit ----+--------------------+------------------------+
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.contracts.agreement import Agreement, canonical_json, sha256_of

TEAMS = ("marketing", "sales")


class Stage(StrEnum):
    """Where a draft stands; derived from what was done to it, never stored beside it."""

    DRAFT = "draft"
    CHECKED = "checked"
    SIGNED_BY_ONE = "signed_by_one"
    SIGNED_BY_BOTH = "signed_by_both"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a step is refused, and what to do next."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Signed:
    """One team's consent to exactly this document."""

    user_id: UUID
    team: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """A next version in the making. `edition` grows with each edit; `checked_sha256` names the document that passed."""

    draft_id: UUID
    agreement_id: str
    edition: int
    document: str
    checked_sha256: str = ""
    signatures: tuple[Signed, ...] = ()
    published_version: int | None = None

    @property
    def sha256(self) -> str:
        """Hash of the document as it stands: what is checked and signed."""
        return sha256_of(self.document)

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        if self.published_version is not None:
            return Stage.PUBLISHED
        if self.checked_sha256 != self.sha256:
            return Stage.DRAFT
        return (Stage.CHECKED, Stage.SIGNED_BY_ONE, Stage.SIGNED_BY_BOTH)[len(self.signatures)]


def edit(draft: Draft, agreement: Agreement) -> Draft | Refusal:
    """The draft with another document: its check and its signatures are gone, even if only a comma changed."""
    if draft.published_version is not None:
        return Refusal("published", f"version {draft.published_version} is published; begin a new draft from it")
    return replace(
        draft, document=canonical_json(agreement), edition=draft.edition + 1, checked_sha256="", signatures=()
    )


def mark_checked(draft: Draft, *, sha256: str) -> Draft | Refusal:
    """The draft as checked, if the document that was checked is still the one that stands."""
    if draft.published_version is not None:
        return Refusal("published", "a published version needs no check")
    if sha256 != draft.sha256:
        return Refusal("edited_meanwhile", "the draft was edited while it was checked; check it again")
    return replace(draft, checked_sha256=sha256)


def sign(draft: Draft, *, user_id: UUID, team: str, role: str, now: datetime) -> Draft | Refusal:
    """The draft with this person's signature for their team."""
    refusal = _may_not_sign(draft, user_id=user_id, team=team, role=role)
    if refusal is not None:
        return refusal
    signed = Signed(user_id=user_id, team=team, signed_at=now)
    return replace(draft, signatures=tuple(sorted((*draft.signatures, signed), key=lambda each: each.team)))


def publish(draft: Draft, *, version: int, effective_from: datetime, now: datetime) -> Draft | Refusal:
    """The draft as the given version, decisive from `effective_from`, which may not lie in the past.

    Version and date are written into the document: they are not what was negotiated, so the signatures stand.
    """
    if draft.stage is Stage.PUBLISHED:
        return Refusal("published", f"it is already published as version {draft.published_version}")
    if draft.stage is not Stage.SIGNED_BY_BOTH:
        missing = [team for team in TEAMS if team not in {each.team for each in draft.signatures}]
        return Refusal("unsigned", f"it needs the signature of {' and '.join(missing)} first")
    if effective_from < now:
        return Refusal("backwards", "an agreement never applies backwards; choose a date from now on")
    agreement = Agreement.model_validate_json(draft.document)
    identity = agreement.agreement.model_copy(
        update={"id": draft.agreement_id, "version": version, "effective_from": effective_from}
    )
    document = canonical_json(agreement.model_copy(update={"agreement": identity}))
    return replace(draft, document=document, checked_sha256=sha256_of(document), published_version=version)


def _may_not_sign(draft: Draft, *, user_id: UUID, team: str, role: str) -> Refusal | None:
    if role == "admin":
        return Refusal("admin", "an admin keeps the system and is not a party; a person of the team signs")
    if team not in TEAMS:
        return Refusal("no_team", "only a person of Marketing or Sales can sign")
    if draft.stage is Stage.PUBLISHED:
        return Refusal("published", "it is already published")
    if draft.stage is Stage.DRAFT:
        return Refusal("unchecked", "check the draft first: only a checked document can be signed")
    if any(each.user_id == user_id for each in draft.signatures):
        return Refusal("signed_already", "one person cannot sign for both teams, nor twice")
    if any(each.team == team for each in draft.signatures):
        return Refusal("team_signed", f"{team} has already signed this document")
    return None
