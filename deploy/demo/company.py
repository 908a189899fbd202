"""Sets the company up on its first day, through the console's public door: people, calendars, sources, the agreement.

The operator's command adds the first administrator; from there on everything is done by signed-in people.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from deploy.demo import cast
from deploy.demo.agreement import agreed
from deploy.demo.mail_key import MailKey
from deploy.demo.open_time import CLOSES, OPENS
from deploy.demo.people import Key, Person
from deploy.local.operator import StackCalls
from shared.ids import secret_token

__all__ = ["Company", "found_company"]

_SOURCES = ("segment", "cloudevents", "sendgrid")
_WORKDAYS = 5


@dataclass(slots=True)
class Company:
    """The company once it is set up: who acts, by which keys its systems send."""

    people: dict[str, Person]
    reps: dict[str, cast.Rep]
    crm: Key
    mail_key: MailKey
    write_key: str
    server_key: str
    mail_path: str

    def person(self, role: str, team: str = "") -> Person:
        """The one of this role (and team) who is no rep."""
        email = next(one.email for one in cast.PEOPLE if one.role == role and (not team or one.team == team))
        return self.people[email]

    async def close(self) -> None:
        """Close everybody's connections."""
        clients = [self.crm.client, *(one.client for one in self.people.values())]
        await asyncio.gather(*(client.aclose() for client in clients))

    def team_of(self, rep: cast.Rep) -> cast.Team:
        """The rep's team."""
        return next(team for team in cast.TEAMS if team.name == rep.team)


async def found_company(calls: StackCalls, *, now: datetime) -> Company:
    """Everything a company does before its first lead."""
    console = calls.address("console")
    admin = await _first_administrator(calls, console)
    people = {admin.email: admin}
    teams = await _teams(admin)
    for member in (*cast.PEOPLE, *cast.REPS):
        if member.email not in people:
            people[member.email] = await _user(admin, console, member, teams)
    for one in people.values():
        if not one.csrf:
            await one.sign_in()  # one by one: many tries at once from one address look like guessing
    reps = {people[rep.email].user_id: rep for rep in cast.REPS}
    await _make_reps(admin, people, teams)
    keys = await _sources(people, mail_key := MailKey())
    crm = await _crm_key(admin, console)
    await _sign_agreement(people, now=now)
    return Company(people, reps, crm, mail_key, *keys)


async def _first_administrator(calls: StackCalls, console: str) -> Person:
    member = next(one for one in cast.PEOPLE if one.role == "admin")
    asked = {"email": member.email, "name": member.name, "role": "admin", "password": secret_token(16)}
    made = await calls.call("console", "POST", "/internal/users", internal=True, body=asked)
    admin = Person(console, member.email, asked["password"], made["user_id"])
    await admin.sign_in()
    return admin


async def _teams(admin: Person) -> Mapping[str, str]:
    """A calendar and a team per place; team ids by name."""
    ids = {}
    for team in cast.TEAMS:
        calendar = {
            "name": team.name,
            "zone": team.zone,
            "hours": [[[60 * OPENS.hour, 60 * CLOSES.hour]]] * _WORKDAYS + [[]] * (7 - _WORKDAYS),
            "holidays": [day.isoformat() for day in team.holidays],
        }
        await admin.do("POST", "/v1/calendars", calendar)
        made = (await admin.do("POST", "/v1/teams", {"name": team.name, "calendar": team.name})).json()
        ids[team.name] = made["id"]
    return ids


async def _user(admin: Person, console: str, member: cast.Member | cast.Rep, teams: Mapping[str, str]) -> Person:
    team = next((one for one in cast.TEAMS if one.name == member.team), None)
    asked = {
        "email": member.email,
        "name": member.name,
        "role": member.role if isinstance(member, cast.Member) else "rep",
        "time_zone": team.zone if team else "Europe/Berlin",
        "password": secret_token(16),
        **({"team_id": teams[member.team]} if team else {}),
    }
    made = (await admin.do("POST", "/v1/users", asked)).json()
    return Person(console, member.email, str(asked["password"]), made["user_id"])


async def _make_reps(admin: Person, people: Mapping[str, Person], teams: Mapping[str, str]) -> None:
    for rep in cast.REPS:
        own = people[rep.email]
        asked = {
            "name": rep.name,
            "team_id": teams[rep.team],
            "email": rep.email,
            "languages": list(rep.languages),
            "skills": ["german"] if "de" in rep.languages else [],
        }
        await admin.do("PUT", f"/v1/reps/{own.user_id}", asked)
        zone = ZoneInfo(next(team.zone for team in cast.TEAMS if team.name == rep.team))
        for absence in rep.absences:
            begins = datetime.combine(absence.first, time(0), tzinfo=zone)
            ends = datetime.combine(absence.last + timedelta(days=1), time(0), tzinfo=zone)
            away = {"from_at": begins.isoformat(), "until_at": ends.isoformat()}
            await own.do("POST", f"/v1/reps/{own.user_id}/absences", away)


async def _sources(people: Mapping[str, Person], mail_key: MailKey) -> tuple[str, str, str]:
    """Segment's write key, the server key of CloudEvents, and the path at which SendGrid's events are taken."""
    marketer = people[next(one.email for one in cast.PEOPLE if one.role == "marketer")]
    made: dict[str, dict[str, Any]] = {}
    for sender in _SOURCES:
        asked: dict[str, Any] = {"sender": sender, "name": f"demo {sender}", "settings": {"consent": "granted"}}
        if sender == "sendgrid":
            asked |= {"keys": [], "secret": mail_key.public}
        made[sender] = (await marketer.do("POST", "/v1/sources", asked)).json()
    write_key, server_key = (made[sender]["keys"][0]["key"] for sender in ("segment", "cloudevents"))
    return write_key, server_key, urlsplit(made["sendgrid"]["url"]).path


async def _crm_key(admin: Person, console: str) -> Key:
    asked = {"name": "the company's CRM", "scopes": ["leads:read", "handoffs:read", "outcomes:write"]}
    return Key(console, (await admin.do("POST", "/v1/keys", asked)).json()["key"])


async def _sign_agreement(people: Mapping[str, Person], *, now: datetime) -> None:
    """The default with the company's own pools: drafted, checked, signed by both teams, in force at once."""
    by_role = {one.role: people[one.email] for one in reversed(cast.PEOPLE)}
    revops = by_role["revops"]
    active = await revops.get("/v1/agreements/active")
    rep_ids = {rep.email: people[rep.email].user_id for rep in cast.REPS}
    draft = (await revops.do("POST", "/v1/drafts", {"document": agreed(active["document"], rep_ids=rep_ids)})).json()
    path = f"/v1/drafts/{draft['draft_id']}"
    checked = (await revops.do("POST", f"{path}/check", {})).json()
    assert checked["is_signable"], f"the demo's agreement is in order: {checked}"
    for role in ("marketer", "manager"):
        await by_role[role].do("POST", f"{path}/sign", {})
    await revops.do("POST", f"{path}/publish", {"effective_from": now.isoformat()})
