"""Rows of leads: identity trees locked in id order, folded state read and written for a whole batch at once.

One statement reads a tree without locks, then locks it in id order; one that grew between is `TreeGrew`, and the batch
runs again (DECISIONS section 1). The row of a lead is made by whichever event names it first.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, Text, Uuid, bindparam, text

from services.scoring.domain.decay import micros, moment
from services.scoring.domain.member import Member
from services.scoring.domain.person import Person, person_of
from services.scoring.domain.qualify import NEVER, Standing
from services.scoring.store.decisions import ADDED_DECISIONS, DECISION_COLUMNS, StoredDecision, decision_columns
from services.scoring.store.encoding import member_from, member_text, standing_from, standing_text
from shared.db.engine import ReadTx, Tx
from shared.errors import Busy
from shared.ids import AccountId, LeadId

__all__ = ["Forest", "LeadRow", "TreeGrew", "due_leads", "lock_trees", "next_roots", "read_trees", "save_leads"]


class TreeGrew(Busy):
    """A tree of the batch was joined to another between reading and locking; the same batch again is right."""

    slug = "tree_grew"


@dataclass(slots=True)
class LeadRow:
    """One row of `lead` inside a transaction; what is set here is written by `save_leads`."""

    lead_id: LeadId
    root_id: LeadId
    parent_id: LeadId | None
    identity_version: int
    tree_size: int
    member: Member
    print: str
    standing: Standing
    shown: str
    score_version: int
    recheck_us: int | None


@dataclass(slots=True)
class Forest:
    """The locked (or read) trees of a batch: every member of every tree that was asked for."""

    rows: dict[LeadId, LeadRow] = field(default_factory=dict)

    def root_of(self, lead_id: LeadId) -> LeadRow:
        """The root's row of a lead."""
        return self.rows[self.rows[lead_id].root_id]

    def tree(self, root_id: LeadId) -> list[LeadRow]:
        """The rows of one tree, the root first, the others by id."""
        root = self.rows[root_id]
        if root.tree_size == 1:
            return [root]
        others = [row for row in self.rows.values() if row.root_id == root_id and row.lead_id != root_id]
        return [root, *sorted(others, key=lambda row: row.lead_id.int)]

    def person(self, root_id: LeadId, *, customers: Collection[AccountId] = ()) -> Person:
        """The person of one tree; customers are the accounts that are customers."""
        return person_of([row.member for row in self.tree(root_id)], customers=customers)


_ids = bindparam("ids", type_=ARRAY(Uuid))
_COLUMNS_READ = (
    "lead_id, root_id, parent_id, identity_version, tree_size, state, print, standing, shown, score_version, recheck_at"
)
# The asked ones with the members of their trees, in id order. Nearly every tree is one lead: then the last lateral part
# reads nothing. Row by row, so that a plan made while the table was small never reads a large one whole.
_IN_TREES = """
    select unnest(:ids) as lead_id
     union
    select member.lead_id
      from unnest(:ids) as own (lead_id)
     cross join lateral (select lead_id, root_id, tree_size from lead where lead_id = own.lead_id offset 0) asked
     cross join lateral (
           select asked.root_id as lead_id
            union all
           select lead_id from lead where root_id = asked.root_id and root_id <> lead_id) member
     where asked.tree_size > 1 or asked.root_id <> asked.lead_id
     order by 1
"""
_SELECT = f"""
    select {_COLUMNS_READ}
      from (select lead_id as wanted_id from ({_IN_TREES}) trees) wanted
     cross join lateral (select {_COLUMNS_READ} from lead where lead_id = wanted_id %s) found
"""  # noqa: S608 - our own text
_MAKE = text(
    """
    insert into lead (lead_id, root_id) select id, id from unnest(:ids) as row (id) order by 1 on conflict do nothing
    returning lead_id
    """
).bindparams(_ids)
_LOCK = text(_SELECT % "for update").bindparams(_ids)
_READ = text(_SELECT % "offset 0").bindparams(_ids)
_DUE = text(
    """
    select lead_id from lead where recheck_at <= :now and root_id = lead_id order by recheck_at, lead_id limit :most
    """
)
_NEXT = text("select lead_id from lead where lead_id > :after and root_id = lead_id order by lead_id limit :most")
# Computing accounts is left to their loop: an account that is due commits together with the facts it is due by.
_DUE_TOO = "due as (insert into account_due (account_id) select id from unnest(:due) as row (id))"
_SAVED = """
    update lead
       set root_id = new.root_id, parent_id = new.parent_id, identity_version = new.identity_version,
           tree_size = new.tree_size, account_id = new.account_id, state = new.state, print = new.print,
           active_us = new.active_us, standing = new.standing, shown = new.shown, score_version = new.score_version,
           recheck_at = new.recheck_at
      from unnest(:lead_ids, :root_ids, :parent_ids, :identity_versions, :tree_sizes, :account_ids, :states, :prints,
                  :active, :standings, :shown, :score_versions, :rechecks)
        as new (lead_id, root_id, parent_id, identity_version, tree_size, account_id, state, print, active_us, standing,
                shown, score_version, recheck_at)
     where lead.lead_id = new.lead_id
"""
_COLUMNS = (
    bindparam("due", type_=ARRAY(Uuid)),
    bindparam("lead_ids", type_=ARRAY(Uuid)),
    bindparam("root_ids", type_=ARRAY(Uuid)),
    bindparam("parent_ids", type_=ARRAY(Uuid)),
    bindparam("identity_versions", type_=ARRAY(Integer)),
    bindparam("tree_sizes", type_=ARRAY(Integer)),
    bindparam("account_ids", type_=ARRAY(Uuid)),
    bindparam("states", type_=ARRAY(Text)),
    bindparam("prints", type_=ARRAY(Text)),
    bindparam("active", type_=ARRAY(BigInteger)),
    bindparam("standings", type_=ARRAY(Text)),
    bindparam("shown", type_=ARRAY(Text)),
    bindparam("score_versions", type_=ARRAY(Integer)),
    bindparam("rechecks", type_=ARRAY(DateTime(timezone=True))),
)
_SAVE = text(f"with {_DUE_TOO} {_SAVED}").bindparams(*_COLUMNS)
_SAVE_DECIDED = text(f"with {_DUE_TOO}, decided as ({ADDED_DECISIONS}) {_SAVED}").bindparams(
    *_COLUMNS, *DECISION_COLUMNS
)


