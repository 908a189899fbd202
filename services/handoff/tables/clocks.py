"""Clocks with their rungs and what fired, calendars and absences, and the tick by which outages are noticed.

SQL keeps: one clock per number, one escalation per (clock, level); `fire_at` of an armed clock is its next rung.
"""

from sqlalchemy import ARRAY, CheckConstraint, Column, Float, ForeignKey, Index, Table, Text, UniqueConstraint, text

from services.handoff.tables.metadata import METADATA
from shared.db.columns import at, flag, ident, jsonb, number, words

__all__ = ["absence", "calendar", "clock", "clock_tick", "escalation"]

clock = Table(
    "clock",
    METADATA,
    ident("id", key=True),
    ident("handoff_id", ForeignKey("handoff.id")),
    number("number"),
    words("kind"),
    number("token"),
    words("state", default="armed"),
    number("level", default=0),
    number("level_at_arm", default=0),
    number("carries", null=True),
    words("calendar"),  # name of the calendar, or wall
    ident("rep_id", null=True),  # whose promise it is; unless by the wall, their absences are taken off
    number("calendar_version", default=0),
    at("base_at"),  # where counting begins: the arming, or the assignment
    number("used_seconds", default=0),  # counted before base_at: what a pause left behind
    number("total_seconds"),
    Column("fractions", ARRAY(Float), nullable=False),
    Column("actions", ARRAY(Text), nullable=False),
    at("armed_at"),
    at("due_at"),
    at("due_at_first"),
    at("fire_at"),
    at("ended_at", null=True),
    flag("is_late_by_system", default=False),
    flag("is_late_evidence", default=False),
    flag("is_held", default=False),
    words("cause", null=True),
    CheckConstraint("state in ('armed', 'met', 'breached', 'void')", name="clock_state"),
    CheckConstraint("(state = 'armed') = (ended_at is null)", name="clock_end_is_once"),
    UniqueConstraint("handoff_id", "number", name="clock_number"),
    Index("clock_due", "fire_at", postgresql_where=text("state = 'armed'")),
    Index("clock_calendar", "calendar", postgresql_where=text("state = 'armed'")),
    Index("clock_rep", "rep_id", postgresql_where=text("state = 'armed'")),
    postgresql_with={"fillfactor": "60"},
)

escalation = Table(
    "escalation",
    METADATA,
    ident("clock_id", ForeignKey("clock.id"), key=True),
    number("level", key=True),
    ident("handoff_id"),
    ident("rep_id", null=True),
    words("action"),
    words("cause"),
    at("fired_at"),
    flag("is_last", default=False),
    flag("is_verified", default=True),
    flag("is_late_by_system", default=False),
    at("retracted_at", null=True),
    Index("escalation_handoff", "handoff_id"),
)

calendar = Table(
    "calendar",
    METADATA,
    words("name", key=True),
    words("zone"),
    jsonb("hours", default="[]"),  # per weekday, Monday first: [[from, to] in minutes]
    jsonb("holidays", default="[]"),  # dates
    number("version", default=1),
    at("changed_at"),
)

absence = Table(
    "absence",
    METADATA,
    ident("id", key=True),
    ident("rep_id"),
    at("from_at"),
    at("until_at"),
    words("origin", default="api"),  # api or ics
    words("state", default="planned"),
    CheckConstraint("from_at < until_at", name="absence_has_length"),
    CheckConstraint("state in ('planned', 'begun', 'ended', 'cancelled')", name="absence_state"),
    Index("absence_rep", "rep_id", "until_at"),
    Index("absence_due", "state", "from_at", "until_at", postgresql_where=text("state in ('planned', 'begun')")),
)

# beaten_at is machine time, world_at the world's at that beat: a gap in the first is an outage of the second.
clock_tick = Table(
    "clock_tick", METADATA, words("name", key=True), at("beaten_at"), at("world_at"), words("beaten_by", default="")
)
