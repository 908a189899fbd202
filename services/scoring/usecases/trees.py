"""What a batch does to locked identity trees before anybody is judged: sums folded, records put, pointers moved."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from services.scoring.domain.facts import NO_SUMS, Activity, fold
from services.scoring.domain.member import Link, with_record
from services.scoring.domain.qualify import given_back, joined
from services.scoring.store import history
from services.scoring.store.leads import Forest, LeadRow
from services.scoring.usecases.changes import Changes
from services.scoring.usecases.ruling import Ruling
from shared.db.engine import ReadTx
from shared.ids import AccountId, LeadId

__all__ = ["accounts_of", "fold_new", "linked_anew", "move", "put_records", "refold_stale"]

_FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)


def fold_new(forest: Forest, activities: Sequence[Activity], ruling: Ruling, *, done: Collection[LeadId]) -> None:
    """Fold new activities into their members, but for those that were folded from the whole history just now."""
    fresh: dict[LeadId, list[Activity]] = {}
    for activity in activities:
        if activity.member_id not in done:
            fresh.setdefault(activity.member_id, []).append(activity)
    for lead_id, own in fresh.items():
        row = forest.rows[lead_id]
        row.member = row.member._replace(sums=fold(row.member.sums, own, rule=ruling.rule))


async def refold_stale(
    tx: ReadTx, forest: Forest, ruling: Ruling, *, again: Collection[LeadId] = ()
) -> Collection[LeadId]:
    """Fold members from their history whose sums are of other lines than the rule's, or that are named in `again`.

    Returns who was folded. A new lead's row has no print, and no sums.
    """
    stale = [
        row.lead_id
        for row in forest.rows.values()
        if (row.print != ruling.rule.print and row.print) or row.lead_id in again
    ]
    for row in forest.rows.values():
        row.print = ruling.rule.print
    if stale:
        kept = await history.activities_of(tx, stale, as_of=_FOR_EVER)
        for lead_id in stale:
            row = forest.rows[lead_id]
            row.member = row.member._replace(sums=fold(NO_SUMS, kept.get(lead_id, ()), rule=ruling.rule))
    return stale


def put_records(forest: Forest, changes: Changes) -> None:
    """Put each record in its member's place, by version."""
    for lead_id, record, _ in changes.records:
        row = forest.rows[lead_id]
        row.member = with_record(row.member, record)


def move(forest: Forest, changes: Changes) -> list[tuple[LeadRow, LeadId]]:
    """Set and clear pointers by version, then name the roots anew.

    A root that is joined hands on its standing, a member that leaves takes back what it handed on. Returns the roots
    that took over a qualification, each with the lead it came from.
    """
    taken_over: list[tuple[LeadRow, LeadId]] = []
    is_moved = False
    for each in changes.moves:
        row = forest.rows[each.lead_id]
        if each.version > row.identity_version:
            row.identity_version, row.parent_id, is_moved = each.version, each.parent_id, True
    if not is_moved:
        return taken_over
    sizes: dict[LeadId, int] = {}
    for row in sorted(forest.rows.values(), key=lambda each: each.lead_id.int):
        former_id, root_id = row.root_id, _root_of(forest, row)
        row.root_id = root_id
        sizes[root_id] = sizes.get(root_id, 0) + 1
        if former_id == row.lead_id != root_id:
            root = forest.rows[root_id]
            if row.standing.is_qualified and not root.standing.is_qualified:
                taken_over.append((root, row.lead_id))
            root.standing = joined(root.standing, row.standing, member_id=str(row.lead_id))
            row.recheck_us = None
        elif former_id != row.lead_id == root_id:
            _give_back(forest, row.lead_id)
    for row in forest.rows.values():
        row.tree_size = sizes.get(row.lead_id, 1)
    return taken_over


def accounts_of(forest: Forest) -> set[AccountId]:
    """Every account that a member of these trees is linked to."""
    return {row.member.link.account_id for row in forest.rows.values() if row.member.link is not None}


def linked_anew(changes: Changes) -> set[AccountId]:
    """Every account that a batch links a lead to."""
    return {record.account_id for _, record, _ in changes.records if isinstance(record, Link)}


def _give_back(forest: Forest, lead_id: LeadId) -> None:
    """Take a member's qualification from whoever has it by its merge, or by the merge of one that has it so."""
    by_merge = [row for row in forest.rows.values() if row.standing.taken_from]
    leaving = [str(lead_id)]
    for member_id in leaving:  # grows by each row at most once: one that gave back has nothing more by a merge
        for row in by_merge:
            left = given_back(row.standing, member_id=member_id)
            if left is not row.standing:
                row.standing = left
                leaving.append(str(row.lead_id))


def _root_of(forest: Forest, row: LeadRow) -> LeadId:
    """Follow the pointers; in a ring, which two moves overtaking each other can make for a while, the least id."""
    seen = [row.lead_id]
    while (parent := forest.rows[seen[-1]].parent_id) is not None and parent in forest.rows:
        if parent in seen:
            return min(seen[seen.index(parent) :])
        seen.append(parent)
    return seen[-1]
