"""Every thing lives where STYLE section 4 says, and nowhere else."""

import ast
import subprocess

import pytest

from tests.architecture.layout import (
    BANNED_NAMES,
    OPTIONAL,
    README_LINES_MAX,
    ROOT,
    SERVICES,
    STANDARD,
    code_files,
    python_files,
    syntax,
)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_the_standard_files_and_its_own_optional_ones(service: str) -> None:
    folder = ROOT / "services" / service
    found = {entry.stem for entry in folder.iterdir() if not entry.name.startswith(("__", "README"))}
    assert found <= STANDARD | OPTIONAL[service], f"unlisted: {found - STANDARD - OPTIONAL[service]}"
    assert found >= STANDARD, f"missing: {STANDARD - found}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_a_short_readme(service: str) -> None:
    lines = (ROOT / "services" / service / "README.md").read_text().splitlines()
    assert 0 < len(lines) <= README_LINES_MAX


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_are_named_by_number_phase_and_purpose(service: str) -> None:
    names = sorted(file.stem for file in (ROOT / "services" / service / "migrations" / "versions").glob("*.py"))
    for number, name in enumerate((one for one in names if one != "__init__"), start=1):
        ordinal, phase, what = name.split("_", 2)
        assert int(ordinal) == number, f"{name}: numbers run without holes"
        assert phase in {"pre", "post"}, name
        assert what, name


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [str(file) for file in code_files() if file.stem in BANNED_NAMES] == []


def test_no_class_is_called_manager_or_helper() -> None:
    found = [
        f"{file}: {node.name}"
        for file in code_files()
        for node in ast.walk(syntax(file))
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Manager", "Helper", "Utils", "Util"))
    ]
    assert found == []


def test_every_module_says_what_it_decides() -> None:
    silent = [str(file) for file in code_files() if not ast.get_docstring(syntax(file))]
    assert silent == []


def test_imports_stand_at_the_top() -> None:
    """An import inside a function hides a dependency; the command line is exempt, it must start in half a second."""
    found = [
        f"{file}:{inner.lineno}"
        for file in code_files()
        if "cli" not in file.parts
        for node in ast.walk(syntax(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert found == []


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [ROOT / ".venv/bin/lint-imports", "--config", ".importlinter"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_tests_patch_nothing_and_skip_nothing() -> None:
    banned_fixtures = {"monkeypatch", "mocker"}
    found = []
    for file in python_files("tests"):
        for node in ast.walk(syntax(file)):
            if isinstance(node, ast.arg) and node.arg in banned_fixtures:
                found.append(f"{file}:{node.lineno}: {node.arg}")
            if isinstance(node, ast.Attribute) and node.attr in {"skip", "skipif", "xfail", "importorskip"}:
                found.append(f"{file}:{node.lineno}: {node.attr}")
    assert found == []
