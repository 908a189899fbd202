"""Who plays: the fictional company's two teams, their time zones and absences, its market and its campaigns. Data only.

Nordlicht sells shift planning. Its Sales sit in Berlin and in New York; every name and domain is made up (`.example`).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

__all__ = [
    "CAMPAIGNS",
    "DAYS",
    "PEOPLE",
    "REPS",
    "SENDING_TIMES",
    "START",
    "TEAMS",
    "WEEKEND_SENDING_TIMES",
    "Absence",
    "Member",
    "Rep",
    "Team",
]

UTC = ZoneInfo("UTC")
# A quarter without a change of clocks in either zone; 13 weeks from a Monday.
START = datetime(2026, 6, 1, 5, 0, tzinfo=UTC)
DAYS = 91
# More would only mean more, smaller transactions in every step, and leads of one moment handed out in another order.
PARTITIONS = 1
ARRIVAL_DAYS = 66
# Moments (UTC) at which the company's systems send what has happened since, on working days and on weekends. They are
# among those of the reps' rounds: each distinct moment costs the demo a step.
SENDING_TIMES = ("08:00", "14:00", "18:00")
WEEKEND_SENDING_TIMES = ("14:00",)


@dataclass(frozen=True, slots=True)
class Absence:
    """Days away, the last one included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Team:
    """One sales team: where it sits, when it works, which days are free."""

    name: str
    zone: str
    holidays: tuple[date, ...]
    pool: str


@dataclass(frozen=True, slots=True)
class Rep:
    """One rep and how they work: median minutes to the first reaction, share of assignments they let expire."""

    name: str
    email: str
    team: str
    pace_minutes: float
    misses: float
    languages: tuple[str, ...]
    absences: tuple[Absence, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """A user who is no rep."""

    name: str
    email: str
    role: str
    team: str = ""


TEAMS = (
    Team("berlin", "Europe/Berlin", (), "dach"),
    Team("newyork", "America/New_York", (date(2026, 6, 19), date(2026, 7, 3)), "default"),
)


def _mail(name: str) -> str:
    return f"{name.lower().replace(' ', '.')}@nordlicht.example"


def _rep(
    name: str,
    team: str,
    pace: float,
    *,
    misses: float = 0.04,
    away: tuple[tuple[str, str], ...] = (),
    german: bool = False,
) -> Rep:
    absences = tuple(Absence(date.fromisoformat(first), date.fromisoformat(last)) for first, last in away)
    return Rep(name, _mail(name), team, pace, misses, ("de", "en") if german else ("en",), absences)


REPS = (
    _rep("Anna Vogel", "berlin", 22, german=True, away=(("2026-07-13", "2026-07-24"),)),
    _rep("Jonas Brandt", "berlin", 35, german=True),
    _rep("Miriam Roth", "berlin", 28, german=True, away=(("2026-06-22", "2026-06-26"),)),
    _rep("Emre Kaya", "berlin", 55, misses=0.22, german=True),
    _rep("Lena Fuchs", "berlin", 30, german=True, away=(("2026-08-10", "2026-08-21"),)),
    _rep("Maya Brooks", "newyork", 25),
    _rep("Owen Clarke", "newyork", 40, away=(("2026-07-06", "2026-07-10"),)),
    _rep("Priya Nair", "newyork", 20),
    _rep("Luis Ortega", "newyork", 60, misses=0.18),
    _rep("Grace Kim", "newyork", 32, away=(("2026-08-17", "2026-08-28"),)),
)
PEOPLE = (
    Member("Sofia Lindqvist", _mail("Sofia Lindqvist"), "marketer"),
    Member("Karl Weber", _mail("Karl Weber"), "manager", "berlin"),
    Member("Dana Fisher", _mail("Dana Fisher"), "manager", "newyork"),
    Member("Ravi Menon", _mail("Ravi Menon"), "revops"),
    Member("Ada Admin", _mail("Ada Admin"), "admin"),
)

# name, source, medium: what the first visit of a lead carries in its address.
CAMPAIGNS = (
    ("summer-shifts", "google", "cpc", 0.28),
    ("roster-guide", "linkedin", "paid_social", 0.22),
    ("partner-hr", "partner", "referral", 0.12),
    ("newsletter", "newsletter", "email", 0.14),
    ("", "", "", 0.24),
)
INDUSTRIES = (("logistics", True), ("hospitals", True), ("retail", True), ("software", False), ("education", False))
TITLES = (
    ("Chief Operating Officer", 0.10),
    ("VP Operations", 0.18),
    ("Head of Procurement", 0.14),
    ("Director of Workforce", 0.14),
    ("Shift Planning Manager", 0.26),
    ("Planner", 0.11),
    ("Student", 0.07),
)
STAFF = ((40, 0.2), (120, 0.25), (420, 0.4), (2400, 0.15))
GERMAN = {"DE", "AT", "CH"}
# Hours after the day's beginning (05:00 UTC) in which people of German-speaking countries (True) and of America are
# about.
HOURS = {True: (2.0, 8.8), False: (8.0, 12.8)}
COUNTRIES = (("DE", 0.34), ("AT", 0.08), ("CH", 0.08), ("US", 0.38), ("CA", 0.12))
FIRST_NAMES = (
    "Alex",
    "Robin",
    "Kim",
    "Sam",
    "Jo",
    "Toni",
    "Chris",
    "Nico",
    "Luca",
    "Mika",
    "Noa",
    "Eli",
    "Sascha",
    "Kai",
)
LAST_NAMES = (
    "Keller", "Baker", "Novak", "Haas", "Wong", "Silva", "Berg", "Moreau", "Patel", "Jensen", "Kruse", "Mills", "Adler",
    "Costa", "Frank", "Lang", "Nguyen", "Ross", "Stein", "Vega",
)  # fmt: skip
COMPANY_WORDS = (
    "Hafen", "Lindengarten", "Bergbahn", "Harbor", "Maple", "Copper", "Delta", "Fjord", "Granite", "Meridian",
    "Orchard", "Prairie", "Quarry", "River", "Summit", "Tundra", "Union", "Valley", "Willow", "Zephyr",
)  # fmt: skip
COMPANY_ENDS = ("Logistik", "Kliniken", "Markets", "Freight", "Clinics", "Stores", "Works", "Systems")


def ends_at() -> datetime:
    """When the story is told."""
    return START + timedelta(days=DAYS)
