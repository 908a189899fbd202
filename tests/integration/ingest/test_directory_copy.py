"""The copy of the source directory: all of it comes back, no secret lies in it, a damaged one is as good as none."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet

from services.ingest.collector.directory import SourceDirectory
from services.ingest.collector.directory_copy import DirectoryCopy
from services.ingest.domain.source import Secret, Source, SourceKey, SourceSettings, key_hash
from shared import clock
from shared.ids import derived_id

WRAPPING = MultiFernet([Fernet(Fernet.generate_key())])
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SITE = Source(
    derived_id("source", "site"),
    "segment",
    "site",
    "address-of-site",
    SourceSettings(
        origins=frozenset({"https://www.example.test", "https://shop.example.test"}),
        pages=(("/pricing*", "pricing"),),
        names={"asked for a demo": "demo_requested"},
        properties=frozenset({"plan"}),
        consent="granted",
        rate_per_second=7,
    ),
)
MAIL = Source(
    derived_id("source", "mail"),
    "sendgrid",
    "mail",
    "address-of-mail",
    secrets=(Secret(derived_id("secret", 1), "first secret", AT), Secret(derived_id("secret", 2), "second secret")),
    deleted_at=AT,
    has_secret=True,
)
KEYS = [
    SourceKey(derived_id("key", 1), SITE.id, "server_key", key_hash("server key"), AT),
    SourceKey(derived_id("key", 2), SITE.id, "browser_key", key_hash("browser key")),
]


async def test_everything_comes_back_and_no_secret_is_readable(tmp_path: Path) -> None:
    file = tmp_path / "door" / "directory.json"
    await DirectoryCopy(file, WRAPPING).save([SITE, MAIL], KEYS)
    written = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert b"secret" not in written.replace(b'"secrets"', b"").replace(b'"has_secret"', b"")
    assert b"browser key" not in written
    assert DirectoryCopy(file, WRAPPING).load() == ([SITE, MAIL], KEYS)


async def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "directory.json"
    copy = DirectoryCopy(file, WRAPPING)
    await copy.save([SITE, MAIL], KEYS)
    first = file.stat().st_ino, file.stat().st_mtime_ns
    await copy.save([MAIL, SITE], KEYS[::-1])  # the database gives no order
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == first
    await copy.save([replace(SITE, name="shop"), MAIL], KEYS)
    loaded = copy.load()
    assert loaded is not None
    assert [source.name for source in loaded[0]] == ["shop", "mail"]
    assert not file.with_suffix(".new").exists()


async def test_a_damaged_or_missing_copy_is_none_and_a_foreign_key_costs_its_secrets_alone(tmp_path: Path) -> None:
    file = tmp_path / "directory.json"
    copy = DirectoryCopy(file, WRAPPING)
    assert copy.load() is None
    await copy.save([SITE, MAIL], KEYS)
    other = DirectoryCopy(file, MultiFernet([Fernet(Fernet.generate_key())]))
    assert other.load() == ([SITE, replace(MAIL, secrets=())], KEYS)
    whole = file.read_bytes()
    assert not replace(MAIL, secrets=()).is_open
    of_an_earlier_form = whole.replace(b',"form":2', b"").replace(b',"has_secret":true', b"")
    for damaged in (of_an_earlier_form, whole[: len(whole) // 2], b"", b"{}", b"\xff\x00"):
        file.write_bytes(damaged)
        assert copy.load() is None


async def test_a_disk_that_fails_costs_the_copy_and_not_the_door(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    await DirectoryCopy(tmp_path / "file" / "directory.json", WRAPPING).save([SITE], KEYS)


async def test_a_door_that_begins_with_a_copy_knows_its_keys_and_calls_nobody_unknown() -> None:
    directory = SourceDirectory()
    directory.replace([SITE, MAIL], [replace(key, valid_until=None) for key in KEYS], read_at=None)
    proof = directory.by_key("server key")
    assert proof is not None
    assert proof.source == SITE
    assert directory.by_key("another key") is None
    assert not directory.is_fresh(clock.monotonic())
