"""To whom: runs the agreement's ordered rules over the handoffs that need a rep, and keeps why.

`route` decides one round, `replay` recomputes one stored decision, `explain` and `why_not` say it in sentences.
All pure; the same input gives the same answer on any machine.
"""

from services.handoff.domain.routing.explain import decided_by, explain, why_not
from services.handoff.domain.routing.policy import Policy, check_policy, read_policy
from services.handoff.domain.routing.recompute import Replayed, replay
from services.handoff.domain.routing.record import reps_named
from services.handoff.domain.routing.round import order_of_service, route

__all__ = [
    "Policy",
    "Replayed",
    "check_policy",
    "decided_by",
    "explain",
    "order_of_service",
    "read_policy",
    "replay",
    "reps_named",
    "route",
    "why_not",
]
