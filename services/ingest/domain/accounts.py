"""Decides to which account a lead belongs: by mail domain, else by CRM id, else by declared company name.

One tiebreak order for routing and for reports alike. It knows names and domains, not storage. Invariants: free-mail
domains and declared names make no account; an account's id depends on its domain or CRM id alone, so any order of
arrival makes the same ones. Accounts are never merged: a CRM id that was first told without its domain keeps its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.ingest.domain.observation import Company
from services.ingest.domain.profile import domain_of, mail_domain_kind
from shared.ids import derived_id

__all__ = [
    "AccountKey",
    "Linked",
    "account_domain",
    "account_keys",
    "link",
    "new_account_id",
    "normalised_name",
    "staff_band",
]

# Legal forms say nothing about who a company is; they are dropped from the end of its name.
_LEGAL_FORMS: Final = frozenset(
    {
        "inc", "incorporated", "corp", "corporation", "co", "company", "llc", "llp", "lp", "ltd", "limited", "plc",
        "gmbh", "ag", "kg", "kgaa", "ug", "se", "sa", "sas", "sarl", "bv", "nv", "srl", "spa", "ab", "as", "oy",
        "aps", "pty", "pvt", "sro", "zoo", "mbh", "ohg", "ev", "holding", "group", "and",
    }
)  # fmt: skip
_WORDS: Final = re.compile(r"[^\W_]+")
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
_BANDS: Final = ((10, "1-10"), (50, "11-50"), (200, "51-200"), (1000, "201-1000"), (5000, "1001-5000"))


@dataclass(frozen=True, slots=True, order=True)
class AccountKey:
    """One way to find an account: kind domain, crm or company_name, and its one spelling."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Linked:
    """The account found for a lead, by which key, and whether it must be made first."""

    account_id: UUID
    by: str
    is_new: bool


def account_keys(email: str | None, company: Company) -> tuple[AccountKey, ...]:
    """The keys of a lead's account, strongest first; () when nothing tells."""
    keys = []
    domain = account_domain(email) or _host(company.domain)
    if domain is not None:
        keys.append(AccountKey("domain", domain))
    if company.external is not None and all(company.external):
        keys.append(AccountKey("crm", f"{company.external[0].lower()}\x1f{company.external[1]}"))
    name = normalised_name(company.name)
    if name:
        keys.append(AccountKey("company_name", name))
    return tuple(keys)


def link(keys: tuple[AccountKey, ...], owners: Mapping[AccountKey, UUID]) -> Linked | None:
    """The account of the strongest key that is owned or may make one; None when only an unknown name was declared."""
    for key in keys:
        if key in owners:
            return Linked(owners[key], key.kind, is_new=False)
        if key.kind != "company_name":
            known = next((owners[other] for other in keys if other.kind == "crm" and other in owners), None)
            if key.kind == "domain" and known is not None:
                return Linked(known, "crm", is_new=False)
            return Linked(new_account_id(key), key.kind, is_new=True)
    return None


def new_account_id(key: AccountKey) -> UUID:
    """The id of the account that this domain or CRM id makes."""
    return derived_id("account", key.kind, key.value)


def account_domain(email: str | None) -> str | None:
    """The domain of a company's address; None for free, disposable and unreadable ones."""
    domain = domain_of(email)
    return domain if domain and mail_domain_kind(domain) in {"company", "education"} and _host(domain) else None


def normalised_name(name: str | None) -> str:
    """A company name for comparison: lower-case words without legal forms at the end; "" when nothing is left."""
    words = _WORDS.findall((name or "").lower().replace("&", " and "))
    while len(words) > 1 and words[-1] in _LEGAL_FORMS:
        words.pop()
    return " ".join(words)


def staff_band(employees: int | None) -> str | None:
    """The band of a head count; None when unknown or impossible."""
    if employees is None or employees < 1:
        return None
    return next((band for most, band in _BANDS if employees <= most), "5000+")


def _host(text: str | None) -> str | None:
    if not text:
        return None
    host = text.strip().lower().removeprefix("https://").removeprefix("http://").partition("/")[0].removeprefix("www.")
    return host if _HOST.fullmatch(host) and mail_domain_kind(host) not in {"free", "disposable"} else None
