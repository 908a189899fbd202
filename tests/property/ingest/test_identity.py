"""Who is who depends on the set of claims, not on order or repeats; an anonymous id never joins two known people."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.identity import TREE_MEMBERS_MAX, Identities, Member
from services.ingest.domain.keys import Key, KeyKind
from shared.ids import derived_id

AT = datetime(2026, 6, 1, tzinfo=UTC)
STRENGTH = list(KeyKind)
Claim = tuple[Key, ...]


def key_of(kind: KeyKind) -> st.SearchStrategy[Key]:
    return st.integers(0, 4).map(lambda number: Key(kind, f"{kind}{number}"))


def claim_of(*kinds: KeyKind) -> st.SearchStrategy[Claim]:
    """At least one key, each kind at most once, strongest first."""
    return (
        st.tuples(*(st.none() | key_of(kind) for kind in kinds))
        .map(lambda keys: tuple(key for key in keys if key is not None))
        .filter(bool)
    )


STRONG = claim_of(KeyKind.CRM, KeyKind.EMAIL, KeyKind.USER)
ANY = claim_of(*STRENGTH)


def taken(claims: Sequence[Claim], *, is_verified: bool = True) -> Identities:
    """The identities after these claims, each as its own observation."""
    identities = Identities(owners={}, members=())
    for number, claim in enumerate(claims):
        resolution = identities.resolve(claim, is_verified=is_verified, new_id=derived_id("new", number), now=AT)
        assert resolution.member_id in identities.tree(resolution.root_id)
    return identities


def people(identities: Identities) -> set[frozenset[Key]]:
    """Which keys are of one person."""
    found: dict[UUID, set[Key]] = {}
    for key, owner in identities.owners.items():
        found.setdefault(identities.members[owner].root_id, set()).add(key)
    return {frozenset(keys) for keys in found.values()}


def components(claims: Sequence[Claim]) -> set[frozenset[Key]]:
    """The connected components of the claims: what a careful clerk would find."""
    groups: list[set[Key]] = []
    for claim in claims:
        touching = [group for group in groups if group & set(claim)]
        groups = [group for group in groups if group not in touching] + [set(claim).union(*touching)]
    return {frozenset(group) for group in groups}


@settings(max_examples=60)
@given(claims=st.lists(STRONG, max_size=14), data=st.data())
def test_verified_claims_give_the_same_people_in_any_order_and_with_repeats(
    claims: list[Claim], data: st.DataObject
) -> None:
    expected = components(claims)
    order = data.draw(st.permutations(claims + data.draw(st.lists(st.sampled_from(claims or [()]), max_size=4))))
    assert people(taken([claim for claim in order if claim])) == expected
    assert people(taken(claims)) == expected


@settings(max_examples=60)
@given(claims=st.lists(ANY, max_size=16), is_verified=st.booleans())
def test_trees_stay_whole_and_bounded_and_every_key_has_one_owner(claims: list[Claim], *, is_verified: bool) -> None:
    identities = taken(claims, is_verified=is_verified)
    assert set(identities.owners) == {key for claim in claims for key in claim}
    for lead_id, member in identities.members.items():
        root = identities.members[member.root_id]
        assert root.parent_id is None
        assert (member.parent_id is None) == (member.root_id == lead_id)
        above, steps = member, 0
        while above.parent_id is not None:
            above, steps = identities.members[above.parent_id], steps + 1
            assert steps <= TREE_MEMBERS_MAX
        assert above.lead_id == member.root_id
        assert len(identities.tree(lead_id)) <= TREE_MEMBERS_MAX


@settings(max_examples=60)
@given(claims=st.lists(ANY, max_size=16))
def test_people_are_only_joined_by_a_strong_key_two_claims_share(claims: list[Claim]) -> None:
    """What is one person is connected without anonymous ids, but for visitors who became known."""
    identities = taken(claims)
    strong = [tuple(key for key in claim if key.kind in STRENGTH[:3]) for claim in claims]
    allowed = components([claim for claim in strong if claim])
    for group in people(identities):
        named = frozenset(key for key in group if key.kind in STRENGTH[:3])
        assert not named or named in allowed


@settings(max_examples=60)
@given(claims=st.lists(ANY, max_size=12))
def test_unverified_claims_never_merge_two_known_people(claims: list[Claim]) -> None:
    identities = Identities(owners={}, members=())
    for number, claim in enumerate(claims):
        known = {lead_id for lead_id in identities.members if identities.is_known(lead_id)}
        roots = {lead_id: identities.members[lead_id].root_id for lead_id in known}
        identities.resolve(claim, is_verified=False, new_id=derived_id("new", number), now=AT)
        after = {lead_id: identities.members[lead_id].root_id for lead_id in known}
        assert len(set(after.values())) == len(set(roots.values()))


@settings(max_examples=60)
@given(data=st.data(), size=st.integers(2, 12))
def test_a_split_undoes_a_merge_in_any_tree(data: st.DataObject, size: int) -> None:
    leads = [derived_id("lead", number) for number in range(size)]
    alone = [Member(one, one, None, is_known=True, created_at=AT, identity_version=1) for one in leads]
    identities = Identities(owners={}, members=alone)
    for one in leads[1:]:
        into = identities.members[data.draw(st.sampled_from(leads))].root_id
        if identities.members[one].root_id != into and identities.members[one].parent_id is None:
            identities.join(one, into, reason="command")
    before = dict(identities.members)
    leaving = data.draw(st.sampled_from(leads))
    former = identities.part(leaving)
    if former is None:
        assert identities.members == before
        return
    assert leaving not in identities.tree(former)
    assert identities.members[leaving].identity_version == before[leaving].identity_version + 1
    identities.join(leaving, former, reason="command")
    assert {lead: member.root_id for lead, member in identities.members.items()} == {
        lead: member.root_id for lead, member in before.items()
    }