async def lock_trees(tx: Tx, lead_ids: Collection[LeadId]) -> Forest:
    """Lock the trees of these leads, made where they are new. Raises TreeGrew when one was joined meanwhile."""
    ids = sorted(lead_ids, key=_int_of)
    forest = _forest((await tx.execute(_LOCK, {"ids": ids})).all())
    if missing := [lead_id for lead_id in ids if lead_id not in forest.rows]:
        made = set((await tx.execute(_MAKE, {"ids": missing})).scalars())
        if len(made) < len(missing):  # a rival made some of them meanwhile, and is through
            forest = _forest((await tx.execute(_LOCK, {"ids": ids})).all())
        else:
            forest.rows.update({lead_id: _new(lead_id) for lead_id in missing})
    sizes: dict[UUID, int] = {}
    for row in forest.rows.values():
        sizes[row.root_id] = sizes.get(row.root_id, 0) + 1
    for root_id, size in sizes.items():
        root = forest.rows.get(LeadId(root_id))
        if root is None or root.tree_size != size:
            raise TreeGrew("A tree of the batch was joined meanwhile; the batch runs again.")
    return forest


async def read_trees(tx: ReadTx, lead_ids: Collection[LeadId]) -> Forest:
    """The trees of these leads as they stand, without locks; leads that do not exist are absent."""
    return _forest((await tx.execute(_READ, {"ids": sorted(lead_ids, key=_int_of)})).all())


async def save_leads(
    tx: Tx,
    rows: Sequence[LeadRow],
    *,
    due: Collection[AccountId] = (),
    decided: Sequence[StoredDecision] = (),
) -> None:
    """Write rows of locked leads, with the decisions about them.

    due: accounts that their loop must compute anew, of which none is locked.
    """
    if not rows:
        return
    links = [row.member.link for row in rows]
    parameters = {
        "due": sorted(due, key=_int_of),
        "lead_ids": [row.lead_id for row in rows],
        "root_ids": [row.root_id for row in rows],
        "parent_ids": [row.parent_id for row in rows],
        "identity_versions": [row.identity_version for row in rows],
        "tree_sizes": [row.tree_size for row in rows],
        "account_ids": [None if link is None else link.account_id for link in links],
        "states": [member_text(row.member) for row in rows],
        "prints": [row.print for row in rows],
        "active": [row.member.sums.last_us for row in rows],
        "standings": [standing_text(row.standing) for row in rows],
        "shown": [row.shown for row in rows],
        "score_versions": [row.score_version for row in rows],
        "rechecks": [None if row.recheck_us is None else moment(row.recheck_us) for row in rows],
    }
    if decided:
        await tx.execute(_SAVE_DECIDED, parameters | decision_columns(decided))
    else:
        await tx.execute(_SAVE, parameters)


async def due_leads(tx: ReadTx, *, most: int) -> list[LeadId]:
    """Roots whose re-check is due, longest due first. Not locked: what is due is decided again under the lock."""
    return list((await tx.execute(_DUE, {"now": tx.now, "most": most})).scalars())


async def next_roots(tx: ReadTx, after: UUID, *, most: int) -> list[LeadId]:
    """Roots in id order behind one id: how all leads are scored again under new terms."""
    return list((await tx.execute(_NEXT, {"after": after, "most": most})).scalars())


# A UUID's own comparison is Python code; by its integer the order is the same and sorting a batch costs a tenth.
_int_of = attrgetter("int")


def _forest(rows: Iterable[Any]) -> Forest:
    return Forest({row[0]: _row(*row) for row in rows})


def _new(lead_id: LeadId) -> LeadRow:
    """The row of a lead that was made just now: it stands alone, and nothing is known of it."""
    return LeadRow(lead_id, lead_id, None, 0, 1, Member(lead_id), "", NEVER, "", 0, None)


def _row(  # noqa: PLR0917 - the columns of _SELECT, in their order
    lead_id: LeadId,
    root_id: LeadId,
    parent_id: LeadId | None,
    identity_version: int,
    tree_size: int,
    state: str,
    print: str,  # noqa: A002 - the column's name
    standing: str,
    shown: str,
    score_version: int,
    recheck_at: datetime | None,
) -> LeadRow:
    return LeadRow(
        lead_id,
        root_id,
        parent_id,
        identity_version,
        tree_size,
        member_from(lead_id, state),
        print,
        standing_from(standing),
        shown,
        score_version,
        None if recheck_at is None else micros(recheck_at),
    )
