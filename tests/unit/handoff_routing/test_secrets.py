"""Stored secrets: wrapped under the operator's keys, unreadable with others, known keys only outside production."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from services.handoff.dispatches import IngestNames, destinations_of, wrapping_of
from services.handoff.outbound.mail import Person, SmtpServer
from services.handoff.settings import Settings
from services.handoff.store.secrets import Wrapping
from shared.config import Environment
from shared.errors import Fatal
from shared.ids import LeadId, derived_id
from shared.web.addresses import AddressRefused
from shared.web.auth import ServiceTokens
from shared.web.service_client import ServiceClient


def settings(**changes: object) -> Settings:
    values = {"environment": Environment.LOCAL, "database_url": "postgresql://x", "kafka_bootstrap_servers": "x:1"}
    return Settings(**{**values, **changes})  # type: ignore[arg-type]  # any setting


def ingest() -> ServiceClient:
    return ServiceClient("ingest", tokens=ServiceTokens("handoff", signing_key=None, public_keys={}))


def test_a_secret_comes_back_under_any_of_the_keys(tmp_path: Path) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    file = tmp_path / "keys"
    file.write_bytes(new + b"\n\n" + old + b"\n")
    wrapped = Wrapping([old]).wrap("whsec_x")
    assert "whsec_x" not in wrapped
    assert Wrapping.from_file(file).unwrap(wrapped) == "whsec_x"
    assert Wrapping([new]).unwrap(Wrapping.from_file(file).wrap("y")) == "y"


def test_another_key_is_fatal() -> None:
    with pytest.raises(Fatal, match="FERNET"):
        Wrapping([Fernet.generate_key()]).unwrap(Wrapping([Fernet.generate_key()]).wrap("x"))


def test_a_malformed_key_file_is_fatal(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("no key")
    with pytest.raises(Fatal, match="one per line"):
        Wrapping.from_file(tmp_path / "keys")


def test_production_needs_a_key_file(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="BATON_FERNET_KEY_FILE"):
        wrapping_of(settings(environment=Environment.PRODUCTION))
    assert wrapping_of(settings()).unwrap(wrapping_of(settings()).wrap("x")) == "x"
    (tmp_path / "keys").write_bytes(Fernet.generate_key())
    kept = settings(environment=Environment.PRODUCTION, fernet_key_file=tmp_path / "keys")
    assert wrapping_of(kept).unwrap(wrapping_of(kept).wrap("x")) == "x"


async def test_destinations_are_as_the_settings_say(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    plain = destinations_of(settings(), ingest=ingest(), wrapping=wrapping_of(settings()))
    assert plain.mail_server is None
    with_mail = settings(
        smtp_host="mail.example",
        smtp_port=465,
        smtp_username="baton",
        smtp_password_file=tmp_path / "password",
        smtp_is_tls=True,
        mail_roles="revops=ops@x.example, marketing = m@x.example",
        public_url="https://baton.example",
    )
    made = destinations_of(with_mail, ingest=ingest(), wrapping=wrapping_of(settings()))
    assert made.mail_server == SmtpServer("mail.example", 465, "baton", "s3cret", use_tls=True)
    assert made.role_addresses == {"revops": "ops@x.example", "marketing": "m@x.example"}


async def test_production_guards_what_a_laptop_may_open() -> None:
    here = "http://127.0.0.1:9/hook"
    await settings(is_loopback_allowed=True).guard().check(here)
    for strict in (settings(), settings(environment=Environment.PRODUCTION, is_loopback_allowed=True)):
        with pytest.raises(AddressRefused):
            await strict.guard().check(here)
    opened = settings(environment=Environment.PRODUCTION, outbound_networks="10.0.0.0/8, 192.168.0.0/16")
    await opened.guard().check("https://10.1.2.3/hook")


class Answering:
    """Ingest's internal port with one profile."""

    async def call(self, method: str, path: str, **named: object) -> object:
        assert (method, path) == ("POST", "/internal/profiles")
        lead = str(derived_id("kim"))
        assert named["json"] == {"lead_ids": [lead], "purpose": "dispatch"}
        return {"profiles": [{"lead_id": lead, "name": "Kim Berg", "email": "k@x.example", "title": None}]}


async def test_names_are_asked_of_ingest_for_a_dispatch() -> None:
    lead = LeadId(derived_id("kim"))
    people = await IngestNames(Answering()).people([lead])  # type: ignore[arg-type]  # one method of the client
    assert people == {lead: Person(name="Kim Berg")}
