"""What the tree must look like: the facts the architecture tests compare it with (STYLE sections 4 and 6)."""

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
TOP_LEVEL = {"services", "shared", "deploy", "tests", "docs", "docker-compose.yml", "Makefile"}
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "data", "info", "misc", "base"}
README_LINES_MAX = 40


def python_files(*folders: str) -> list[Path]:
    """All Python files below the folders, sorted."""
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def code_files() -> list[Path]:
    """The product's own modules: no tests, no migrations, no empty package files."""
    return [
        file
        for file in python_files("services", "shared", "deploy")
        if "migrations" not in file.parts and file.stat().st_size > 0
    ]
