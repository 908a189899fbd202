"""Keys, claims, accounts: one rule per test."""

from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.domain.accounts import (
    AccountKey,
    account_domain,
    account_keys,
    link,
    new_account_id,
    normalised_name,
    staff_band,
)
from services.ingest.domain.identity import TREE_MEMBERS_MAX, Identities, Member, Resolution, parted
from services.ingest.domain.keys import Key, KeyKind, email_of, keys_of, phone_of
from services.ingest.domain.observation import Company, Person
from shared.ids import derived_id

AT = datetime(2026, 6, 10, tzinfo=UTC)


def key(text: str) -> Key:
    kind, _, value = text.partition(":")
    return Key(KeyKind(kind), value)


class Clerk:
    """Takes claims one after the other."""

    def __init__(self) -> None:
        self.identities = Identities(owners={}, members=())
        self.number = 0

    def take(self, *keys: str, is_verified: bool = True) -> Resolution:
        self.number += 1
        return self.identities.resolve(
            [key(one) for one in keys],
            is_verified=is_verified,
            new_id=derived_id(self.number),
            now=AT + timedelta(seconds=self.number),
        )


@pytest.mark.parametrize(
    "text",
    ["", " ", "kim", "kim@", "@acme.example", "a@b@c.example", "a@b.example\r\nBcc: x@y.example", "a b@c.example",
     "x" * 250 + "@a.example", "a@b..example", "kim@acme.example\x00", None],
)  # fmt: skip
def test_what_is_no_single_plain_address_is_no_key(text: str | None) -> None:
    assert email_of(text) is None


def test_an_address_has_one_spelling_and_keeps_its_dots() -> None:
    assert email_of(" Kim.Park+x@Acme.EXAMPLE ") == "kim.park+x@acme.example"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("+49 (30) 123-4567", "+49301234567"), ("0049 30 1234567", "+49301234567"), ("030 1234567", None), ("+12", None),
     ("call me", None), ("+" + "1" * 300, None), (None, None)],
)  # fmt: skip
def test_a_phone_needs_its_country(text: str | None, expected: str | None) -> None:
    assert phone_of(text) == expected


def test_keys_are_strongest_first_and_a_user_id_may_be_an_address() -> None:
    person = Person("a1", "Sam@Vendor.example", None, "+49301234567", ("CRM", "77"))
    assert [str(one.kind) for one in keys_of(person)] == ["crm", "email", "user", "phone", "anonymous"]
    assert keys_of(person)[0].value == "crm\x1f77"
    assert keys_of(Person(anonymous_id="x" * 257, user_id="a\nb", external=("", "1"))) == ()


def test_an_anonymous_lead_becomes_known_and_stays_itself() -> None:
    clerk = Clerk()
    visitor = clerk.take("anonymous:a1")
    known = clerk.take("user:u1", "anonymous:a1")
    assert (visitor.is_new, known.is_new, known.became_known) == (True, False, True)
    assert known.member_id == visitor.member_id


def test_an_anonymous_lead_merges_into_the_person_that_is_known() -> None:
    clerk = Clerk()
    visitor = clerk.take("anonymous:a1")
    person = clerk.take("user:u1")
    joined = clerk.take("user:u1", "anonymous:a1")
    assert [(one.lead_id, one.into_lead_id, one.reason) for one in joined.merges] == [
        (visitor.member_id, person.member_id, "became_known")
    ]
    assert clerk.take("user:u1", "anonymous:a1").merges == ()


def test_two_known_people_merge_by_a_strong_key_and_the_older_stays() -> None:
    clerk = Clerk()
    first, second = clerk.take("email:a@x.example"), clerk.take("user:u1")
    joined = clerk.take("email:a@x.example", "user:u1")
    assert [(one.lead_id, one.into_lead_id, one.reason) for one in joined.merges] == [
        (second.member_id, first.member_id, "verified_email")
    ]
    third = clerk.take("crm:s\x1f1")
    by_crm = clerk.take("crm:s\x1f1", "user:u1")
    assert [(one.lead_id, one.reason) for one in by_crm.merges] == [(third.member_id, "crm_id")]


def test_an_unverified_claim_names_a_person_but_joins_nobody() -> None:
    clerk = Clerk()
    first, second = clerk.take("email:a@x.example"), clerk.take("user:u1")
    claimed = clerk.take("email:a@x.example", "user:u1", "anonymous:a9", is_verified=False)
    assert (claimed.merges, claimed.is_ambiguous, claimed.member_id) == ((), True, first.member_id)
    assert clerk.identities.owners[key("user:u1")] == second.member_id


