"""What the tree must look like: the facts the architecture tests compare it with (STYLE sections 4 and 6)."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("ingest", "scoring", "handoff", "feedback", "console")
STANDARD = {"app", "api", "consumer", "usecases", "store", "tables", "settings", "domain", "migrations"}
OPTIONAL = {
    "ingest": {"collector", "dispatches", "adapters"},
    "scoring": {"rechecks"},
    "handoff": {"clocks", "dispatches", "outbound"},
    "feedback": {"tuner", "adapters"},
    "console": {"pages", "commands", "templates", "static"},
}
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "data", "info", "misc", "base"}
README_LINES_MAX = 40


def python_files(*folders: str) -> list[Path]:
    """All Python files below the folders, sorted."""
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


@cache
def syntax(file: Path) -> ast.Module:
    """The parsed module: five tests walk each, so it is parsed once."""
    return ast.parse(file.read_text())


def tracked(*patterns: str) -> list[Path]:
    """The files that are or may be committed and match, as they lie in the tree: none that git ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def documents() -> list[Path]:
    """Every page of prose."""
    return tracked("*.md")


def code_files() -> list[Path]:
    """The product's own modules: no tests, no migrations, no empty package files."""
    return [
        file
        for file in python_files("services", "shared", "deploy")
        if "migrations" not in file.parts and file.stat().st_size > 0
    ]
