"""The demo from beginning to end: a stack of its own, the company's first day, the quarter, the figures.

Everything is counted from Baton's own events at the end (figures.py); only repeats and gaps are asked of the services.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from deploy.demo import cast
from deploy.demo.company import Company, found_company
from deploy.demo.dice import Dice
from deploy.demo.doors import CompanyDoors
from deploy.demo.driver import Driver
from deploy.demo.figures import count, document
from deploy.demo.mailbox import open_mailbox
from deploy.demo.report import Table, tables
from deploy.demo.routine import add_routine
from deploy.demo.standing import NotQuiet
from deploy.demo.story import Story, tell
from deploy.demo.world_clock import WorldClockHand
from deploy.local import stack
from deploy.local.operator import CallError, NoAnswer, StackCalls, variables_of
from deploy.local.places import free_ports
from deploy.local.state import State
from shared.clock import monotonic
from shared.config import SERVICES
from shared.contracts.catalog import TOPICS
from shared.db.engine import Database, reading
from shared.stream.log_ends import end_offsets
from shared.stream.reader import read_topic

__all__ = ["NotTold", "Told", "tell_it"]

_PREFIX = "baton."


class NotTold(Exception):
    """The story broke off; the text says where and why. The stack is left as it is, to be looked at."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the demo leaves: its document, its tables, and how to look at the company."""

    document: dict[str, Any]
    tables: Sequence[Table]
    console: str
    sign_ins: Sequence[tuple[str, str, str]]


def tell_it(
    home: Path, *, seed: int, leads: int, days: int, step: Callable[[str], None], progress: Callable[[float, str], None]
) -> Told:
    """Tell the story of this seed. Raises Missing, DidNotStart or NotTold."""
    began = monotonic()
    mail_port = free_ports(1)[0]
    variables = {
        "BATON_WORLD_CLOCK_START": cast.START.isoformat(),
        "BATON_WORLD_CLOCK_SPEED": "0",
        "BATON_TOPIC_PARTITIONS": str(cast.PARTITIONS),
        "BATON_HANDOFF_SMTP_HOST": "127.0.0.1",
        "BATON_HANDOFF_SMTP_PORT": str(mail_port),
        "BATON_HANDOFF_MAIL_FROM": "baton@nordlicht.example",
    }
    running = stack.up(home, environment="demo", prepare="deploy.demo.prepare", tell=step, variables=variables)
    try:
        told = asyncio.run(
            _tell(
                running,
                home,
                story=tell(seed, leads=leads).first_days(days),
                dice=Dice(seed),
                mail_port=mail_port,
                progress=progress,
            )
        )
        told.document["elapsed_seconds"] = round(monotonic() - began, 1)
    except (CallError, NoAnswer, NotQuiet) as error:
        raise NotTold(f"{error}\n  Logs: {home / 'logs'}. What still runs: baton status, baton down.") from error
    return told


async def _tell(
    running: State, home: Path, *, story: Story, dice: Dice, mail_port: int, progress: Callable[[float, str], None]
) -> Told:
    assert running.postgres is not None
    databases = [Database(f"{running.postgres.address}baton_{service}", pool_size=1) for service in SERVICES]
    try:
        async with StackCalls(variables_of(running)) as calls, open_mailbox(mail_port) as mailbox:
            hand = WorldClockHand(databases, home / "world_clock.json")
            company = await found_company(calls, now=hand.now())
            try:
                doors = CompanyDoors(calls, company, story, dice, hand)
                driver = Driver(doors, hand, story.acts, story.ends_at, tell=_shown(progress, story.ends_at))
                add_routine(driver, doors)
                await driver.play()
                also = {
                    "mails_delivered": mailbox.received,
                    "steps_of_the_world": driver.moments,
                    "overtaken_commands": doors.refused,
                }
                told = await _count(running, doors, ingest=databases[SERVICES.index("ingest")], also=also)
                await hand.set(speed=1)
            finally:
                await company.close()
    finally:
        for database in databases:
            await database.close()
    return told


def _shown(progress: Callable[[float, str], None], ends_at: datetime) -> Callable[[datetime, int], None]:
    length = (ends_at - cast.START).total_seconds()

    def show(moment: datetime, step: int) -> None:
        share = min(1.0, max(0.001, (moment - cast.START).total_seconds() / length))
        progress(share, f"{moment:%a %d %b %H:%M}, step {step}")

    return show


async def _count(running: State, doors: CompanyDoors, *, ingest: Database, also: Mapping[str, int]) -> Told:
    assert running.kafka is not None
    events = [
        event
        for topic in TOPICS
        if topic != "deliveries"
        async for event in read_topic(running.kafka.address, _PREFIX + topic)
    ]
    figures = count(events)
    ends = await end_offsets(running.kafka.address, {"deliveries": cast.PARTITIONS}, topic_prefix=_PREFIX)
    verified = [await doors.calls.call(service, "GET", "/internal/verify", internal=True) for service in SERVICES]
    parked = [await doors.calls.call(service, "GET", "/internal/parked", internal=True) for service in SERVICES]
    standing = await doors.quiet()
    async with reading(ingest) as tx:  # no event tells of an event that was dropped: ingest's own ledger does
        repeats = (await tx.execute("select coalesce(sum(repeats), 0) from delivery_result")).scalar_one()
    counted = document(
        figures,
        deliveries=sum(ends.values()),
        repeats_dropped=int(repeats),
        ledger_gap=sum(one["gap"] for one in verified),
        parked=sum(one["open"] for one in parked),
        outbox_waiting=standing.outbox_waiting,
    )
    told = {**counted, **also}
    names = {UUID(user_id): rep.name for user_id, rep in doors.company.reps.items()}
    return Told(told, tables(figures, told, names=names), running.services["console"].url, _sign_ins(doors.company))


def _sign_ins(company: Company) -> list[tuple[str, str, str]]:
    """Who may look at it: role, address, password."""
    shown = {"rep": company.people[cast.REPS[0].email]}
    shown |= {role: company.person(role) for role in ("manager", "marketer", "admin")}
    return [(role, one.email, one.password) for role, one in shown.items()]
