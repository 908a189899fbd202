"""The anchor of the front door: ASGI that reads the body and answers 204, under the same server."""

from typing import Any

__all__ = ["app"]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - the ASGI signature
    """Read the body to its end, answer 204."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
