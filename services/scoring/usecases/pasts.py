"""Reads what people are made of by when it happened: what a decision's moment is found in."""

from collections.abc import Collection

from services.scoring.domain.happened import Happened, Past, past_of
from services.scoring.domain.person import Person
from services.scoring.store import lead_records
from services.scoring.store.past import PastRead
from services.scoring.usecases.ruling import Ruling
from shared.db.engine import ReadTx
from shared.ids import LeadId

__all__ = ["pasts_of"]


async def pasts_of(tx: ReadTx, people: Collection[Person], read: PastRead, ruling: Ruling) -> dict[LeadId, Past]:
    """The past of each person by root id. read: of all their members."""
    happened: dict[LeadId, list[Happened]] = {lead_id: [] for lead_id in read.activities}
    for each in read.records:
        happened[each.lead_id].append(each)
    joined = [member.lead_id for person in people for member in person.members[1:]]
    joined_us = await lead_records.joined_since(tx, joined) if joined else {}
    return {
        person.root_id: past_of(
            person,
            [each for member in person.members for each in read.activities[member.lead_id]],
            [each for member in person.members for each in happened[member.lead_id]],
            rule=ruling.rule,
            joined_us=joined_us,
        )
        for person in people
    }
