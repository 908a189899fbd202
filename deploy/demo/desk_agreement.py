"""The agreement of the loan desk: a lead that asks is handed off, to any rep, and nothing is ever late. Pure.

The log knows no deadlines and no fit, so neither does its agreement; everything else is the shipped default.
"""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["desk_agreement"]

_NEVER = {"wall_days": 2000}
_PLENTY = 100_000


def desk_agreement(document: Mapping[str, Any], *, rep_ids: Sequence[str]) -> dict[str, Any]:
    """The active document with the desk's own qualification, routing and clocks; rep_ids are user ids."""
    members = [{"rep": rep, "leads_per_30_days": _PLENTY, "load_max": _PLENTY} for rep in rep_ids]
    return {
        **document,
        "qualification": [_qualification(one) for one in document["qualification"]],
        "routing": {
            **document["routing"],
            "handoff_scope": "person",
            "rules": [{"rule": "pool", "pool": "desk"}],
            "pools": [{"name": "desk", "members": members}],
        },
        "sla": {
            **document["sla"],
            "tiers": [{"name": "scored", "accept": _NEVER, "touch": _NEVER, "ladder": "none"}],
            "common": dict.fromkeys(document["sla"]["common"], _NEVER),
            "ladders": {"none": [{"at": 1, "do": "reassign"}]},
            "pull_back": {"after_wall_days": 2000, "notice_wall_hours": 24},
        },
    }


def _qualification(criteria: Mapping[str, Any]) -> dict[str, Any]:
    """Only those who ask are handed off; nobody is drawn by chance."""
    return {
        **criteria,
        "thresholds": {**criteria["thresholds"], "fit_floor": 0, "engagement_floor": 0},
        "exploration": {"share": 0, "share_small": 0, "small_under_leads_per_day": 0},
    }
