"""The keys of a local stack: made once, readable by their owner alone, and good for service tokens."""

import stat
from pathlib import Path

from cryptography.fernet import Fernet

from deploy.local.keys import make_keys, variables_of_keys
from shared.web.auth import ServiceTokens


def test_a_key_that_exists_is_never_made_anew(tmp_path: Path) -> None:
    make_keys(tmp_path)
    first = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    make_keys(tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == first


def test_private_files_are_the_owners_alone(tmp_path: Path) -> None:
    make_keys(tmp_path)
    private = [file for file in tmp_path.iterdir() if file.suffix == ".key" or file.name.count(".") == 1]
    private = [file for file in private if file.name != "service_keys.json"]
    assert len(private) == 8
    assert {stat.S_IMODE(file.stat().st_mode) for file in private} == {0o600}


def test_services_believe_the_commands_tokens_and_each_others(tmp_path: Path) -> None:
    make_keys(tmp_path)
    everybody = Path(variables_of_keys(tmp_path)["BATON_SERVICE_KEYS_FILE"])
    command = ServiceTokens.from_files("cli", signing_key_file=tmp_path / "cli.pem", service_keys_file=None)
    handoff = ServiceTokens.from_files("handoff", signing_key_file=None, service_keys_file=everybody)
    assert handoff.check(command.make(audience="handoff")).kind == "cli"


def test_the_wrapping_key_wraps(tmp_path: Path) -> None:
    make_keys(tmp_path)
    key = Fernet((tmp_path / "fernet.key").read_bytes().strip())
    assert key.decrypt(key.encrypt(b"a secret")) == b"a secret"
