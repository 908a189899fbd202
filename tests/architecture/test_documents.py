"""What the documents name exists: files, make targets, commands, settings, topics."""

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from deploy.cli.__main__ import app
from shared.contracts.catalog import TOPICS
from tests.architecture.layout import ROOT, SERVICES, documents, tracked

CODE_SPAN = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"\.?[\w<>*-][\w.<>*{},-]*(?:/[\w.<>*{},-]+)*/?")
FILE_ENDS = (".py", ".md", ".yaml", ".yml", ".toml", ".lock", ".html", ".css", ".js", ".json", ".txt", ".in")
PLACEHOLDER = re.compile(r"<\w+>")
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
BATON = re.compile(r"\bbaton ([a-z][a-z-]*)(?: ([a-z][a-z0-9-]*))?")
SETTING = re.compile(r"\bBATON_[A-Z_]*[A-Z]\b")
TOPIC = re.compile(r"`baton\.([a-z]+)`")

each_document = pytest.mark.parametrize("document", documents(), ids=lambda file: str(file.relative_to(ROOT)))


def spans(document: Path) -> list[str]:
    """The code spans of a document, outside its fenced blocks."""
    return CODE_SPAN.findall(FENCE.sub("", document.read_text()))


def code(document: Path) -> list[str]:
    """Its code spans and its fenced blocks: what a reader would type."""
    return [*spans(document), *FENCE.findall(document.read_text())]


def services() -> list[Path]:
    """The folders of the five services."""
    return [ROOT / "services" / name for name in SERVICES]


def spelled_out(path: str) -> Iterator[str]:
    """`a/{b,c}.py` as `a/b.py` and `a/c.py`."""
    braces = re.search(r"\{([^{}]+)\}", path)
    if braces is None:
        yield path
        return
    for one in braces.group(1).split(","):
        yield from spelled_out(path[: braces.start()] + one + path[braces.end() :])


def is_path(text: str) -> bool:
    """Whether this names a file or folder of the checkout: no route, no media type, nothing beside it."""
    if not PATH.fullmatch(text):
        return False
    return text.endswith((*FILE_ENDS, "/")) or text.partition("/")[0] in {"services", "shared", "tests", "deploy"}


@cache
def checkout() -> frozenset[str]:
    """Every file and folder of the checkout, from the root."""
    files = [file.relative_to(ROOT) for file in tracked()]
    return frozenset(str(path) for file in files for path in (file, *file.parents))


def missing(texts: Iterable[str], places: Iterable[Path]) -> list[str]:
    """The paths among the texts that exist in none of the places."""
    folders = [str(place.relative_to(ROOT)) for place in places]
    return [
        path
        for text in texts
        if is_path(text)
        for path in spelled_out(text)
        if not any(exists(os.path.normpath(f"{folder}/{PLACEHOLDER.sub('*', path)}")) for folder in folders)
    ]


def exists(path: str) -> bool:
    """Whether a file or folder of the checkout has this path, in which `*` stands for anything."""
    return path in checkout() or ("*" in path and bool(fnmatch.filter(checkout(), path)))


@each_document
def test_every_path_exists(document: Path) -> None:
    """Read from the root, from the document's own folder, or as what every service's folder holds."""
    assert missing(spans(document), [ROOT, document.parent, *services()]) == []


@each_document
def test_every_path_of_a_drawn_tree_exists(document: Path) -> None:
    """A block without a language draws; its lines name files below the folder they begin with."""
    drawn = [
        word for block in FENCE.findall(document.read_text()) if block.startswith("```\n") for word in block.split()
    ]
    folders = [
        ROOT,
        *services(),
        *(folder for top in ("services", "shared", "deploy") for folder in (ROOT / top).iterdir()),
    ]
    assert missing(drawn, [*folders, *(ROOT / top for top in ("services", "shared", "deploy", "tests"))]) == []


@each_document
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)) | {"run-"}
    assert {target for text in code(document) for target in MAKE.findall(text)} <= targets


@each_document
def test_every_command_exists(document: Path) -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    for text in code(document):
        for name, sub in BATON.findall(text):
            command = root.commands.get(name)
            assert command is not None, f"baton {name}"
            if isinstance(command, typer.core.TyperGroup) and sub:
                assert sub in command.commands, f"baton {name} {sub}"


@each_document
def test_every_topic_exists(document: Path) -> None:
    assert set(TOPIC.findall(document.read_text())) <= set(TOPICS)


def test_every_setting_is_read_somewhere() -> None:
    """By its whole name, or as a field of a service's settings (which test_deploy_files compares)."""
    source = "\n".join(file.read_text() for file in tracked("*.py", "Makefile"))
    fields = {name.upper() for name in re.findall(r"^    (\w+): .* = Field\(", source, re.MULTILINE)}
    for document in documents():
        for name in SETTING.findall(document.read_text()):
            own = re.sub(r"^BATON_(?:INGEST_|SCORING_|HANDOFF_|FEEDBACK_|CONSOLE_)?", "", name)
            assert name in source or own in fields, f"{document.name}: {name}"


def test_every_module_of_the_library_is_named_in_its_readme() -> None:
    readme = (ROOT / "shared" / "README.md").read_text()
    modules = [
        file for file in tracked("shared/*/*.py") if file.stem != "__init__" and file.parent.name != "alembic_env"
    ]
    assert [str(file) for file in modules if f"`{file.stem}`" not in readme] == []
