"""One unit of work over handoffs: what a transaction has locked and loaded, and the rows it will write at the end.

Locks are taken in one order everywhere: leads (whole trees), accounts, handoffs, deals, pools, reps. `deciding.apply`
is the only way a handoff changes; `writing.flush` writes each kind of row in one statement.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.handoff.domain.calendar import Calendar
from services.handoff.domain.lifecycle import ClockKind, Handoff
from services.handoff.domain.lifecycle.states import LOADED, OPEN
from services.handoff.domain.mirror import Lead
from services.handoff.domain.notices import Notice
from services.handoff.domain.record import StoredClock, Times
from services.handoff.domain.sla import Terms
from services.handoff.domain.things import Pool, RouteResult
from services.handoff.store import agreements, handoffs, leads, reps
from services.handoff.store.basis import Basis, read_basis
from services.handoff.usecases.announcing import Cause
from shared.contracts.envelope import Event
from shared.db.engine import Tx
from shared.ids import AccountId, HandoffId, LeadId, UserId

__all__ = ["OWNERS_CLOCKS", "Cause", "Held", "Work", "Written", "begin_work"]

# Clocks that count in the owner's open hours; the others count in the default calendar, or by the wall.
OWNERS_CLOCKS = frozenset({ClockKind.ACCEPT, ClockKind.TOUCH, ClockKind.DISPOSE, ClockKind.STALE})


@dataclass
class Held:
    """One locked handoff as it becomes in this transaction."""

    handoff: Handoff
    times: Times
    clocks: dict[int, StoredClock]
    terms: Terms
    is_changed: bool = False
    was_open: bool = False  # in the database, when it was locked
    cause: Cause | None = None
    changed_clocks: set[int] = field(default_factory=set)


@dataclass
class Written:
    """Rows to be written at the end, in the order they came about."""

    audit: list[dict[str, Any]] = field(default_factory=list)
    assignments: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    ended: list[tuple[UUID, str]] = field(default_factory=list)
    accepted: list[UUID] = field(default_factory=list)
    escalations: list[dict[str, Any]] = field(default_factory=list)
    retracted: list[UUID] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)
    touches: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    events: list[Event[Any]] = field(default_factory=list)
    received: list[Event[Any]] = field(default_factory=list)  # what others said: endpoints may want it too
    decisions: list[RouteResult] = field(default_factory=list)
    expired: list[UserId] = field(default_factory=list)
    answered: set[UserId] = field(default_factory=set)
    stopped: list[HandoffId] = field(default_factory=list)
    credits: list[tuple[str, UserId]] = field(default_factory=list)  # bad leads given back: pool, rep
    pools: dict[str, Pool] = field(default_factory=dict)  # as the rounds of this transaction leave them


class Work:
    """What one transaction holds and will write. Make it with begin_work; lock leads before handoffs."""

    def __init__(self, tx: Tx, basis: Basis) -> None:
        self.tx = tx
        self.now: datetime = tx.now
        self.terms = terms = basis.terms
        self.crew = basis.crew(tx.now)
        self.queue_owners = basis.queue_owners
        self.subscriptions = basis.subscriptions
        self.leads: dict[LeadId, Lead] = {}
        self.accounts: dict[AccountId, dict[str, Any]] = {}  # locked
        self.locked_reps: set[UserId] = set()
        self.held: dict[HandoffId, Held] = {}
        self.to_write = Written()
        self.load_changes: dict[UserId, int] = defaultdict(int)
        self.is_load_freed = False
        self.untold: frozenset[HandoffId] = frozenset()  # offers whose owner was not told yet, of the clocks that fire
        self.widened: set[HandoffId] = set()  # got a first owner or another member: what was kept may be theirs
        self._account_facts: dict[AccountId, Mapping[str, str]] = {}  # of accounts that are read only
        self._changed_leads: set[LeadId] = set()
        self._changed_accounts: set[AccountId] = set()
        self._terms = {(terms.agreement_id, terms.version): terms}

    async def lock_people(self, lead_ids: Iterable[UUID]) -> None:
        """Lock the whole trees of these leads."""
        wanted = set(lead_ids) - set(self.leads)
        self.leads |= await leads.lock_trees(self.tx, wanted) if wanted else {}

    async def lock_accounts(self, account_ids: Iterable[UUID]) -> None:
        """Lock accounts, which are made when first named; after the leads."""
        self.accounts |= await leads.lock_accounts(self.tx, set(account_ids) - set(self.accounts))

    async def read_people(self, lead_ids: Iterable[LeadId]) -> None:
        """Read leads whose rows somebody else's statement has locked already (what waits in a queue)."""
        wanted = set(lead_ids) - set(self.leads)
        if wanted:
            self.leads |= await leads.read_leads(self.tx, sorted(wanted))

    async def read_accounts(self, account_ids: Iterable[AccountId]) -> None:
        """Read what is known of accounts that are not locked here."""
        wanted = set(account_ids) - set(self.accounts) - set(self._account_facts)
        self._account_facts |= await leads.account_facts(self.tx, wanted)

    def facts_of_account(self, account_id: AccountId | None) -> Mapping[str, str]:
        """What is known of an account that was locked or read; nothing of others."""
        if account_id in self.accounts:
            facts: Mapping[str, str] = self.accounts[account_id]["facts"]
            return facts
        return {} if account_id is None else self._account_facts.get(account_id, {})

    async def hold(self, handoff_ids: Iterable[UUID]) -> None:
        """Lock and load handoffs whose leads are locked; unknown ids stay absent."""
        wanted = {HandoffId(each) for each in handoff_ids} - set(self.held)
        if not wanted:
            return
        found = await handoffs.lock_handoffs(self.tx, wanted)
        for handoff_id, kept in found.items():
            times = kept.times
            terms = await self._terms_of(times)
            was_open = kept.handoff.state in OPEN
            self.held[handoff_id] = Held(kept.handoff, times, dict(kept.clocks), terms, was_open=was_open)
        people = {rep for kept in found.values() for rep in (kept.handoff.owner_id, kept.handoff.former_owner_id)}
        await self.know_reps(rep for rep in people if rep is not None)

    async def _terms_of(self, times: Times) -> Terms:
        """The version a handoff lives by; each is asked for once in a transaction."""
        version = (times.agreement_id, times.agreement_version)
        if version not in self._terms:
            self._terms[version] = await agreements.terms_of(self.tx, *version)
        return self._terms[version]

    async def know_reps(self, rep_ids: Iterable[UserId]) -> None:
        """Read reps, so that clocks can run in their calendars."""
        wanted = set(rep_ids) - set(self.crew.reps)
        if wanted:
            self.crew = await reps.with_reps(self.tx, self.crew, wanted)

    def change_lead(self, lead: Lead) -> None:
        """Take over a lead's new row; it is written at the end."""
        if self.leads.get(lead.id) != lead:
            self.leads[lead.id] = lead
            self._changed_leads.add(lead.id)

    def change_account(self, account_id: AccountId, **columns: Any) -> None:  # noqa: ANN401 - cells
        """Change columns of a locked account; it is written at the end."""
        before = self.accounts[account_id]
        after = {**before, **columns}
        if after != before:
            self.accounts[account_id] = after
            self._changed_accounts.add(account_id)

    def latest_of(self, root_id: LeadId, motion: str) -> Held | None:
        """The latest held cycle of a person and motion."""
        found = [
            each
            for each in self.held.values()
            if each.handoff.root_lead_id == root_id and each.handoff.motion == motion
        ]
        return max(found, key=lambda each: each.handoff.cycle, default=None)

    def open_of(self, root_id: LeadId, scope_id: UUID, motion: str) -> Held | None:
        """The held open cycle of a person, else of its scope."""
        found = [each for each in self.held.values() if each.handoff.motion == motion and each.handoff.state in OPEN]
        own = [each for each in found if each.handoff.root_lead_id == root_id]
        return next(iter(own or [each for each in found if each.handoff.scope_id == scope_id]), None)

    def tree_of(self, lead_id: LeadId) -> list[Lead]:
        """The locked members of a lead's tree, by id."""
        root_id = self.leads[lead_id].root_id
        return sorted((each for each in self.leads.values() if each.root_id == root_id), key=lambda each: each.id)

    def members_of(self, roots: Collection[LeadId]) -> list[LeadId]:
        """The members of these people as this transaction has moved them; those it has not locked are absent."""
        return sorted(lead.id for lead in self.leads.values() if lead.root_id in roots)

    def root_of(self, lead_id: LeadId, *, stored: LeadId) -> LeadId:
        """Who a member is now: as moved by this transaction, else as stored."""
        return self.leads[lead_id].root_id if lead_id in self.leads else stored

    def calendar_for(self, kind: ClockKind, owner: UserId | None) -> Calendar:
        """The calendar a clock counts in."""
        return self.crew.calendar_of(owner if kind in OWNERS_CLOCKS else None)

    def put_clock(self, held: Held, stored: StoredClock) -> None:
        """Take over a clock's new row."""
        held.clocks[stored.clock.number] = stored
        held.changed_clocks.add(stored.clock.number)
        held.is_changed = True

    def changed_leads(self) -> list[Lead]:
        """Leads whose rows are to be written."""
        return [self.leads[lead_id] for lead_id in sorted(self._changed_leads)]

    def changed_accounts(self) -> list[dict[str, Any]]:
        """Accounts whose rows are to be written."""
        return [self.accounts[account_id] for account_id in sorted(self._changed_accounts)]

    def note_load(self, before: Handoff | None, after: Handoff) -> None:
        """Move loads as ownership in assigned and accepted moves."""
        was = before.owner_id if before is not None and before.state in LOADED else None
        now = after.owner_id if after.state in LOADED else None
        if was == now:
            return
        if was is not None:
            self.load_changes[was] -= 1
            self.is_load_freed = True
        if now is not None:
            self.load_changes[now] += 1


async def begin_work(tx: Tx) -> Work:
    """Begin with the agreement in force, the calendars and the queues' owners; nothing is locked yet."""
    return Work(tx, await read_basis(tx))
