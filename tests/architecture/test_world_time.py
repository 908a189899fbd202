"""World time comes from `baton_now()` and shared.clock; the host's `now()` only keeps the machine going."""

import ast
import re
from pathlib import Path

from tests.architecture.layout import ROOT, python_files, syntax

# Files whose SQL counts machine time: leases, heartbeats, inbox age, idempotency keys, sessions (DECISIONS section 8).
MACHINE_TIME = {
    "shared/db/runtime_ddl.py",
    "shared/db/engine.py",
    "shared/db/ledger.py",
    "shared/db/retention.py",
    "shared/stream",
    "shared/web/idempotency.py",
    "services/handoff/store/sending.py",  # leases of dispatches
    "services/ingest/store/memory.py",  # how long ids of activities are remembered, like the inbox
    "services/ingest/store/parked_bodies.py",  # parked events carry machine time
    "services/ingest/store/replays.py",  # jobs over parked events, which carry machine time
    "services/ingest/migrations/versions/0004_pre_replays.py",
    "services/handoff/store/outages.py",
    "services/console/store",
}
HOST_CLOCK = re.compile(r"(?<![_a-z.])(?:now\(\)|clock_timestamp\(\)|current_timestamp)", re.IGNORECASE)


def is_machine(file: Path) -> bool:
    path = str(file.relative_to(ROOT))
    return any(path == allowed or path.startswith(f"{allowed}/") or path == f"{allowed}.py" for allowed in MACHINE_TIME)


def sql_texts(file: Path) -> list[tuple[int, str]]:
    """Strings that are SQL, not docstrings."""
    tree = syntax(file)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]


def test_sql_asks_baton_now_not_the_host() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in python_files("services", "shared")
        if not is_machine(file)
        for line, text in sql_texts(file)
        if HOST_CLOCK.search(text) and " " in text.strip()
    ]
    assert found == []
