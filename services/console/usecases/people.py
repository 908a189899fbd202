"""Signing in, users and API keys.

Passwords are hashed with argon2id outside of any transaction; secrets are shown once.
"""

import asyncio
import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from uuid import UUID
from zoneinfo import available_timezones

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from services.console.domain.guessing import Tries, longest_wait, network_of
from services.console.domain.records import UserRow
from services.console.domain.rights import Role
from services.console.domain.user_names import is_mail_address
from services.console.domain.words import plural
from services.console.store import people
from shared.db.engine import Database, ReadTx, Tx, reading, transaction
from shared.errors import FieldError, NotFound, RateLimited, Refused
from shared.ids import new_id, secret_token

__all__ = [
    "MadeKey",
    "NewUser",
    "Session",
    "add_user",
    "change_user",
    "end_session",
    "hashed",
    "make_key",
    "prove_key",
    "prove_session",
    "revoke_key",
    "sign_in",
    "token_hash",
]

PASSWORD_LENGTH_MIN = 10
USER_NAME_LENGTH_MAX = 200
_GENERATED_BYTES = 16
_KEY_PREFIX = "bt"
_SAID_IN_SECONDS = 120  # longer waits are told in minutes
# One hash for all: who signs in with an unknown name waits as long as with a known one.
_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash("nobody signs in with this")


@dataclass(frozen=True, slots=True)
class Session:
    """A session as proven by its cookie."""

    user: UserRow
    csrf: str
    token_sha256: bytes


