"""The tables of handoff as SQLAlchemy Core: what is stored, and the invariants that SQL itself keeps."""

from services.handoff.tables.clocks import absence, calendar, clock, clock_tick, escalation
from services.handoff.tables.dispatches import attempt, dispatch, endpoint, endpoint_secret, lane, lead_version
from services.handoff.tables.handoffs import (
    assignment,
    deal,
    evidence,
    handoff,
    handoff_change,
    handoff_event,
    kept_result,
    note,
    sales_activity,
    touch,
)
from services.handoff.tables.leads import account, account_owner, connector, lead
from services.handoff.tables.metadata import METADATA
from services.handoff.tables.terms import (
    active,
    agreement,
    basis_stamp,
    member,
    pool,
    queue,
    rep,
    routing_decision,
    team,
)

__all__ = [
    "METADATA",
    "absence",
    "account",
    "account_owner",
    "active",
    "agreement",
    "assignment",
    "attempt",
    "basis_stamp",
    "calendar",
    "clock",
    "clock_tick",
    "connector",
    "deal",
    "dispatch",
    "endpoint",
    "endpoint_secret",
    "escalation",
    "evidence",
    "handoff",
    "handoff_change",
    "handoff_event",
    "kept_result",
    "lane",
    "lead",
    "lead_version",
    "member",
    "note",
    "pool",
    "queue",
    "rep",
    "routing_decision",
    "sales_activity",
    "team",
    "touch",
]
