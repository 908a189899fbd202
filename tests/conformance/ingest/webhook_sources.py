"""Sources of every sender that proves itself by a signature or a secret, for a door that is tried through sockets."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import httpx2

from services.ingest.adapters import ADAPTERS
from services.ingest.collector import SourceDirectory
from services.ingest.domain.source import Secret, Source, SourceSettings
from shared import clock
from shared.ids import derived_id
from shared.senders import InboundRequest
from shared.web.client import Fetched
from tests.conformance.ingest.signing import SIGNINGS
from tests.integration.ingest.door import PUBLIC_URL, Door

__all__ = [
    "Shelf",
    "address_of",
    "all_sources",
    "post",
    "signed_now",
    "source_id_of",
    "source_of",
    "sources_of_all",
    "url_of",
]

BUSY = 503
TRIES = 20  # a broker of a busy machine may not acknowledge at once
UNKNOWN = "ffffffffffffffffffffffffffffffff"


class Shelf:
    """A fetching client over addresses that are known beforehand; it says what was asked."""

    def __init__(self, known: Mapping[str, bytes]) -> None:
        self.known = dict(known)
        self.asked: list[str] = []

    async def send(self, method: str, url: str) -> Fetched:
        assert method == "GET"
        self.asked.append(url)
        found = self.known.get(url)
        return Fetched(404 if found is None else 200, (), found or b"")


def address_of(sender: str) -> str:
    return derived_id("address", sender).hex


def url_of(sender: str, address: str | None = None) -> str:
    return f"{PUBLIC_URL}/webhooks/{sender}/{address or address_of(sender)}"


def source_id_of(sender: str) -> str:
    return str(derived_id("source of", sender))


def source_of(
    sender: str,
    *secrets: str,
    valid_until: Sequence[datetime | None] = (),
    settings: SourceSettings | None = None,
    deleted_at: datetime | None = None,
) -> Source:
    """A source of this sender with these secrets, the first ones valid until the given times."""
    ends = [*valid_until, *[None] * len(secrets)]
    kept = tuple(Secret(derived_id("secret", one), one, end) for one, end in zip(secrets, ends, strict=False))
    own_id = derived_id("source of", sender)
    return Source(own_id, sender, sender, address_of(sender), settings or SourceSettings(), kept, deleted_at)


def all_sources(*, with_secrets: bool = True) -> list[Source]:
    """One source of each sender, with the secret that its signing module signs with."""
    sources = [
        source_of(name, *([one.source_secret] if with_secrets else []), settings=one.settings)
        for name, one in SIGNINGS.items()
    ]
    return [*sources, *(source_of(name) for name in ADAPTERS if name not in SIGNINGS)]


def sources_of_all(*, with_secrets: bool = True) -> SourceDirectory:
    """A directory of them, fresh as if it was just read."""
    directory = SourceDirectory()
    directory.replace(all_sources(with_secrets=with_secrets), [], read_at=clock.monotonic())
    return directory


def signed_now(sender: str, *, seconds: float = 0, url: str = "") -> InboundRequest:
    """A right request of this sender, made now or so many seconds away from now."""
    return SIGNINGS[sender].signed(
        now=(clock.now() + timedelta(seconds=seconds)).timestamp(), url=url or url_of(sender)
    )


async def post(
    door: Door, request: InboundRequest, *, address: str | None = None, tries: int = TRIES
) -> httpx2.Response:
    """Send a request as it is, perhaps to another address than it was signed for; on 503 again, as senders do."""
    path = request.path if address is None else f"{request.path.rpartition('/')[0]}/{address}"
    url = f"{path}?{request.query}" if request.query else path
    answer = await door.client.request(request.method, url, content=request.body, headers=request.headers)
    if answer.status_code != BUSY or tries == 1:
        return answer
    return await post(door, request, address=address, tries=tries - 1)
