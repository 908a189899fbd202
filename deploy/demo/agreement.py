"""The agreement the company's two teams sign on their first day.

The shipped default with their own pools in it. Pure.
"""

from collections.abc import Mapping
from typing import Any

from deploy.demo import cast

__all__ = ["agreed"]

_LADDER = [{"at": 0.5, "do": "mail_rep"}, {"at": 1, "do": "reassign"}]
_CALL_LADDER = [{"at": 0.4, "do": "message_rep"}, {"at": 1, "do": "reassign"}]


def agreed(document: Mapping[str, Any], *, rep_ids: Mapping[str, str]) -> dict[str, Any]:
    """The document with the company's pools and rules; rep_ids maps a rep's e-mail to its user id."""
    pools = []
    for team in cast.TEAMS:
        members = [
            {"rep": rep_ids[rep.email], "weight": 1, "leads_per_30_days": 45, "load_max": 9}
            for rep in cast.REPS
            if rep.team == team.name
        ]
        pools.append({"name": team.pool, "skills": ["german"] if team.pool == "dach" else [], "members": members})
    routing = {
        **document["routing"],
        "rules": [
            {"rule": "suppression"},
            {"rule": "open_handoff_of_account"},
            {"rule": "account_owner"},
            {
                "rule": "territory",
                "when": {"all": [{"fact": "country", "op": "in", "value": sorted(cast.GERMAN)}]},
                "pool": "dach",
            },
            {"rule": "pool", "pool": "default"},
        ],
        "pools": pools,
    }
    # A reminder at half time, then the next rep: both fall on the reps' own rounds.
    ladders = {**dict.fromkeys(document["sla"]["ladders"], _LADDER), "call": _CALL_LADDER}
    tiers = [{**tier, "ladder": "call"} if tier["name"] == "hand_raiser" else tier for tier in document["sla"]["tiers"]]
    sla = {**document["sla"], "ladders": ladders, "tiers": tiers}
    # Shift planning sells fast: a win counts within two weeks, so that most leads of a quarter mature in it.
    first, *others = document["qualification"]
    # Few leads a day: at two per cent a handful of explored leads would speak for everybody below the threshold.
    exploration = {**first["exploration"], "share": 0.1, "share_small": 0.1}
    first = {**first, "thresholds": {**first["thresholds"], "horizon_days": 14}, "exploration": exploration}
    return {**document, "qualification": [first, *others], "routing": routing, "sla": sla}
