"""Who may take it and by which terms: reps, teams, pools with their fairness ledger, queues, agreements, decisions."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, Uuid, text

from services.handoff.tables.metadata import METADATA
from shared.db.columns import at, big_number, flag, ident, jsonb, number, words

__all__ = ["active", "agreement", "basis_stamp", "member", "pool", "queue", "rep", "routing_decision", "team"]

team = Table(
    "team",
    METADATA,
    ident("id", key=True),
    words("name"),
    words("party", default="sales"),  # marketing or sales
    ident("manager_id", null=True),
    words("calendar", default="default"),
    number("version", default=1),
    at("changed_at"),
    CheckConstraint("party in ('marketing', 'sales')", name="team_party"),
)

rep = Table(
    "rep",
    METADATA,
    ident("id", key=True),  # the user's id
    ident("team_id", null=True),
    words("name", default=""),
    words("email", null=True),
    words("slack_id", null=True),
    words("calendar", null=True),  # none: the team's
    jsonb("languages", default="[]"),
    jsonb("skills", default="[]"),
    flag("is_active", default=True),
    flag("is_away", default=False),
    words("away_because", null=True),
    number("load", default=0),
    number("expiries", default=0),  # in a row
    words("moved", null=True),  # left or back: what follows for handoffs is still to be done, by the clocks loop
    number("version", default=1),
    at("changed_at"),
    CheckConstraint("load >= 0", name="rep_load"),
    CheckConstraint("moved in ('left', 'back')", name="rep_moved"),
    Index("rep_team", "team_id"),
    Index("rep_moved_now", "id", postgresql_where=text("moved is not null")),
    postgresql_with={"fillfactor": "60"},
)

pool = Table(
    "pool",
    METADATA,
    words("name", key=True),
    jsonb("skills", default="[]"),
    big_number("sequence", default=0),
    flag("is_active", default=True),
)

# The fairness ledger: a row stays when its rep leaves the pool, counters never reset.
member = Table(
    "member",
    METADATA,
    words("pool", ForeignKey("pool.name"), key=True),
    ident("rep_id", key=True),
    number("weight", default=1),
    number("load_max", default=5),
    number("leads_per_30_days", default=30),
    big_number("received", default=0),
    big_number("credited", default=0),
    big_number("entitled", default=0),
    flag("is_member", default=True),
    Index("member_rep", "rep_id"),
    postgresql_with={"fillfactor": "60"},
)

queue = Table(
    "queue",
    METADATA,
    words("name", key=True),
    words("owner"),  # a role or a user id
    flag("is_pull", default=True),
)

# Every decision of routing with all it read: answers "why this rep, why not me" and replays to the same rep.
routing_decision = Table(
    "routing_decision",
    METADATA,
    ident("id", key=True),
    ident("handoff_id"),
    ident("lead_id"),
    at("decided_at"),
    words("agreement_id"),
    number("agreement_version"),
    ident("rep_id", null=True),
    words("queue", null=True),
    words("pool", null=True),
    words("reason"),
    jsonb("record", default="{}"),
    Index("routing_decision_handoff", "handoff_id", "decided_at"),
    Index("routing_decision_at", "decided_at"),
)

agreement = Table(
    "agreement",
    METADATA,
    words("agreement_id", key=True),
    number("version", key=True),
    at("effective_from"),
    words("document"),
    words("sha256"),
    flag("is_unsigned_default", default=False),
    at("received_at"),
)

active = Table(
    "active",
    METADATA,
    words("slot", key=True),
    words("agreement_id"),
    number("version"),
    number("generation"),
    at("activated_at"),
)

# Renewed by triggers with every change of calendars, teams, queues and endpoints: what was read of them under a stamp
# is still so under the same.
basis_stamp = Table(
    "basis_stamp",
    METADATA,
    words("name", key=True),
    Column("value", Uuid(), nullable=False, server_default=text("gen_random_uuid()")),
)
