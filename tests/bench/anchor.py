"""The anchor of every CPU gate: the barest ASGI answer, measured in the same round on the same cores.

The gates were taken on a machine where that answer cost 13.7 us (PERFORMANCE 6). Ratios carry over to another machine,
absolute numbers do not (PERFORMANCE 1.1): so the verdict is of the multiple of bare, and the microseconds stand beside.
"""

import signal
from collections.abc import Sequence
from itertools import repeat
from statistics import median

from tests.bench.cpu import cpu_seconds
from tests.bench.figures import Figure, of_rounds
from tests.bench.load import request_bytes, saturate
from tests.bench.rig import Rig, wait_for

__all__ = ["BARE_OF_THE_GATES", "bare_microseconds", "beside_bare"]

BARE_OF_THE_GATES = 13.7
CONNECTIONS = 32
SECONDS = 3.0
WARM_UP_SECONDS = 1.0
_PLAIN = repeat(request_bytes("POST", "/", b"x" * 300, {"content-type": "application/json"})).__next__


async def bare_microseconds(servers: Rig) -> float:
    """CPU of one answer of the barest program, started for this and ended again."""
    running = servers.start("bare", "tests.bench.lean.bare", variables={})
    port = servers.api_ports["bare"]
    await _answers(port)
    await saturate(port, _PLAIN, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
    before = cpu_seconds([running.pid])
    load = await saturate(port, _PLAIN, connections=CONNECTIONS, seconds=SECONDS)
    after = cpu_seconds([running.pid])
    assert set(load.statuses) == {204}, f"answers: {load.statuses}"
    servers.end("bare", signal.SIGTERM)
    return (after - before) / load.answers * 1e6


async def _answers(port: int) -> None:
    """Wait until the server takes requests."""

    async def is_open() -> bool:
        try:
            return bool((await saturate(port, _PLAIN, connections=1, seconds=0.01)).answers)
        except OSError:
            return False

    await wait_for(is_open)


def beside_bare(
    stage: str,
    name: str,
    costs: Sequence[float],
    bares: Sequence[float],
    *,
    gate: float,
    aim: float | None = None,
    note: str = "",
) -> list[Figure]:
    """Bare, the cost, and the cost as a multiple of bare, by which it is judged. gate and aim: us, of their machine."""
    factor = median(bares) / BARE_OF_THE_GATES
    here = f"gate {gate:g} us where bare costs {BARE_OF_THE_GATES}: {gate * factor:.1f} here"
    here += "" if aim is None else f"; aim {aim:g}: {aim * factor:.1f}"
    multiples = [cost / bare for cost, bare in zip(costs, bares, strict=True)]
    return [
        of_rounds(stage, "CPU an answer of bare ASGI, the anchor", "us", bares, is_better="lower"),
        of_rounds(stage, name, "us", costs, is_better="lower", note=here),
        of_rounds(
            stage,
            f"{name} / bare",
            "x",
            multiples,
            is_better="lower",
            gate=round(gate / BARE_OF_THE_GATES, 2),
            aim=None if aim is None else round(aim / BARE_OF_THE_GATES, 2),
            note=note,
        ),
    ]
