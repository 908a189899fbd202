"""The hand-off machine: states, inputs, effects, one reducer `decide`, and the invariants it keeps."""

from services.handoff.domain.lifecycle.effects import Decision, Effect, Verdict
from services.handoff.domain.lifecycle.invariants import broken
from services.handoff.domain.lifecycle.machine import decide
from services.handoff.domain.lifecycle.states import Clock, ClockKind, ClockState, Handoff, Policy, State

__all__ = [
    "Clock",
    "ClockKind",
    "ClockState",
    "Decision",
    "Effect",
    "Handoff",
    "Policy",
    "State",
    "Verdict",
    "broken",
    "decide",
]