@dataclass(frozen=True, slots=True)
class NewUser:
    """What an administrator says of a new user; without a password one is made."""

    user_name: str
    display_name: str
    role: Role
    team_id: UUID | None = None
    time_zone: str = "UTC"
    password: str | None = None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key with its text, which is shown once."""

    row: people.KeyRow
    text: str


def token_hash(token: str) -> bytes:
    """What is kept of a session token or key secret."""
    return sha256(token.encode()).digest()


async def hashed(password: str) -> str:
    """The argon2id hash of a password, computed beside the event loop."""
    return await asyncio.to_thread(_HASHER.hash, password)


async def sign_in(database: Database, *, user_name: str, password: str, address: str) -> tuple[str, UserRow] | None:
    """A new session's token and its user, or None when name and password do not fit.

    Raises RateLimited while the name or the address has to wait.
    """
    name = user_name.strip().lower()[:USER_NAME_LENGTH_MAX]
    user, network = f"user:{sha256(name.encode()).hexdigest()}", f"address:{network_of(address)}"
    async with reading(database) as tx:  # a flood of tries is turned away without a lock
        _must_not_wait([await people.tries_of(tx, one) for one in (network, user)], "failed tries")
    async with transaction(database, "command") as tx:
        _must_not_wait(await people.lock_tries(tx, [network, user]), "failed tries")
        await people.add_failure(tx, [network, user])  # taken back when it proves right
        found = await people.find_sign_in(tx, name)
    is_right = await asyncio.to_thread(_fits, found[1] if found else _NOBODY, password)
    if found is None or not is_right:
        return None
    async with transaction(database, "command") as tx:
        await people.take_failure_back(tx, network)
        await people.clear_failures(tx, user)
        token = secret_token()
        await people.add_session(
            tx, token_sha256=token_hash(token), user_id=found[0].user_id, csrf=secret_token(_GENERATED_BYTES)
        )
    return token, found[0]


async def prove_session(database: Database, token: str, *, idle_hours: int, days_max: int) -> Session | None:
    """The live session of a cookie, or None."""
    digest = token_hash(token)
    async with reading(database) as tx:
        found = await people.find_session(tx, digest, idle_hours=idle_hours, days_max=days_max)
    if found is None:
        return None
    if found.is_seen_long_ago:
        async with transaction(database, "command") as writing:
            await people.note_session_use(writing, digest)
    return Session(found.user, found.csrf, digest)


async def end_session(tx: Tx, token_sha256: bytes) -> None:
    """Sign out."""
    await people.end_session(tx, token_sha256)


async def prove_key(database: Database, text: str, *, address: str) -> people.KeyRow | None:
    """The live API key of its text `bt_<id>_<secret>`, or None. Raises RateLimited after too many guesses."""
    subject = f"key-address:{network_of(address)}"
    async with reading(database) as tx:
        _must_not_wait([await people.tries_of(tx, subject)], "wrong keys")
        found = await _matching_key(tx, text)
    async with transaction(database, "command") as writing:
        if found is None:
            _must_not_wait(await people.lock_tries(writing, [subject]), "wrong keys")
            await people.add_failure(writing, [subject])
        else:
            await people.note_key_use(writing, found.key_id)
    return found


def _must_not_wait(tries: Sequence[Tries], of_what: str) -> None:
    wait = longest_wait(tries)
    if wait:
        unit = plural(wait, "second") if wait < _SAID_IN_SECONDS else plural(math.ceil(wait / 60), "minute")
        raise RateLimited(f"Too many {of_what}. Try again in {unit}.", retry_after=wait)


async def add_user(tx: Tx, new: NewUser, *, password_hash: str) -> UserRow:
    """Keep a new user. Raises Refused when the name is taken or a field is wrong."""
    name = new.user_name.strip().lower()
    if not is_mail_address(name):
        wrong = FieldError("/email", "no_mail_address", "This is no mail address.")
        raise Refused("Give the address the person signs in with, such as kim@example.org.", errors=[wrong])
    if not new.display_name.strip():
        wrong = FieldError("/name", "empty", "The name is empty.")
        raise Refused("Say the name as others see it.", errors=[wrong])
    if new.time_zone not in available_timezones():
        raise Refused("Name a time zone of the IANA list.", errors=[FieldError("/time_zone", "unknown", "Not a zone.")])
    row = UserRow(new_id(), name, new.display_name.strip(), new.role.value, new.team_id, time_zone=new.time_zone)
    if not await people.add_user(tx, row, password_hash=password_hash):
        detail = "There is a user with this name already; change that one or choose another name."
        raise Refused(detail, errors=[FieldError("/email", "taken", "This user name is taken.")], slug="user_exists")
    return row


async def change_user(
    tx: Tx,
    user_id: UUID,
    *,
    role: Role | None,
    team_id: UUID | None,
    display_name: str | None,
    is_active: bool | None,
    password_hash: str | None,
) -> UserRow:
    """Change what is given. A change of role, state or password ends the user's sessions. Raises NotFound."""
    row = await people.user(tx, user_id)
    if row is None:
        raise NotFound("There is no user with this id.")
    after = replace(
        row,
        role=role.value if role else row.role,
        team_id=team_id or row.team_id,
        display_name=display_name or row.display_name,
        is_active=row.is_active if is_active is None else is_active,
    )
    await people.update_user(tx, after, password_hash=password_hash)
    if after.role != row.role or after.is_active != row.is_active or password_hash is not None:
        await people.end_sessions_of(tx, user_id)
    return after


async def make_key(
    tx: Tx, *, name: str, scopes: tuple[str, ...], created_by: str, expires_at: datetime | None
) -> MadeKey:
    """Make an API key; its text is not kept and cannot be shown again."""
    key_id, secret = new_id().hex, secret_token()
    row = people.KeyRow(key_id, name, scopes, created_by, tx.now, expires_at, None, None)
    await people.add_key(tx, row, secret_sha256=token_hash(secret))
    return MadeKey(row, f"{_KEY_PREFIX}_{key_id}_{secret}")


async def revoke_key(tx: Tx, key_id: str) -> None:
    """End a key at once. Raises NotFound."""
    if not await people.revoke_key(tx, key_id):
        raise NotFound("There is no live key with this id.")


async def _matching_key(tx: ReadTx, text: str) -> people.KeyRow | None:
    parts = text.split("_", 2)
    if len(parts) != 3 or parts[0] != _KEY_PREFIX:
        return None
    found = await people.find_key(tx, parts[1])
    if found is None or not hmac.compare_digest(found[1], token_hash(parts[2])):
        return None
    return found[0]


def _fits(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False
