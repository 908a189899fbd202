"""Users, their sessions, failed sign-ins and API keys. Sessions and keys live in machine time.

Of a session's token and a key's secret only the SHA-256 is kept: who reads the database cannot sign in with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.console.domain.guessing import Tries
from services.console.domain.records import UserRow
from shared.db.engine import ReadTx, Tx

__all__ = [
    "KeyRow",
    "SessionRow",
    "add_failure",
    "add_key",
    "add_session",
    "add_user",
    "clear_failures",
    "end_session",
    "end_sessions_of",
    "find_key",
    "find_session",
    "find_sign_in",
    "keys",
    "lock_tries",
    "note_key_use",
    "note_session_use",
    "revoke_key",
    "sweep",
    "take_failure_back",
    "tries_of",
    "update_user",
    "user",
    "users",
]

FAILURE_MEMORY_MINUTES = 15
SEEN_EVERY_SECONDS = 60  # how often a session's last use is written: not at each request


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A live session and its user."""

    user: UserRow
    csrf: str
    is_seen_long_ago: bool


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One API key without its secret."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


_USER = "user_id, user_name, display_name, role, team_id, is_active, time_zone"
_KEY = "key_id, name, scopes, created_by, created_at, expires_at, used_at, revoked_at"


def _user(row: object) -> UserRow:
    names = ("user_id", "user_name", "display_name", "role", "team_id", "is_active", "time_zone")
    return UserRow(*(getattr(row, name) for name in names))


async def users(tx: ReadTx) -> dict[UUID, UserRow]:
    """All users, those switched off too: their names stand in histories."""
    found = await tx.execute(f"select {_USER} from console_user order by display_name")  # noqa: S608 - fixed columns
    return {row.user_id: _user(row) for row in found}


async def user(tx: ReadTx, user_id: UUID) -> UserRow | None:
    """One user, or None."""
    found = await tx.execute(f"select {_USER} from console_user where user_id = :id", {"id": user_id})  # noqa: S608
    row = found.first()
    return _user(row) if row else None


async def add_user(tx: Tx, row: UserRow, *, password_hash: str) -> bool:
    """Keep a new user; False when the user name is taken."""
    found = await tx.execute(
        """
        insert into console_user (user_id, user_name, display_name, role, team_id, time_zone, password_hash, created_at)
        values (:user_id, :user_name, :display_name, :role, :team_id, :time_zone, :password_hash, now())
        on conflict (user_name) do nothing returning user_id
        """,
        {
            "user_id": row.user_id,
            "user_name": row.user_name,
            "display_name": row.display_name,
            "role": row.role,
            "team_id": row.team_id,
            "time_zone": row.time_zone,
            "password_hash": password_hash,
        },
    )
    return found.first() is not None


async def update_user(tx: Tx, row: UserRow, *, password_hash: str | None) -> None:
    """Write a user's role, team, name and state; the password only when a new one is given."""
    await tx.execute(
        """
        update console_user set display_name = :display_name, role = :role, team_id = :team_id, time_zone = :time_zone,
               is_active = :is_active, password_hash = coalesce(:password_hash, password_hash), version = version + 1
         where user_id = :user_id
        """,
        {
            "user_id": row.user_id,
            "display_name": row.display_name,
            "role": row.role,
            "team_id": row.team_id,
            "time_zone": row.time_zone,
            "is_active": row.is_active,
            "password_hash": password_hash,
        },
    )


async def find_sign_in(tx: ReadTx, user_name: str) -> tuple[UserRow, str] | None:
    """An active user with the hash of the password, or None."""
    found = await tx.execute(
        f"select {_USER}, password_hash from console_user where user_name = :name and is_active"  # noqa: S608
        " and password_hash is not null",
        {"name": user_name},
    )
    row = found.first()
    return (_user(row), row.password_hash) if row else None


async def add_session(tx: Tx, *, token_sha256: bytes, user_id: UUID, csrf: str) -> None:
    """Begin a session."""
    await tx.execute(
        """
        insert into session (token_sha256, user_id, csrf, created_at, seen_at)
        values (:token, :user_id, :csrf, now(), now())
        """,
        {"token": token_sha256, "user_id": user_id, "csrf": csrf},
    )


async def find_session(tx: ReadTx, token_sha256: bytes, *, idle_hours: int, days_max: int) -> SessionRow | None:
    """The live session of a token, or None when it ended, was idle too long, or its user is switched off."""
    found = await tx.execute(
        f"""
        select {_USER}, csrf, seen_at < now() - make_interval(secs => :seen_every) as is_seen_long_ago
          from session join console_user using (user_id)
         where token_sha256 = :token and is_active and seen_at > now() - make_interval(hours => :idle)
           and session.created_at > now() - make_interval(days => :days)
        """,  # noqa: S608 - fixed columns
        {"token": token_sha256, "idle": idle_hours, "days": days_max, "seen_every": SEEN_EVERY_SECONDS},
    )
    row = found.first()
    return SessionRow(_user(row), row.csrf, row.is_seen_long_ago) if row else None


async def note_session_use(tx: Tx, token_sha256: bytes) -> None:
    """Write that a session was used now."""
    await tx.execute("update session set seen_at = now() where token_sha256 = :token", {"token": token_sha256})


async def end_session(tx: Tx, token_sha256: bytes) -> None:
    """End one session."""
    await tx.execute("delete from session where token_sha256 = :token", {"token": token_sha256})


