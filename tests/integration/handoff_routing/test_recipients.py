"""Who was told of a person (for the export): whom a dispatch reached, of an address the host alone, nobody else's."""

from services.handoff.store.recipients import recipients_of_people
from shared.db.engine import reading
from tests.integration.handoff_routing.conftest import Outbound
from tests.integration.handoff_routing.test_dispatch_rows import LEAD, OTHER, assigned, write
from tests.support.receiver import receiving


async def test_a_recipient_is_whom_something_reached(outbound: Outbound) -> None:
    async with receiving() as receiver, outbound.looping():
        await outbound.endpoint(f"{receiver.url}/a-secret-path", description="CRM")
        await write(outbound, assigned(1), assigned(2), assigned(1, lead=OTHER))
        await outbound.until("select count(*) from dispatch where state = 'done'", [(3,)])
    await outbound.endpoint("https://later.example")
    await write(outbound, assigned(3))  # waits: it reached nobody
    async with reading(outbound.database) as tx:
        told = await recipients_of_people(tx, [LEAD])
    assert [(one["channel"], one["url"], one["description"], one["times"]) for one in told] == [
        ("webhook", "127.0.0.1", "CRM", 2)
    ]
    assert told[0]["first_at"] <= told[0]["last_at"]
