"""Deadlines of single sends, on the loop that services run on."""

import asyncio

import uvloop

from shared.stream.gatherer import Gatherer, NotAcked


class _Silent:
    """A client that knows one partition and is never given anything."""

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0}


async def _sent_together(deadline_seconds: float) -> list[object]:
    gatherer = Gatherer(_Silent(), linger_seconds=60, note_end=lambda *_: None)
    await gatherer.learn("leads")
    sends = [gatherer.put("leads", b"k", b"v", [], deadline_seconds=deadline_seconds) for _ in range(3)]
    return list(await asyncio.gather(*sends, return_exceptions=True))


def test_a_deadline_below_the_loop_s_millisecond_ends_each_send_by_itself() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for seconds in (0.0001, 0.0004, 0.002):
            answers = runner.run(_sent_together(seconds))
            assert [type(answer) for answer in answers] == [NotAcked] * 3
