"""The `baton` command: its exit codes, its one JSON document, its words when nothing is running."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import state
from deploy.local.processes import Running
from deploy.local.state import State

_ROOT = Path(__file__).parents[3]


def _baton(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env={**own, "BATON_HOME": str(home)},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_doctor_prints_one_document_with_what_to_do(tmp_path: Path) -> None:
    done = _baton(tmp_path, "doctor", "--json")
    findings = json.loads(done.stdout)["findings"]
    assert {finding["name"] for finding in findings} >= {"python", "java", "jars", "postgres", "libgomp", "ports"}
    assert all(finding["is_there"] or finding["to_do"] for finding in findings)


def test_status_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    done = _baton(tmp_path, "status")
    assert (done.returncode, "baton up" in done.stdout) == (4, True)


def test_status_and_down_know_the_stack_that_a_replay_left(tmp_path: Path) -> None:
    ended = Running(pid=2**22 + 1, started="never")  # no process has this id
    home = tmp_path / "replay"
    home.mkdir()
    state.write(home, State(environment="demo", started_at="", supervisor=ended, home=str(home)))
    assert str(home) in _baton(tmp_path, "status").stdout
    assert _baton(tmp_path, "down").returncode == 0
    assert state.read(home) is None


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    done = _baton(tmp_path, "source", "create", "mails", "--sender", "sendgrid", "--secret-file", str(tmp_path / "no"))
    assert (done.returncode, "--secret-file" in done.stderr) == (4, True)


def test_down_without_a_stack_is_fine(tmp_path: Path) -> None:
    done = _baton(tmp_path, "down", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"ended": {}})


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify"],
        ["parked", "list"],
        ["explain", "an-id"],
        ["replay-decision"],
        ["user", "add", "a@example.org"],
        ["topics"],
        ["source", "create", "website"],
        ["source", "list"],
    ],
)
def test_what_needs_a_stack_ends_with_4_and_says_so(tmp_path: Path, arguments: list[str]) -> None:
    done = _baton(tmp_path, *arguments)
    assert done.returncode == 4
    assert "baton up" in done.stderr
    assert done.stdout == ""


def test_a_file_that_is_no_csv_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_bytes(b"email\n\x81\xfe\n")
    done = _baton(tmp_path, "import", "leads", "--dry-run", str(tmp_path / "leads.csv"))
    assert (done.returncode, "UTF-8" in done.stderr) == (3, True)


def test_a_service_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path) -> None:
    done = _baton(tmp_path, "parked", "list", "--service", "bogus")
    assert (done.returncode, "bogus" in done.stderr, "ingest" in done.stderr) == (2, True, True)


@pytest.mark.parametrize("arguments", [["bogus"], ["parked", "discard", "an-id"], ["up", "--bogus"]])
def test_wrong_use_ends_with_2_and_shows_the_usage(tmp_path: Path, arguments: list[str]) -> None:
    done = _baton(tmp_path, *arguments)
    assert done.returncode == 2
    assert "Usage: baton" in done.stderr or "Usage:" in done.stderr


def test_the_installed_script_is_the_command() -> None:
    subprocess.run([sys.executable, "-m", "deploy.cli.install"], cwd=_ROOT, check=True, capture_output=True)
    script = Path(sys.executable).with_name("baton")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=True, cwd="/")
    assert "closed-loop lead handoff" in done.stdout


def test_a_dry_run_names_the_record_whose_quote_is_open(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text('email,note\r\nkim@acme.example,"two\nlines"\r\nlee@acme.example,"open\r\n')
    done = _baton(tmp_path, "import", "leads", str(file), "--dry-run")
    assert (done.returncode, done.stdout) == (3, "")
    assert "record 2 (line 4)" in done.stderr
    assert "quote" in done.stderr


def test_a_dry_run_reads_what_a_spreadsheet_saved_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes("E-Mail;Name\r\nzoe@acme.example;Zoë\r\n".encode("cp1252"))
    done = _baton(tmp_path, "import", "leads", str(file), "--dry-run")
    assert (done.returncode, "E-Mail, Name" in done.stdout, "Windows-1252" in done.stderr) == (0, True, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["parked", "replay-all"],
        ["parked", "replay-all", "--from", "yesterday"],
        ["parked", "discard-all", "--because", "ours", "--from", "2026-06-10T09:00"],
        ["source", "delete", "site"],
        ["source", "set", "site", "--option", "topic"],
    ],
)
def test_what_is_not_said_well_enough_is_asked_for_before_anything_is_called(
    tmp_path: Path, arguments: list[str]
) -> None:
    done = _baton(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--" in done.stderr
