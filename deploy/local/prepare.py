"""Brings a stack's databases and topics to the state the running code needs, before services start.

`python -m deploy.local.prepare [migrate|topics]` (default both) reads the same environment as the services and prints
one JSON document. Doing it twice is fine.
"""

import asyncio
import json
import os
import sys
from urllib.parse import urlsplit, urlunsplit

from shared.config import SERVICES
from shared.db.migrate import migrate
from shared.stream.topics import create_topics

# Of a laptop; production sets 12 (RELIABILITY 4). Partitions are never added in place.
_PARTITIONS = "4"

__all__ = ["database_urls", "main", "migrate_all", "prepare_topics"]


def database_urls() -> dict[str, str]:
    """The URL of each service's own database, by the rule of the settings: one set for it, else baton_<service>."""
    server = os.environ.get("BATON_DATABASE_URL", "")
    return {
        service: os.environ.get(f"BATON_{service.upper()}_DATABASE_URL")
        or urlunsplit(urlsplit(server)._replace(path=f"/baton_{service}"))
        for service in SERVICES
    }


async def migrate_all() -> dict[str, str]:
    """Run every service's pending migrations, one after the other; the revision each then has."""
    return {service: await migrate(url, service) for service, url in database_urls().items()}


async def prepare_topics() -> list[str]:
    """Make the topics of the catalog that are missing; their names."""
    return await create_topics(
        os.environ["BATON_KAFKA_BOOTSTRAP_SERVERS"],
        partitions=int(os.environ.get("BATON_TOPIC_PARTITIONS", _PARTITIONS)),
        replication=int(os.environ.get("BATON_TOPIC_REPLICATION", "1")),
        topic_prefix=os.environ.get("BATON_TOPIC_PREFIX", "baton."),
    )


async def main(what: str) -> dict[str, object]:
    """Do what is named ("" = both); what was reached."""
    revisions, topics = await asyncio.gather(
        migrate_all() if what in {"", "migrate"} else _nothing(),
        prepare_topics() if what in {"", "topics"} else _nothing(),
    )
    return {"revisions": revisions, "topics": topics}


async def _nothing() -> None:
    """The half that was not asked for."""


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main("".join(sys.argv[1:2])))))
