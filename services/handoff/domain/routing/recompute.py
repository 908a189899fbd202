"""Recomputes a stored decision from its record alone and says whether it comes out the same.

Reads nothing but the record: no table, no clock, no agreement in force today.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.handoff.domain.routing.record import input_of
from services.handoff.domain.routing.round import route
from services.handoff.domain.rules import all_rules
from services.handoff.domain.things import RouteResult

__all__ = ["Replayed", "replay"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recomputed decision. differences names each part of the stored result that came out otherwise; empty = same.

    newer_rules: rules whose code has another version than the one that decided, the first suspects of a difference.
    """

    result: RouteResult
    differences: tuple[str, ...]
    newer_rules: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether the recomputed answer is the stored one."""
        return not self.differences


def replay(record: Mapping[str, Any]) -> Replayed:
    """Decide the record's need again on the record's pools. Raises ValueError when its format is newer than this code.

    What went before in the same round is already in the record's pools, so one decision is replayed without its round.
    """
    result = route(input_of(record)).results[0]
    differences = [
        f"{part}.{name}: {stored!r} became {result.record[part].get(name)!r}"
        for part in ("result", "rules", "candidates")
        for name, stored in record[part].items()
        if result.record[part].get(name) != stored
    ]
    newer = [name for name, version in record["rule_versions"].items() if _version(name) != version]
    return Replayed(result, tuple(differences), tuple(newer))


def _version(name: str) -> int | None:
    rule = all_rules().get(name)
    return None if rule is None else rule.version
