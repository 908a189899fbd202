"""Reads what people are made of by when it happened: what a decision's moment is found in."""

from collections.abc import Collection, Mapping, Sequence

from services.scoring.domain.facts import Activity
from services.scoring.domain.happened import Happened, Past, past_of
from services.scoring.domain.person import Person
from services.scoring.store import lead_records
from services.scoring.usecases.ruling import Ruling
from shared.db.engine import ReadTx
from shared.ids import LeadId

__all__ = ["pasts_of"]


async def pasts_of(
    tx: ReadTx, people: Collection[Person], activities: Mapping[LeadId, Sequence[Activity]], ruling: Ruling
) -> dict[LeadId, Past]:
    """The past of each person by root id. activities: the newest of each member."""
    members = [member.lead_id for person in people for member in person.members]
    happened: dict[LeadId, list[Happened]] = {lead_id: [] for lead_id in members}
    for each in await lead_records.happened_to(tx, members):
        happened[each.lead_id].append(each)
    joined = [member.lead_id for person in people for member in person.members[1:]]
    joined_us = await lead_records.joined_since(tx, joined) if joined else {}
    return {
        person.root_id: past_of(
            person,
            [each for member in person.members for each in activities.get(member.lead_id, ())],
            [each for member in person.members for each in happened[member.lead_id]],
            rule=ruling.rule,
            joined_us=joined_us,
        )
        for person in people
    }