def test_an_anonymous_id_of_two_known_people_moves_to_the_latest() -> None:
    clerk = Clerk()
    clerk.take("user:sam", "anonymous:a1")
    kim = clerk.take("user:kim", "anonymous:a1")
    assert (kim.is_new, kim.is_ambiguous, kim.moved) == (True, True, key("anonymous:a1"))
    assert clerk.take("anonymous:a1").member_id == kim.member_id


def test_a_phone_finds_a_person_but_never_joins_two() -> None:
    clerk = Clerk()
    first = clerk.take("user:u1", "phone:+49301234567")
    assert clerk.take("phone:+49301234567").member_id == first.member_id
    second = clerk.take("user:u2", "phone:+49301234567")
    assert (second.is_new, second.merges) == (True, ())


def test_a_tree_never_grows_beyond_its_bound() -> None:
    clerk = Clerk()
    root = clerk.take("email:a@x.example")
    for number in range(TREE_MEMBERS_MAX - 1):
        clerk.take(f"user:u{number}")
        assert clerk.take("email:a@x.example", f"user:u{number}").merges
    clerk.take("user:late")
    refused = clerk.take("email:a@x.example", "user:late")
    assert (refused.merges, refused.is_ambiguous, refused.is_refused_merge) == ((), True, True)
    assert len(clerk.identities.tree(root.member_id)) == TREE_MEMBERS_MAX
    clerk.take("anonymous:late")
    assert clerk.take("email:a@x.example", "anonymous:late").is_refused_merge


def test_a_split_takes_along_what_was_merged_below() -> None:
    root, middle, leaf, other = (derived_id(name) for name in ("root", "middle", "leaf", "other"))
    tree = [
        Member(root, root, None, is_known=True, created_at=AT, identity_version=1),
        Member(middle, root, root, is_known=True, created_at=AT, identity_version=2),
        Member(leaf, root, middle, is_known=False, created_at=AT, identity_version=2),
        Member(other, root, root, is_known=False, created_at=AT, identity_version=2),
    ]
    changed = {one.lead_id: (one.parent_id, one.root_id, one.identity_version) for one in parted(tree, lead_id=middle)}
    assert changed == {middle: (None, middle, 3), leaf: (middle, middle, 2)}
    assert parted(tree, lead_id=root) == ()


# ------------------------------------------------------------------------------------------------------------- accounts
def test_free_and_disposable_mail_make_no_account() -> None:
    for address in ("kim@gmail.com", "kim@web.de", "kim@mailinator.com", "kim@localhost", None):
        assert account_domain(address) is None
    assert account_domain("kim@cs.uni.edu") == "cs.uni.edu"


def test_the_order_is_domain_crm_declared_name() -> None:
    company = Company(name="Acme, Inc.", domain="https://www.acme.example/x", external=("CRM", "7"))
    assert [(one.kind, one.value) for one in account_keys("kim@gmail.com", company)] == [
        ("domain", "acme.example"),
        ("crm", "crm\x1f7"),
        ("company_name", "acme"),
    ]
    assert account_keys("kim@beta.example", company)[0].value == "beta.example"
    assert account_keys(None, Company(name="GmbH")) == (AccountKey("company_name", "gmbh"),)
    assert account_keys(None, Company(name="...")) == ()


def test_a_declared_name_finds_an_account_and_never_makes_one() -> None:
    name, domain, crm = (
        AccountKey("company_name", "acme"),
        AccountKey("domain", "acme.example"),
        AccountKey("crm", "c\x1f1"),
    )
    known = derived_id("known")
    assert link((name,), {}) is None
    found = link((name,), {name: known})
    assert found is not None
    assert (found.account_id, found.by, found.is_new) == (known, "company_name", False)
    made = link((domain, name), {name: known})
    assert made is not None
    assert (made.account_id, made.by, made.is_new) == (new_account_id(domain), "domain", True)
    by_crm = link((domain, crm), {crm: known})
    assert by_crm is not None
    assert (by_crm.account_id, by_crm.by) == (known, "crm")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Acme, Inc.", "acme"),
        ("ACME GmbH & Co. KG", "acme"),
        ("Müller AG", "müller"),
        ("Holding", "holding"),
        (None, ""),
    ],
)
def test_names_are_compared_without_legal_forms(name: str | None, expected: str) -> None:
    assert normalised_name(name) == expected


def test_staff_bands_are_the_agreements() -> None:
    assert [staff_band(one) for one in (None, 0, 1, 10, 11, 200, 201, 1000, 5000, 5001)] == [
        None, None, "1-10", "1-10", "11-50", "51-200", "201-1000", "201-1000", "1001-5000", "5000+",
    ]  # fmt: skip
