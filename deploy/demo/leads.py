"""The leads of the story: who they are, what they will do, and what nobody knows: whether they would buy.

Pure and seeded. The hidden chance to win depends on more than the points of the default agreement see, so a re-tune has
something to learn.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from deploy.demo import cast
from deploy.demo.dice import Dice, chance

__all__ = ["Lead", "make_leads"]

_LEVEL_WEIGHT = {"Chief": 0.5, "VP": 0.8, "Head": 1.0, "Director": 0.7, "Shift": 0.1, "Planner": -0.9, "Student": -3.0}


@dataclass(frozen=True, slots=True)
class Lead:
    """One lead of the story: a person of the market.

    interest in [0, 1): how much they do. will_buy: the hidden truth. flaw: why a rep would turn them down, or "".
    """

    number: int
    first_name: str
    last_name: str
    email: str
    title: str
    company: str
    domain: str
    industry: str
    is_target: bool
    employees: int
    country: str
    campaign: str
    source: str
    medium: str
    arrives_at: datetime
    interest: float
    asks_for_demo: bool
    is_free_mail: bool
    will_buy: bool
    flaw: str

    @property
    def anonymous_id(self) -> str:
        """What the site's cookie says."""
        return f"anon-{self.number:04d}"


def make_leads(dice: Dice, *, count: int) -> tuple[Lead, ...]:
    """The market, in the order of arrival."""
    return tuple(sorted((_make_lead(dice, number) for number in range(count)), key=lambda one: one.arrives_at))


def _make_lead(dice: Dice, number: int) -> Lead:
    first, last = (
        dice.one_of(names, "name", number, at) for at, names in enumerate((cast.FIRST_NAMES, cast.LAST_NAMES))
    )
    word, end = dice.one_of(cast.COMPANY_WORDS, "word", number), dice.one_of(cast.COMPANY_ENDS, "end", number)
    # About one in six works where another lead does: accounts with several people, some of them a customer's.
    town = number % 7 if dice.happens(0.16, "shared company", number) else number
    domain = f"{word}-{end}-{town}.example".lower()
    title = dice.weighted(cast.TITLES, "title", number)
    industry, is_target = dice.weighted([(one, 2.0 if one[1] else 1.5) for one in cast.INDUSTRIES], "industry", number)
    employees = dice.weighted(cast.STAFF, "staff", number)
    interest = dice.share("interest", number) ** 0.8
    is_free_mail = dice.happens(0.09, "free mail", number)
    asks = dice.happens(0.08 + 0.22 * interest, "asks", number)
    campaign, source, medium = dice.weighted(
        [((name, origin, how), weight) for name, origin, how, weight in cast.CAMPAIGNS], "campaign", number
    )
    country = dice.weighted(cast.COUNTRIES, "country", number)
    level = next(weight for word_of, weight in _LEVEL_WEIGHT.items() if title.startswith(word_of))
    logit = -2.0 + 1.1 * level + 0.9 * is_target + 2.4 * interest + 0.8 * asks - 1.6 * is_free_mail
    logit += 0.9 * (source == "partner") - 0.9 * (source == "linkedin") + 0.4 * (employees == 420)
    local = f"{first}.{last}{number}".lower()
    return Lead(
        number=number,
        first_name=first,
        last_name=last,
        email=f"{local}@{'gmail.com' if is_free_mail else domain}",
        title=title,
        company=f"{word} {end} {town}",
        domain=domain,
        industry=industry,
        is_target=is_target,
        employees=employees,
        country=country,
        campaign=campaign,
        source=source,
        medium=medium,
        arrives_at=_arrival(dice, number, country=country),
        interest=interest,
        asks_for_demo=asks,
        is_free_mail=is_free_mail,
        will_buy=dice.happens(chance(logit), "buys", number),
        flaw=_flaw(dice, number, title=title, is_free_mail=is_free_mail),
    )


def _arrival(dice: Dice, number: int, *, country: str) -> datetime:
    """A day of the first ten weeks, mostly a working day; a moment of the country's own working hours.

    So that by the end of the quarter it is known of most what became of them.
    """
    day = dice.whole(0, cast.ARRIVAL_DAYS, "day", number)
    first, last = cast.HOURS[country in cast.GERMAN]
    moment = cast.START + timedelta(days=day, hours=dice.between(first, last, "hour", number))
    return moment + timedelta(days=2) if moment.weekday() >= 5 and dice.happens(0.7, "weekend", number) else moment


def _flaw(dice: Dice, number: int, *, title: str, is_free_mail: bool) -> str:
    """Why a rep would reject this lead; most have no flaw."""
    if title == "Student":
        return "competitor_or_student"
    if is_free_mail and dice.happens(0.4, "flaw of free mail", number):
        return "bad_data"
    flaws = [
        ("", 0.83), ("no_need", 0.05), ("no_budget", 0.03), ("unreachable", 0.03), ("bad_timing", 0.02),
        ("wrong_territory_or_rep", 0.02), ("already_customer", 0.02),
    ]  # fmt: skip
    return dice.weighted(flaws, "flaw", number)
