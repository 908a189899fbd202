"""Where a body is read: small ones where they came, large and packed ones in a thread that holds nobody."""

from threading import get_ident

from services.ingest.collector.aside import THREAD_FROM_BYTES, aside
from shared.senders import InboundRequest


async def test_large_and_packed_bodies_are_read_off_the_loop_and_small_ones_on_it() -> None:
    small = InboundRequest("POST", "/webhooks/x/y", "", {}, b"x" * (THREAD_FROM_BYTES - 1))
    packed = small._replace(headers={"content-encoding": "gzip"}, body=b"x")
    large = small._replace(body=b"x" * THREAD_FROM_BYTES)
    where = [await aside(one, get_ident) == get_ident() for one in (small, packed, large)]
    assert where == [True, False, False]
