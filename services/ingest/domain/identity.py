"""Decides to whom a claim of identifiers belongs: a new lead, a known one, a merge of two, or ambiguous.

`Identities` is what is known of the keys of one batch, loaded under locks; `resolve` applies one claim to it and says
what changed. It must not know storage. Invariants: a key has one owner; an anonymous id never merges two known
people; a tree holds at most TREE_MEMBERS_MAX members; repeats of a claim change nothing (DECISIONS section 1).

    no key owned                      -> new lead
    one person owns, others unowned   -> adopt the others
    only an anonymous lead + new keys -> the anonymous lead becomes known
    anonymous lead + known person     -> merge (became_known)
    two known, verified strong keys   -> merge (verified_email, crm_id)
    two known, by an anonymous id     -> ambiguous: the anonymous id moves to the latest person
    two known, unverified claim       -> ambiguous: nothing moves but the anonymous id
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from services.ingest.domain.keys import Key, KeyKind

__all__ = ["TREE_MEMBERS_MAX", "Identities", "Member", "Merge", "Resolution", "joined", "parted"]

TREE_MEMBERS_MAX: Final = 50  # a bigger tree is a shared address or an error, and every fold would read all of it
_STRONG: Final = (KeyKind.CRM, KeyKind.EMAIL, KeyKind.USER)


@dataclass(frozen=True, slots=True)
class Member:
    """A lead as a member of a tree. `is_known` is of the lead itself; a tree is known when one member is."""

    lead_id: UUID
    root_id: UUID
    parent_id: UUID | None
    is_known: bool
    created_at: datetime
    identity_version: int


@dataclass(frozen=True, slots=True)
class Merge:
    """The root `lead_id` becomes a child of `into_lead_id`; both were roots."""

    lead_id: UUID
    into_lead_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """The answer to one claim.

    `member_id` owned the strongest key given (or owns it now), `root_id` is its person now. `moved` is the
    anonymous key that changed hands.
    """

    member_id: UUID
    root_id: UUID
    is_new: bool = False
    became_known: bool = False
    is_ambiguous: bool = False
    is_refused_merge: bool = False
    merges: tuple[Merge, ...] = ()
    moved: Key | None = None


class Identities:
    """The owners of keys and the trees of their leads, as one batch sees and changes them."""

    def __init__(self, *, owners: Mapping[Key, UUID], members: Iterable[Member]) -> None:
        self.owners = dict(owners)
        self.members = {member.lead_id: member for member in members}
        self._trees: dict[UUID, set[UUID]] = {}
        for member in self.members.values():
            self._trees.setdefault(member.root_id, set()).add(member.lead_id)

    def tree(self, lead_id: UUID) -> frozenset[UUID]:
        """All members of the tree this lead is in."""
        return frozenset(self._trees[self.members[lead_id].root_id])

    def is_known(self, lead_id: UUID) -> bool:
        """Whether somebody in the tree of this lead is known."""
        return any(self.members[member].is_known for member in self.tree(lead_id))

    def resolve(self, keys: Sequence[Key], *, is_verified: bool, new_id: UUID, now: datetime) -> Resolution:
        """Apply one claim: these keys (strongest first, at least one) are of one person.

        `is_verified` is false for public browser keys: these may name a person, never join two known ones.
        """
        assert keys, "a claim names at least one key"
        if (own := self._owner_of_all(keys)) is not None:  # nearly every claim: nothing is new
            return Resolution(own, self._root(own))
        strong = [key for key in keys if key.kind in _STRONG]
        anonymous = next((key for key in keys if key.kind is KeyKind.ANONYMOUS), None)
        merges: list[Merge] = []
        is_ambiguous = is_refused = False

        owner, owner_ambiguous = self._strong_owner(strong, is_verified=is_verified, merges=merges)
        is_ambiguous |= owner_ambiguous
        phone = next((key for key in keys if key.kind is KeyKind.PHONE), None)
        if owner is None and phone is not None and not strong:
            owner = self.owners.get(phone)
        moved = None
        anonymous_owner = None if anonymous is None else self.owners.get(anonymous)
        if anonymous_owner is not None:
            if owner is None and (not strong or not self.is_known(anonymous_owner)):
                owner = anonymous_owner
            elif owner is None or self._root(owner) != self._root(anonymous_owner):
                if owner is not None and not self.is_known(anonymous_owner):
                    is_refused = not self._merge(anonymous_owner, owner, reason="became_known", merges=merges)
                else:
                    moved, is_ambiguous = anonymous, True

        is_new = owner is None
        if owner is None:
            owner = new_id
            self._add(Member(new_id, new_id, None, is_known=False, created_at=now, identity_version=1))
        for key in keys:
            self.owners.setdefault(key, owner)
        if moved is not None:
            self.owners[moved] = owner
        became_known = self._know(owner, keys)
        return Resolution(
            member_id=owner,
            root_id=self._root(owner),
            is_new=is_new,
            became_known=became_known,
            is_ambiguous=is_ambiguous,
            is_refused_merge=is_refused or (owner_ambiguous and is_verified),
            merges=tuple(merges),
            moved=moved,
        )

    def _owner_of_all(self, keys: Sequence[Key]) -> UUID | None:
        """The one lead that owns all these keys and is as known as they make it; None when there is none."""
        own = self.owners.get(keys[0])
        if own is None or any(self.owners.get(key) != own for key in keys[1:]):
            return None
        is_settled = self.members[own].is_known or all(key.kind is KeyKind.ANONYMOUS for key in keys)
        return own if is_settled else None

    def join(self, lead_id: UUID, into_lead_id: UUID, *, reason: str) -> Merge:
        """Move root `lead_id` with its tree under root `into_lead_id`; the caller has checked the bound."""
        tree = [self.members[member] for member in self.tree(lead_id)]
        for member in joined(tree, lead_id=lead_id, into_lead_id=into_lead_id):
            self.members[member.lead_id] = member
        self._trees[into_lead_id] |= self._trees.pop(lead_id)
        return Merge(lead_id, into_lead_id, reason)

    def part(self, lead_id: UUID) -> UUID | None:
        """Take a member out of its tree with all below it; the root it left, or None when it is a root."""
        former = self.members[lead_id].root_id
        changed = parted([self.members[member] for member in self.tree(lead_id)], lead_id=lead_id)
        if not changed:
            return None
        for member in changed:
            self.members[member.lead_id] = member
        self._trees[lead_id] = {member.lead_id for member in changed}
        self._trees[former] -= self._trees[lead_id]
        return former

    def _strong_owner(
        self, strong: Sequence[Key], *, is_verified: bool, merges: list[Merge]
    ) -> tuple[UUID | None, bool]:
        """The owner of the strongest owned key, after merging the others into one person where that is allowed."""
        owned = [(key, self.owners[key]) for key in strong if key in self.owners]
        if not owned:
            return None, False
        first = owned[0][1]
        is_ambiguous = False
        for key, other in owned[1:]:
            if self._root(other) == self._root(first):
                continue
            reason = "crm_id" if owned[0][0].kind is KeyKind.CRM else "verified_email"
            if not is_verified or not self._merge(other, first, reason=reason, merges=merges):
                is_ambiguous = True
            assert key in self.owners, "a merge never takes a key away"
        return first, is_ambiguous

    def _merge(self, one: UUID, other: UUID, *, reason: str, merges: list[Merge]) -> bool:
        roots = self._root(one), self._root(other)
        if len(self._trees[roots[0]]) + len(self._trees[roots[1]]) > TREE_MEMBERS_MAX:
            return False
        survivor, moving = self._survivor(*roots)
        merges.append(self.join(moving, survivor, reason=reason))
        return True

    def _survivor(self, one: UUID, other: UUID) -> tuple[UUID, UUID]:
        """(survivor, moving): the known one, then the older, then the lower id."""
        ranked = sorted((one, other), key=lambda root: (not self.is_known(root), self.members[root].created_at, root))
        return ranked[0], ranked[1]

    def know(self, lead_id: UUID) -> None:
        """The lead has an identifier of a person now."""
        self.members[lead_id] = replace(self.members[lead_id], is_known=True)

    def _know(self, owner: UUID, keys: Sequence[Key]) -> bool:
        if self.members[owner].is_known or all(key.kind is KeyKind.ANONYMOUS for key in keys):
            return False
        self.know(owner)
        return True

    def _root(self, lead_id: UUID) -> UUID:
        return self.members[lead_id].root_id

    def _add(self, member: Member) -> None:
        self.members[member.lead_id] = member
        self._trees[member.root_id] = {member.lead_id}


def joined(members: Iterable[Member], *, lead_id: UUID, into_lead_id: UUID) -> tuple[Member, ...]:
    """The members that change when root `lead_id` moves under root `into_lead_id`: all of its tree."""
    changed = []
    for member in members:
        if member.lead_id == lead_id:
            version = member.identity_version + 1
            changed.append(replace(member, parent_id=into_lead_id, root_id=into_lead_id, identity_version=version))
        elif member.root_id == lead_id:
            changed.append(replace(member, root_id=into_lead_id))
    return tuple(changed)


def parted(members: Sequence[Member], *, lead_id: UUID) -> tuple[Member, ...]:
    """The members that change when `lead_id` leaves its parent: itself as a root again, and all below it.

    () when it is a root already: a second split does nothing.
    """
    by_id = {member.lead_id: member for member in members}
    leaving = by_id[lead_id]
    if leaving.parent_id is None:
        return ()
    version = leaving.identity_version + 1
    changed = [replace(leaving, parent_id=None, root_id=lead_id, identity_version=version)]
    for member in members:
        above = member.parent_id
        while above is not None and above != lead_id:
            above = by_id[above].parent_id
        if above == lead_id:
            changed.append(replace(member, root_id=lead_id))
    return tuple(changed)
