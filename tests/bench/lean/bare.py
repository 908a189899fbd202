"""The anchor of the front door: ASGI that reads the body and answers 204, under the same server as our services.

`python -m tests.bench.lean.bare` serves it on BATON_API_PORT until it is told to stop.
"""

import asyncio
import os
import signal
from typing import Any

import uvloop

from shared.runtime.server import DrainServer, listen

__all__ = ["app", "serve"]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - the ASGI signature
    """Read the body to its end, answer 204."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def serve(port: int) -> None:
    """Serve on a port until SIGTERM."""
    server = DrainServer(app)  # type: ignore[arg-type]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.drain)
    await server.serve(sockets=[listen("127.0.0.1", port)])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(os.environ["BATON_API_PORT"])))
