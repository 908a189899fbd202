"""What happens in the quarter, before anybody reacts: visits, forms, mails, webinars, a fair, and the odd mishap.

A pure function of its seed: acts in the order in which the company's systems send them. `at` is when it is sent; what
happened earlier says so itself (`happened_at`). The reps' reactions are in reactions.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Literal

from deploy.demo import cast
from deploy.demo.dice import Dice
from deploy.demo.leads import Lead, make_leads

__all__ = ["Act", "Happening", "Story", "tell", "user_id"]

LEADS = 420
FAIR_DAY, FAIR_VISITORS = 30, 48
WEBINAR_DAYS = (16, 37, 58)

Door = Literal["segment", "sendgrid", "cloudevents", "badges", "command"]


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing a person did, as a sender tells it. what.

    Page, track, identify, mail event, or kind of a CloudEvent.
    """

    key: str
    number: int
    what: str
    happened_at: datetime
    name: str = ""
    path: str = ""
    is_known: bool = False
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Act:
    """One delivery through one door, or one command of a person of Marketing."""

    at: datetime
    door: Door
    happenings: tuple[Happening, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """The whole quarter: its people, and its acts in order."""

    people: dict[int, Lead]
    acts: tuple[Act, ...]
    ends_at: datetime

    def first_days(self, days: int) -> "Story":
        """The beginning of this story; it breaks off with people in the middle of things."""
        ends_at = min(self.ends_at, cast.START + timedelta(days=days))
        return Story(self.people, tuple(act for act in self.acts if act.at < ends_at), ends_at)


def tell(seed: int, *, leads: int = LEADS) -> Story:
    """The story of this seed."""
    dice = Dice(seed)
    people = make_leads(dice, count=leads)
    told = [happening for person in people for happening in _life(dice, person)]
    acts = [*_deliveries(dice, told), *_fair(dice, people), *_mishaps(dice, people)]
    return Story(
        people={person.number: person for person in people},
        acts=tuple(
            sorted(acts, key=lambda act: (act.at, act.door, act.happenings[0].key if act.happenings else act.note))
        ),
        ends_at=cast.ends_at(),
    )


def user_id(number: int) -> str:
    """The site's own id of a person who has signed in or filled a form."""
    return f"user-{number:04d}"


def _life(dice: Dice, person: Lead) -> Iterator[tuple[Door, Happening]]:
    """Everything one person does."""
    visits = 1 + int(person.interest * 4.2)
    moment = person.arrives_at
    knows_us = 0 if person.asks_for_demo else 1 if person.interest > 0.25 else 99
    for visit in range(visits):
        # People look shortly before the systems send: what they did is at most minutes old when we learn it.
        moment = _sent_at(moment) - timedelta(minutes=12)
        is_known = visit > knows_us
        yield from _visit(dice, person, visit, moment, is_known=is_known)
        if person.asks_for_demo and visit == 0:  # they know what they want: the form first, the reading later
            asked = moment + timedelta(minutes=11, seconds=30)
            yield "segment", _track(person, "demo", asked, "Demo Requested", is_known=True)
        if visit == knows_us or (visit == visits - 1 and person.interest > 0.15 and visit <= knows_us):
            yield from _form(dice, person, visit, moment + timedelta(minutes=6))
            yield from _mails(dice, person, moment + timedelta(hours=20))
            yield from _webinar(dice, person, moment)
            knows_us = min(knows_us, visit)
        moment += timedelta(days=dice.whole(1, 5, "pause", person.number, visit))
        if moment.weekday() >= 5:  # people look at such things at work
            moment += timedelta(days=2)
    if person.interest > 0.94 and not person.asks_for_demo:
        yield "cloudevents", _event(person, "trial", _sent_at(moment) - timedelta(seconds=30), "trial_started")


def _visit(
    dice: Dice, person: Lead, visit: int, moment: datetime, *, is_known: bool
) -> Iterator[tuple[Door, Happening]]:
    paths = [("/blog/shift-swaps", 0.4)]
    paths += [("/customers/harbor-freight", 0.2 + 0.4 * person.interest), ("/pricing", 0.15 + 0.6 * person.interest)]
    paths += [("/roi-calculator", 0.35 * person.interest), ("/compare/rota-tools", 0.3 * person.interest)]
    paths += [("/careers", 0.9 if person.title == "Student" else 0.01)]
    for at, (path, often) in enumerate(paths):
        if dice.happens(often, "path", person.number, visit, path):
            key = f"visit-{person.number}-{visit}-{at}"
            happened = moment + timedelta(minutes=1.5 * at)
            details = {} if visit or at else {"campaign": person.campaign}
            yield "segment", Happening(key, person.number, "page", happened, "", path, is_known, details)


def _form(dice: Dice, person: Lead, visit: int, moment: datetime) -> Iterator[tuple[Door, Happening]]:
    yield "segment", Happening(f"identify-{person.number}", person.number, "identify", moment, is_known=True)
    asset = dice.one_of(("Roster Guide Downloaded", "White Paper Downloaded"), "asset", person.number)
    path = "/white-paper/rosters"
    key = f"form-{person.number}-{visit}"
    yield "segment", Happening(key, person.number, "track", moment + timedelta(seconds=20), asset, path, is_known=True)


def _mails(dice: Dice, person: Lead, moment: datetime) -> Iterator[tuple[Door, Happening]]:
    """A series of two mails; some are opened by software within a second, some by people, few are clicked."""
    for mail in range(2):
        sent = moment + timedelta(days=6 * mail)
        base = f"mail-{person.number}-{mail}"
        if dice.happens(0.03, base, "bounces"):
            yield "sendgrid", Happening(f"{base}-bounce", person.number, "bounce", sent, is_known=True)
            return
        yield "sendgrid", Happening(f"{base}-delivered", person.number, "delivered", sent, is_known=True)
        if dice.happens(0.35, base, "scanner"):
            scan = sent + timedelta(seconds=1)
            details = {"machine": "yes"}
            yield "sendgrid", Happening(f"{base}-machine", person.number, "open", scan, is_known=True, details=details)
        if dice.happens(0.25 + 0.5 * person.interest, base, "opens"):
            opened = sent + timedelta(hours=dice.between(0.5, 30, base, "opened"))
            yield "sendgrid", Happening(f"{base}-open", person.number, "open", opened, is_known=True)
            if dice.happens(0.15 + 0.4 * person.interest, base, "clicks"):
                clicked = opened + timedelta(minutes=1)
                yield "sendgrid", Happening(f"{base}-click", person.number, "click", clicked, is_known=True)
    if dice.happens(0.02, "unsubscribes", person.number):
        left = moment + timedelta(days=8)
        yield "sendgrid", Happening(f"unsubscribe-{person.number}", person.number, "unsubscribe", left, is_known=True)


def _webinar(dice: Dice, person: Lead, moment: datetime) -> Iterator[tuple[Door, Happening]]:
    """Who becomes known before a webinar may register for the next one, and most of those come."""
    coming = next((day for day in WEBINAR_DAYS if _moment(day, "14:00") > moment + timedelta(days=1)), None)
    if coming is None or not dice.happens(0.12 + 0.5 * person.interest, "registers", person.number):
        return
    yield "cloudevents", _event(person, "registered", moment + timedelta(hours=2), "webinar_registered")
    if dice.happens(0.7, "attends", person.number):
        yield "cloudevents", _event(person, "attended", _moment(coming, "14:00"), "webinar_attended")


def _deliveries(dice: Dice, told: Sequence[tuple[Door, Happening]]) -> Iterator[Act]:
    """Bundles what happened by door and by the next moment at which systems send; a few bundles come late or twice."""
    bundles: dict[tuple[datetime, Door], list[Happening]] = {}
    for door, happening in told:
        # What the mail provider and the site keep back for a day or two arrives late, under its true time.
        late = timedelta(hours=31) if dice.happens(0.02, "late", happening.key) else timedelta(0)
        if happening.what == "track" and happening.name == "Demo Requested":
            late = timedelta(0)
        bundles.setdefault((_sent_at(happening.happened_at + late), door), []).append(happening)
    for (at, door), happenings in bundles.items():
        if at >= cast.ends_at():
            continue
        ordered = tuple(sorted(happenings, key=lambda one: (one.happened_at, one.key)))
        yield Act(at, door, ordered)
        if dice.happens(0.04, "twice", at, door):
            again = _sent_at(at + timedelta(minutes=1))
            yield Act(again, door, ordered, note="the sender got no answer and sends it again")


def _fair(dice: Dice, people: Sequence[Lead]) -> Iterator[Act]:
    """A badge list, imported the evening after the fair: people we know already, and some we do not."""
    visitors = sorted(people, key=lambda one: dice.share("fair", one.number))[:FAIR_VISITORS]
    scanned = _moment(FAIR_DAY, "10:00")
    badges = tuple(
        Happening(f"badge-{one.number}", one.number, "badge", scanned + timedelta(minutes=6 * at), is_known=True)
        for at, one in enumerate(visitors)
    )
    yield Act(_moment(FAIR_DAY, "18:00"), "badges", badges)
    yield Act(_moment(FAIR_DAY + 1, "08:00"), "badges", badges, note="the same file again: nothing new")


def _mishaps(dice: Dice, people: Sequence[Lead]) -> Iterator[Act]:
    """One person with two addresses is merged; one withdraws consent; one does it while a handoff is open."""
    known = [one for one in people if one.interest > 0.4 and one.arrives_at < _moment(50, "00:00")]
    twin, left, left_later = (sorted(known, key=lambda one: dice.share("mishap", one.number)))[:3]
    private = {"email": f"{twin.first_name}.{twin.number}@gmail.com".lower(), "user": f"user-{twin.number:04d}-private"}
    at = _sent_at(twin.arrives_at + timedelta(days=9))
    second = Happening(f"twin-{twin.number}", twin.number, "identify", at, is_known=True, details=private)
    yield Act(at, "segment", (second,), note="signs in with a private address")
    yield Act(at + timedelta(hours=24), "command", (second,), note="merge")
    for one in (left, left_later):
        moment = _sent_at(one.arrives_at + timedelta(days=dice.whole(8, 14, "withdraws", one.number)))
        withdrawn = Happening(f"withdraws-{one.number}", one.number, "consent", moment, is_known=True)
        yield Act(moment, "command", (withdrawn,), note="withdraw")


def _track(person: Lead, key: str, moment: datetime, name: str, *, is_known: bool) -> Happening:
    return Happening(f"{key}-{person.number}", person.number, "track", moment, name, "/contact", is_known)


def _event(person: Lead, key: str, moment: datetime, kind: str) -> Happening:
    return Happening(f"{key}-{person.number}", person.number, kind, moment, is_known=True)


def _moment(day: int, local: str) -> datetime:
    return datetime.combine(cast.START.date() + timedelta(days=day), time.fromisoformat(local), tzinfo=cast.UTC)


def _sent_at(happened: datetime) -> datetime:
    """The next moment at which systems send."""
    for day in (happened.date(), happened.date() + timedelta(days=1)):
        for local in cast.SENDING_TIMES if day.weekday() < 5 else cast.WEEKEND_SENDING_TIMES:
            moment = datetime.combine(day, time.fromisoformat(local), tzinfo=cast.UTC)
            if moment >= happened:
                return moment
    raise AssertionError("a day has a sending moment")