async def end_sessions_of(tx: Tx, user_id: UUID) -> None:
    """End all sessions of a user: a role, a password or the right to sign in changed."""
    await tx.execute("delete from session where user_id = :user_id", {"user_id": user_id})


async def lock_tries(tx: Tx, subjects: Sequence[str]) -> list[Tries]:
    """The failed tries of each subject within the memory, locked: who tries at the same time waits for this one."""
    await tx.execute(
        """
        insert into login_failure (subject, failures, failed_at)
        select subject, 0, now() from unnest(cast(:subjects as text[])) subject order by subject
        on conflict (subject) do nothing
        """,
        {"subjects": list(subjects)},
    )
    found = await tx.execute(
        """
        select case when failed_at > now() - make_interval(mins => :minutes) then failures else 0 end as failures,
               extract(epoch from now() - failed_at) as since
          from login_failure where subject = any(:subjects) order by subject for update
        """,
        {"subjects": list(subjects), "minutes": FAILURE_MEMORY_MINUTES},
    )
    return [Tries(int(row.failures), max(0.0, float(row.since))) for row in found]


async def tries_of(tx: ReadTx, subject: str) -> Tries:
    """The failed tries of a subject within the memory."""
    found = await tx.execute(
        """
        select failures, extract(epoch from now() - failed_at) as since from login_failure
         where subject = :subject and failed_at > now() - make_interval(mins => :minutes)
        """,
        {"subject": subject, "minutes": FAILURE_MEMORY_MINUTES},
    )
    row = found.first()
    return Tries(int(row.failures), max(0.0, float(row.since))) if row else Tries(0, 0.0)


async def add_failure(tx: Tx, subjects: Sequence[str]) -> None:
    """Count a try of each subject as failed; counting begins again after the memory."""
    await tx.execute(
        """
        insert into login_failure as known (subject, failures, failed_at)
        select subject, 1, now() from unnest(cast(:subjects as text[])) subject order by subject
        on conflict (subject) do update
           set failures = case when known.failed_at > now() - make_interval(mins => :minutes)
                               then known.failures + 1 else 1 end, failed_at = now()
        """,
        {"subjects": list(subjects), "minutes": FAILURE_MEMORY_MINUTES},
    )


async def take_failure_back(tx: Tx, subject: str) -> None:
    """A try that was counted in advance proved right."""
    await tx.execute(
        "update login_failure set failures = greatest(failures - 1, 0) where subject = :subject", {"subject": subject}
    )


async def clear_failures(tx: Tx, subject: str) -> None:
    """Forget a subject's failures: it has proven itself."""
    await tx.execute("delete from login_failure where subject = :subject", {"subject": subject})


async def add_key(tx: Tx, row: KeyRow, *, secret_sha256: bytes) -> None:
    """Keep a new API key."""
    await tx.execute(
        """
        insert into api_key (key_id, name, secret_sha256, scopes, created_by, created_at, expires_at)
        values (:key_id, :name, :secret, :scopes, :created_by, now(), :expires_at)
        """,
        {
            "key_id": row.key_id,
            "name": row.name,
            "secret": secret_sha256,
            "scopes": list(row.scopes),
            "created_by": row.created_by,
            "expires_at": row.expires_at,
        },
    )


async def find_key(tx: ReadTx, key_id: str) -> tuple[KeyRow, bytes] | None:
    """A live key with the hash of its secret, or None when it is unknown, expired or revoked."""
    found = await tx.execute(
        f"select {_KEY}, secret_sha256 from api_key where key_id = :key_id and revoked_at is null"  # noqa: S608
        " and (expires_at is null or expires_at > now())",
        {"key_id": key_id},
    )
    row = found.first()
    return (_key(row), bytes(row.secret_sha256)) if row else None


async def keys(tx: ReadTx) -> list[KeyRow]:
    """All keys, the newest first, at most 500."""
    found = await tx.execute(f"select {_KEY} from api_key order by created_at desc limit 500")  # noqa: S608 - fixed
    return [_key(row) for row in found]


async def note_key_use(tx: Tx, key_id: str) -> None:
    """Write that a key was used now; at most once a minute."""
    await tx.execute(
        """
        update api_key set used_at = now()
         where key_id = :key_id and (used_at is null or used_at < now() - make_interval(secs => :every))
        """,
        {"key_id": key_id, "every": SEEN_EVERY_SECONDS},
    )


async def revoke_key(tx: Tx, key_id: str) -> bool:
    """End a key; False when there is no live one."""
    found = await tx.execute(
        "update api_key set revoked_at = now() where key_id = :key_id and revoked_at is null returning key_id",
        {"key_id": key_id},
    )
    return found.first() is not None


async def sweep(tx: Tx, *, idle_hours: int, days_max: int) -> None:
    """Delete ended sessions and forgotten failures."""
    await tx.execute(
        """
        delete from session where seen_at < now() - make_interval(hours => :idle)
            or created_at < now() - make_interval(days => :days)
        """,
        {"idle": idle_hours, "days": days_max},
    )
    await tx.execute(
        "delete from login_failure where failed_at < now() - make_interval(mins => :minutes)",
        {"minutes": FAILURE_MEMORY_MINUTES},
    )


def _key(row: object) -> KeyRow:
    names = ("key_id", "name", "created_by", "created_at", "expires_at", "used_at", "revoked_at")
    values = {name: getattr(row, name) for name in names}
    return KeyRow(scopes=tuple(getattr(row, "scopes")), **values)  # noqa: B009 - a result row has no static names
