"""Drives scoring's use cases on a real database: feed events, move the world, read what was emitted and stored."""

from datetime import datetime

from services.scoring.consumer import handlers
from services.scoring.usecases.ruling import Terms
from services.scoring.usecases.score_accounts import score_accounts
from services.scoring.usecases.score_leads import Desk, recheck_leads, rescan_leads
from shared.db.engine import transaction
from tests.support.builders.scoring import START
from tests.support.desk import ServiceDesk


class ScoringDesk(ServiceDesk):
    """Scoring's database with the rounds of its loop."""

    def __init__(self, url: str) -> None:
        self.desk = Desk(Terms(), b"test salt")
        super().__init__(url, handlers(self.desk))

    async def recheck(self, *, at: datetime | None = None) -> int:
        """One round of the re-checks."""
        if at is not None:
            await self.at(at)
        async with transaction(self.database, "rechecks") as tx:
            return await recheck_leads(tx, desk=self.desk)

    async def rescan(self) -> int:
        """One slice of the rescan under new terms."""
        async with transaction(self.database, "rechecks") as tx:
            return await rescan_leads(tx, desk=self.desk)

    async def accounts(self) -> int:
        """One round of what is due of accounts."""
        async with transaction(self.database, "rechecks") as tx:
            return await score_accounts(tx, desk=self.desk)


async def scoring_desk(url: str) -> ScoringDesk:
    """A desk whose world stands at START."""
    desk = ScoringDesk(url)
    await desk.at(START)
    return desk
