"""A little life through the public doors of a stack: people ask for a demo, and one of them becomes a customer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.ids import new_id
from tests.support.stack import BatonStack

__all__ = ["Life", "begin_life"]


@dataclass
class Life:
    """A web site's source, and who came by."""

    stack: BatonStack
    write_key: str
    domain: str = field(default_factory=lambda: f"{new_id().hex[-10:]}.example")

    async def comes(self, name: str, *tracked: str) -> None:
        """A person says who they are, grants consent by the source, and does these things; waits until all is quiet."""
        who: dict[str, Any] = {"userId": f"{name}-{self.domain}"}
        traits = {"email": f"{name}@{self.domain}", "name": name.title(), "title": "VP Sales", "company": "Acme"}
        await self.send([{"type": "identify", "traits": traits, **who}])
        await self.send([{"type": "track", "event": event, **who} for event in tracked])
        await self.stack.quiet()

    async def send(self, events: Sequence[dict[str, Any]]) -> None:
        """One batch, as a server's library sends it."""
        body = {"batch": [{"messageId": str(new_id()), **event} for event in events], "writeKey": self.write_key}
        await self.stack.calls.send("ingest", "POST", "/v1/batch", body=body, signed=False)


async def begin_life(stack: BatonStack) -> Life:
    """Register the source; its consents are granted, so that people are scored."""
    asked = {"sender": "segment", "name": "site", "settings": {"consent": "granted"}, "keys": ["server_key"]}
    made = await stack.calls.call("ingest", "POST", "/v1/sources", body=asked)
    return Life(stack, made["keys"][0]["key"])
