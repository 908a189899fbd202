"""The state file: what was written is read back, nobody else may read it, and half a file is no state."""

import stat
from pathlib import Path

from deploy.local import state
from deploy.local.processes import Running
from deploy.local.state import Server, Service, State


def _state(home: Path) -> State:
    return State(
        environment="local",
        started_at="2026-06-01T08:00:00+00:00",
        supervisor=Running(11, "1"),
        home=str(home),
        postgres=Server("postgresql://x", "18", Running(12, "2"), "data", "log"),
        kafka=Server("127.0.0.1:9", "given"),
        services={"ingest": Service("http://a", "http://b", "log", Running(13, "3"), restarts=2)},
        variables={"BATON_ENVIRONMENT": "local"},
        is_ready=True,
    )


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    state.write(tmp_path, _state(tmp_path))
    assert state.read(tmp_path) == _state(tmp_path)


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    state.write(tmp_path, _state(tmp_path))
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_processes_are_named_in_the_order_of_their_end(tmp_path: Path) -> None:
    assert list(_state(tmp_path).processes()) == ["supervisor", "ingest", "postgres"]


def test_no_file_and_half_a_file_are_no_stack(tmp_path: Path) -> None:
    assert state.read(tmp_path) is None
    (tmp_path / "state.json").write_text('{"environment": "lo')
    assert state.read(tmp_path) is None
    (tmp_path / "state.json").write_text("{}")
    assert state.read(tmp_path) is None
