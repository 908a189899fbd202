"""Consent, machine activity, profiles: one rule per test."""

from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.domain.consent import Standing, Statement, is_allowed, is_tied_to_person, stated
from services.ingest.domain.machine import MailActivity, Verdict, at_first_sight, judged, user_agent_family
from services.ingest.domain.profile import attributes, mail_domain_kind, newest
from shared.contracts.kinds import Consent
from shared.ids import derived_id

AT = datetime(2026, 6, 10, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize("consent", list(Consent))
def test_after_a_withdrawal_only_what_the_person_asked_for_is_kept_as_theirs(consent: Consent) -> None:
    assert is_tied_to_person(consent, asked_for_contact=True)
    assert is_tied_to_person(consent, asked_for_contact=False) is (consent is not Consent.WITHDRAWN)


@pytest.mark.parametrize(("means", "allowed"), [("", False), ("not_scored", False), ("scored", True)])
def test_what_unknown_means_is_the_answer_of_the_first_run(means: str, *, allowed: bool) -> None:
    assert is_allowed(Consent.UNKNOWN, means) is allowed
    assert is_allowed(Consent.GRANTED, means)
    assert not is_allowed(Consent.WITHDRAWN, means)


def standing(*said: tuple[str, int, str]) -> tuple[Standing, bool]:
    found, conflict = Standing(), False
    for consent, day, voice in said:
        found, conflict = stated(found, Statement(Consent(consent), AT + day * DAY, voice))
    return found, conflict


@pytest.mark.parametrize(
    ("said", "consent", "is_conflict"),
    [
        ((), "unknown", False),
        ((("granted", 0, "source"),), "granted", False),
        ((("granted", 0, "other"), ("withdrawn", 1, "own"), ("granted", 2, "other")), "withdrawn", True),
        ((("withdrawn", 1, "own"), ("granted", 2, "own")), "granted", False),
        ((("withdrawn", 1, "own"), ("granted", 0, "own")), "withdrawn", False),
        ((("granted", 1, "own"), ("withdrawn", 2, "other")), "withdrawn", False),
        ((("granted", 2, "own"), ("withdrawn", 1, "other")), "granted", False),
        ((("withdrawn", 0, "other"), ("granted", 1, "source")), "withdrawn", False),
        ((("withdrawn", 0, "other"), ("granted", 1, "other")), "granted", False),
        ((("withdrawn", 1, "other"), ("granted", 0, "other")), "withdrawn", True),
        ((("granted", 1, "own"), ("withdrawn", 1, "own")), "withdrawn", False),
    ],
)
def test_the_newest_of_each_voice_counts_and_the_person_goes_first(
    said: tuple[tuple[str, int, str], ...], consent: str, *, is_conflict: bool
) -> None:
    found, conflict = standing(*said)
    assert (found.consent, conflict) == (consent, is_conflict)


# ------------------------------------------------------------------ machine activity
@pytest.mark.parametrize(
    ("agent", "human", "reason"),
    [
        ("Mozilla/5.0 (X11; Linux) Chrome/140.0 Safari/537.36", 1.0, ""),
        ("Mozilla/5.0 (via ggpht.com GoogleImageProxy)", 0.6, "mail_proxy"),
        ("Barracuda Sentinel", 0.0, "gateway"),
        ("Mozilla/5.0 HeadlessChrome/140", 0.0, "crawler"),
        ("python-requests/2.32", 0.0, "script"),
        (None, 1.0, ""),
    ],
)
def test_known_agents_are_no_persons(agent: str | None, human: float, reason: str) -> None:
    assert at_first_sight("email_open", machine_reason=None, user_agent=agent) == Verdict(human, reason)
    assert at_first_sight("form_submit", machine_reason=None, user_agent=agent) == Verdict()


def test_the_senders_own_flag_goes_first() -> None:
    found = at_first_sight("email_open", machine_reason="sg_machine_open", user_agent="Mozilla/5.0")
    assert found == Verdict(0.0, "sender:sg_machine_open")


def test_of_an_agent_only_the_family_is_kept() -> None:
    assert [user_agent_family(one) for one in ("Chrome/140 Safari/5", "Edg/1 Chrome/1", "x", None, "Slackbot 1.0")] == [
        "chrome", "edge", "other", None, "crawler",
    ]  # fmt: skip


def mail(name: str, kind: str, second: float, link: str = "") -> MailActivity:
    at = AT + timedelta(seconds=second)
    return MailActivity(derived_id(name), derived_id("lead"), "m", kind, at, link, Verdict())


def test_an_open_at_the_moment_of_delivery_is_software() -> None:
    verdicts = judged([mail("d", "email_delivered", 0), mail("o1", "email_open", 2), mail("o2", "email_open", 2.5)])
    assert (verdicts[derived_id("o1")].reason, verdicts[derived_id("o2")].reason) == ("open_at_delivery", "")


@pytest.mark.parametrize(
    ("seconds", "links", "is_scan"),
    [((0, 5, 10), "abc", True), ((0, 5, 11), "abc", False), ((0, 5, 10), "aba", False), ((0, 1), "ab", False)],
)
def test_three_links_within_ten_seconds_are_a_scan(seconds: tuple[int, ...], links: str, *, is_scan: bool) -> None:
    clicks = [mail(f"c{at}", "email_click", at, link) for at, link in zip(seconds, links, strict=True)]
    assert {one.human == 0.0 for one in judged(clicks).values()} == {is_scan}


# ------------------------------------------------------------------ profiles
@pytest.mark.parametrize(
    ("title", "level"),
    [
        ("Chief Executive Officer", "c_level"),
        ("CTO", "c_level"),
        ("Founder & CEO", "c_level"),
        ("Vice President Sales", "vp"),
        ("SVP Marketing", "vp"),
        ("President", "c_level"),
        ("Head of Marketing", "director"),
        ("Director IT", "director"),
        ("Account Manager", "manager"),
        ("Working Student Marketing", "student"),
        ("Intern to the CEO", "student"),
        ("Engineer", "other"),
        ("", None),
    ],
)
def test_a_title_has_a_level(title: str, level: str | None) -> None:
    assert attributes({"title": title}).title_level == level


def test_departments_countries_languages_and_mail_domains_are_derived() -> None:
    found = attributes(
        {
            "title": "Head of Procurement",
            "country": "Deutschland",
            "language": "de-AT",
            "email": "kim@gmail.com",
            "time_zone": "Europe/Berlin",
        }
    )
    assert (found.department, found.country, found.language, found.mail_domain_kind) == ("buying", "DE", "de", "free")
    assert attributes({"department": "IT"}).department == "it"
    assert attributes({"country": "Narnia", "language": "klingon"}).country is None
    assert attributes({"country": "fr"}).country == "FR"
    assert [mail_domain_kind(one) for one in ("acme.example", "uni.ac.uk", "mit.edu", "yopmail.com", None)] == [
        "company", "education", "education", "disposable", None,
    ]  # fmt: skip


def test_of_each_field_the_newest_counts_and_empty_says_nothing() -> None:
    known = newest({}, {"name": "Kim", "title": " "}, AT)
    assert set(known) == {"name"}
    assert newest(known, {"name": "Kim P."}, AT - DAY) == {}
    assert newest(known, {"name": "Kim P."}, AT + DAY)["name"].value == "Kim P."
    assert newest(known, {"name": "Kim"}, AT) == {}
