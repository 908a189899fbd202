"""Names of people, asked of ingest when a page is drawn and kept in memory for at most ten minutes.

Never stored. An erased person is dropped at once and stays unknown. When ingest does not answer, a name is None and the
page says "name not available now".
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.clock import monotonic
from shared.errors import AppError
from shared.telemetry import log
from shared.web.service_client import ServiceClient

__all__ = ["Profile", "Profiles", "profile_of"]

KEPT_SECONDS = 600.0  # DECISIONS section 2
KEPT_MOST = 20_000
ASKED_AT_ONCE = 500
ASK_SECONDS = 2.0
# After a failure the others of a page are not asked either: ten parts would wait ten times.
SILENT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Profile:
    """What ingest says of one person; empty texts where it knows nothing."""

    name: str = ""
    title: str = ""
    company: str = ""
    email: str = ""
    phone: str = ""


class Profiles:
    """The names one process remembers; oldest out first."""

    def __init__(self, ingest: ServiceClient) -> None:
        self._ingest = ingest
        self._kept: OrderedDict[UUID, tuple[float, Profile]] = OrderedDict()
        self._silent_until = 0.0

    async def of(self, lead_ids: Iterable[UUID]) -> dict[UUID, Profile | None]:
        """The profile of each lead; None where ingest was asked and did not answer."""
        wanted = list(dict.fromkeys(lead_ids))
        now = monotonic()
        missing = [one for one in wanted if one not in self._kept or self._kept[one][0] < now]
        if missing and now >= self._silent_until:
            for start in range(0, len(missing), ASKED_AT_ONCE):
                await self._ask(missing[start : start + ASKED_AT_ONCE])
        return {one: self._kept[one][1] if one in self._kept else None for one in wanted}

    def drop(self, lead_ids: Iterable[UUID]) -> None:
        """Forget people who were erased or changed."""
        for lead_id in lead_ids:
            self._kept.pop(lead_id, None)

    def forget(self) -> None:
        """Forget everybody: who was erased meanwhile is not known."""
        self._kept.clear()

    async def _ask(self, lead_ids: list[UUID]) -> None:
        body = {"lead_ids": [str(one) for one in lead_ids], "purpose": "console"}
        try:
            answer = await self._ingest.call("POST", "/internal/profiles", json=body, timeout_seconds=ASK_SECONDS)
        except AppError as error:
            log.warning("names_not_available", slug=error.problem)
            self._silent_until = monotonic() + SILENT_SECONDS
            for lead_id in lead_ids:
                self._kept.pop(lead_id, None)
            return
        found = {UUID(str(one["lead_id"])): profile_of(one) for one in answer["profiles"]}
        until = monotonic() + KEPT_SECONDS
        for lead_id in lead_ids:  # an absent one was erased or never had a profile: it has no name
            self._kept[lead_id] = (until, found.get(lead_id, Profile()))
        while len(self._kept) > KEPT_MOST:
            self._kept.popitem(last=False)


def profile_of(values: Mapping[str, Any]) -> Profile:
    """One profile of ingest's answer."""
    name = values.get("name") or " ".join(str(values[part]) for part in ("first_name", "last_name") if values.get(part))
    return Profile(
        name=str(name or ""),
        title=str(values.get("title") or ""),
        company=str(values.get("company") or ""),
        email=str(values.get("email") or ""),
        phone=str(values.get("phone") or ""),
    )
