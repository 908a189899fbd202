"""Reads the event log of a loan desk (BPI Challenge 2012) and says what each event is in Baton's words. Pure.

A case is a lead. The first SCHEDULE of `W_Completeren aanvraag` asks Sales to call: the lead raises its hand. The first
START of the same work is the first touch, by the resource who did it. A_ACTIVATED, A_DECLINED and A_CANCELLED are the
outcome. Everything else is kept as a custom activity under its own name. Invented: nothing but ids. The log: DOI
10.4121/uuid:3926db30-f712-4394-aebc-75976070e91f.
"""

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, iterparse

__all__ = ["FILE", "Act", "Meaning", "acts_of", "by_weeks", "cloud_event", "read_log"]

FILE = "bpi2012/BPI_Challenge_2012.xes.gz"
SYSTEM = "loan_desk"
_WORK = "W_Completeren aanvraag"
_OUTCOMES = {"A_ACTIVATED": "won", "A_DECLINED": "lost", "A_CANCELLED": "lost"}


class Meaning(StrEnum):
    """What an event of the log is to Baton."""

    ASKED = "asked"  # the lead is handed to Sales
    TOUCHED = "touched"  # Sales took it up
    NOTED = "noted"  # kept, and counts for nothing


@dataclass(frozen=True, slots=True)
class Act:
    """One event of the log. result is won or lost when it also ends the case."""

    case: str
    number: int
    name: str
    transition: str
    resource: str | None
    at: datetime
    meaning: Meaning
    result: str | None = None


def read_log(file: Path) -> Iterator[list[Act]]:
    """The acts of each case, ordered by time and then as in the log.

    Raises OSError or ParseError when it is no such log.
    """
    with gzip.open(file, "rb") as stream:
        root: Element | None = None
        for event, element in iterparse(stream, events=("start", "end")):  # noqa: S314 - a file the operator names
            root = element if root is None else root
            if event == "end" and element.tag.rpartition("}")[2] == "trace":
                yield acts_of(_attributes(element)["concept:name"], _events(element))
                root.clear()  # 262,200 events as a tree would take a gigabyte


def acts_of(case: str, events: Iterable[dict[str, str]]) -> list[Act]:
    """The acts of one case from the attributes of its events."""
    timed = sorted(((_moment(one["time:timestamp"]), one) for one in events), key=lambda pair: pair[0])
    first: dict[str, int] = {}
    for number, (_, one) in enumerate(timed):
        if one["concept:name"] == _WORK:
            first.setdefault(one["lifecycle:transition"], number)
    meanings = {first.get("SCHEDULE"): Meaning.ASKED, first.get("START"): Meaning.TOUCHED}
    return [
        Act(
            case=case,
            number=number,
            name=one["concept:name"],
            transition=one["lifecycle:transition"],
            resource=one.get("org:resource"),
            at=at,
            meaning=meanings.get(number, Meaning.NOTED),
            result=_OUTCOMES.get(one["concept:name"]),
        )
        for number, (at, one) in enumerate(timed)
    ]


def by_weeks(cases: Iterable[list[Act]]) -> list[tuple[datetime, list[Act]]]:
    """All acts by week, weeks in order: each with its end (the midnight after Sunday, UTC) and its acts by time."""
    weeks: dict[datetime, list[Act]] = {}
    for acts in cases:
        for act in acts:
            midnight = act.at.replace(hour=0, minute=0, second=0, microsecond=0)
            weeks.setdefault(midnight + timedelta(days=7 - act.at.weekday()), []).append(act)
    return [(end, sorted(weeks[end], key=lambda act: act.at)) for end in sorted(weeks)]


def cloud_event(act: Act, *, actor_user_id: str) -> dict[str, Any]:
    """The act as a CloudEvent for `POST /v1/events`; actor_user_id is the user of Sales who stands for its resource."""
    kinds = {
        Meaning.ASKED: "baton.meeting_requested",
        Meaning.TOUCHED: "baton.call_connected",
        Meaning.NOTED: f"{SYSTEM}.{act.name}.{act.transition.lower()}",
    }
    data: dict[str, Any] = {"user_id": f"{SYSTEM}-{act.case}", "consent": "granted"}
    if act.meaning is Meaning.TOUCHED:
        data |= {"direction": "sales", "actor_user_id": actor_user_id}
    return {
        "specversion": "1.0",
        "id": f"{act.case}-{act.number}",
        "source": SYSTEM,
        "type": kinds[act.meaning],
        "time": act.at.isoformat(),
        "data": data,
    }


def _events(trace: Element) -> Iterator[dict[str, str]]:
    return (_attributes(child) for child in trace if child.tag.rpartition("}")[2] == "event")


def _attributes(element: Element) -> dict[str, str]:
    return {one.get("key", ""): one.get("value", "") for one in element if one.get("key")}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
