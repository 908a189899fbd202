"""Speed to lead: from qualified to the first touch by Sales, in wall time, with its quantiles and bands.

Only handoffs that were touched have a speed; those still waiting are counted beside it, never as fast. Pure. DOMAIN
7.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np

from services.feedback.domain.handoffs import HandoffRecord

# Reporting bands in seconds: 0-5, 5-15, 15-60, 60+ minutes.
BANDS: tuple[tuple[str, float, float], ...] = (
    ("0-5 min", 0.0, 300.0),
    ("5-15 min", 300.0, 900.0),
    ("15-60 min", 900.0, 3_600.0),
    ("60+ min", 3_600.0, float("inf")),
)
HOUR_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Speed:
    """Speed to lead of the handoffs opened in a period; quantiles are nan when nobody was touched."""

    seconds: tuple[float, ...]
    lead_ids: tuple[UUID, ...]
    waiting: tuple[UUID, ...]

    def quantile(self, share: float) -> float:
        """The speed that this share of the touched handoffs kept, linear between neighbours."""
        return float(np.quantile(np.array(self.seconds), share)) if self.seconds else float("nan")

    def share_over(self, hours: float) -> float:
        """Share of the touched handoffs that waited longer than so many hours."""
        if not self.seconds:
            return float("nan")
        return sum(each > hours * HOUR_SECONDS for each in self.seconds) / len(self.seconds)

    def bands(self) -> dict[str, tuple[UUID, ...]]:
        """The leads in each band; the bands hold every touched handoff once."""
        return {
            name: tuple(
                lead_id for seconds, lead_id in zip(self.seconds, self.lead_ids, strict=True) if low <= seconds < high
            )
            for name, low, high in BANDS
        }


def speed(records: Iterable[HandoffRecord], *, since: datetime, until: datetime) -> Speed:
    """Speed to lead of the handoffs opened in [since, until); a touch told for before the opening counts as 0."""
    seconds: list[float] = []
    lead_ids: list[UUID] = []
    waiting: list[UUID] = []
    for record in records:
        if not since <= record.opened_at < until:
            continue
        touched_at = record.touched_at
        if touched_at is None:
            waiting.append(record.lead_id)
            continue
        seconds.append(max(0.0, (touched_at - record.opened_at).total_seconds()))
        lead_ids.append(record.lead_id)
    return Speed(seconds=tuple(seconds), lead_ids=tuple(lead_ids), waiting=tuple(waiting))
