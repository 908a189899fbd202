"""Business time composes: adding and measuring agree, add up and only grow, in zones with every kind of change."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.handoff.domain.calendar import Calendar, add, between, compose, week

ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/Amsterdam",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # half an hour of change
    "Pacific/Apia",  # skipped a whole day in 2011
)
START = datetime(2011, 6, 1, tzinfo=UTC)

instants = st.integers(0, 16 * 365 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds))
lengths = st.integers(0, 20 * 86_400)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    start = draw(st.integers(0, 1380))
    end = draw(st.integers(start + 1, 1440))
    days = draw(st.sets(st.integers(0, 6), min_size=1))
    holidays = frozenset(draw(st.sets(st.dates(date(2011, 6, 1), date(2027, 6, 1)), max_size=3)))
    base = Calendar("drawn", draw(st.sampled_from(ZONES)), week(days, start, end), holidays)
    away = draw(st.lists(st.tuples(instants, st.integers(1, 20 * 86_400)), max_size=3))
    absences = [(begin, begin + timedelta(seconds=length)) for begin, length in away]
    return compose(base, absences=absences)


@settings(max_examples=200)
@given(calendars(), instants, lengths)
def test_what_was_added_is_what_is_measured(calendar: Calendar, start: datetime, seconds: int) -> None:
    assert between(calendar, start, add(calendar, start, seconds)) == seconds


@settings(max_examples=120)
@given(calendars(), instants, lengths, lengths)
def test_adding_twice_is_adding_the_sum(calendar: Calendar, start: datetime, first: int, second: int) -> None:
    assert add(calendar, add(calendar, start, first), second) == add(calendar, start, first + second)


@settings(max_examples=120)
@given(calendars(), instants, lengths, st.integers(0, 3 * 86_400), st.integers(1, 86_400))
def test_later_starts_and_longer_times_never_end_earlier(
    calendar: Calendar, start: datetime, seconds: int, later: int, longer: int
) -> None:
    end = add(calendar, start, seconds)
    assert add(calendar, start + timedelta(seconds=later), seconds) >= end
    assert add(calendar, start, seconds + longer) > end


@settings(max_examples=120)
@given(calendars(), instants, lengths, lengths)
def test_parts_of_an_interval_sum_to_it(calendar: Calendar, start: datetime, first: int, second: int) -> None:
    middle, end = start + timedelta(seconds=first), start + timedelta(seconds=first + second)
    whole = between(calendar, start, end)
    assert between(calendar, start, middle) + between(calendar, middle, end) == whole
    assert 0 <= whole <= first + second
