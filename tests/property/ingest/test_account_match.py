"""The same facts give the same accounts in any order of arrival; free mail and declared names make none."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.accounts import AccountKey, account_keys, link, new_account_id
from services.ingest.domain.keys import email_of
from services.ingest.domain.observation import Company

_FORMS = ("", ", Inc.", " GmbH", " GMBH & Co. KG", " Ltd")
_FREE = ("gmail.com", "web.de", "mailinator.com")


class Fact(NamedTuple):
    """What one lead says of its company; number names the company itself."""

    number: int
    email: str | None
    company: Company


def _name(number: int) -> st.SearchStrategy[str]:
    spelt = st.sampled_from([f"Acme {number}", f"ACME {number}", f" acme  {number} "])
    return st.builds("{}{}".format, spelt, st.sampled_from(_FORMS))


@st.composite
def _telling(draw: st.DrawFn) -> Fact:
    """By an address or a site of the company, with or without its CRM id and name."""
    number = draw(st.integers(1, 3))
    host = f"acme{number}.example"
    external = draw(st.none() | st.sampled_from([("CRM", str(number)), ("crm", str(number))]))
    name = draw(st.none() | _name(number))
    if draw(st.booleans()):
        mail = email_of(draw(st.sampled_from([f"kim@{host}", f" Lee@{host.upper()}"])))
        return Fact(number, mail, Company(name=name, external=external))
    site = draw(st.sampled_from([host, f"https://www.{host}/jobs", f"HTTP://{host.upper()}"]))
    other = draw(st.none() | st.sampled_from([f"kim@{free}" for free in _FREE]))
    return Fact(number, other, Company(name=name, external=external, domain=site))


@st.composite
def _naming(draw: st.DrawFn) -> Fact:
    """By a declared name alone, or with an address that says nothing."""
    number = draw(st.integers(1, 3))
    mail = draw(st.none() | st.sampled_from([f"kim@{free}" for free in _FREE]))
    return Fact(number, mail, Company(name=draw(_name(number))))


def _tells(fact: Fact) -> bool:
    """Whether it names a domain of a company."""
    return any(key.kind == "domain" for key in account_keys(fact.email, fact.company))


def _linked(facts: Sequence[Fact]) -> tuple[list[UUID | None], set[UUID]]:
    """The account of each fact as it arrives, and the accounts made on the way; the first owner of a key keeps it."""
    owners: dict[AccountKey, UUID] = {}
    found: list[UUID | None] = []
    for fact in facts:
        keys = account_keys(fact.email, fact.company)
        linked = link(keys, owners)
        found.append(None if linked is None else linked.account_id)
        if linked is not None:
            for key in keys:
                owners.setdefault(key, linked.account_id)
    return found, set(owners.values())


@settings(max_examples=100)
@given(facts=st.lists(_telling() | _naming(), min_size=1, max_size=10), data=st.data())
def test_the_same_facts_give_the_same_accounts_in_any_order(facts: list[Fact], data: st.DataObject) -> None:
    """Once all was said: a name that nobody had tied to an account yet is found when it is told again."""
    expected = {number: new_account_id(AccountKey("domain", f"acme{number}.example")) for number in (1, 2, 3)}
    order = data.draw(st.permutations(facts))
    found, made = _linked([*order, *order])
    telling = [fact for fact in facts if _tells(fact)]
    named, tied = {fact.number for fact in telling}, {fact.number for fact in telling if fact.company.name}
    assert made == {expected[number] for number in named}
    for fact, account_id in zip(order, found[len(order) :], strict=True):
        is_found = _tells(fact) or fact.number in tied
        assert account_id == (expected[fact.number] if is_found else None)


@settings(max_examples=60)
@given(facts=st.lists(_naming(), max_size=10))
def test_declared_names_and_free_mail_never_make_an_account(facts: list[Fact]) -> None:
    found, made = _linked(facts)
    assert made == set()
    assert set(found) <= {None}


@settings(max_examples=60)
@given(first=_telling(), names=st.lists(_naming(), max_size=8))
def test_a_declared_name_never_makes_a_company_a_second_account(first: Fact, names: list[Fact]) -> None:
    _, made = _linked([*names, first, *names])
    assert made == {new_account_id(AccountKey("domain", f"acme{first.number}.example"))}
