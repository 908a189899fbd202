"""Writes and checks the committed schema files and asyncapi.yaml (`make schemas`, `baton schemas`).

A schema file is added, never edited: a compatible change writes the next minor version; a change
that breaks a reader of any version of its major writes nothing, and the exit code is 3.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from shared.contracts.asyncapi import document
from shared.contracts.catalog import MODELS
from shared.contracts.schema_files import breaks, schema_of

__all__ = ["check", "versions_of", "write"]

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "shared" / "contracts" / "schemas"
ASYNCAPI = ROOT / "shared" / "contracts" / "asyncapi.yaml"
DOCUMENT_VERSION = "1.0.0"


def versions_of(event_type: str, folder: Path = SCHEMAS) -> list[tuple[int, Path]]:
    """The minor versions of a type's committed files with their paths, oldest first."""
    files = (folder / event_type).glob("v*.json")
    return sorted((int(file.stem.partition(".")[2]), file) for file in files)


def check(folder: Path = SCHEMAS) -> list[str]:
    """What is wrong: a model that differs from its newest file, a breaking change, an AsyncAPI document out of date."""
    problems: list[str] = []
    for event_type, model in sorted(MODELS.items()):
        schema, versions = schema_of(model), versions_of(event_type, folder)
        stored = [json.loads(file.read_text()) for _, file in versions]
        problems += [
            f"{event_type}: breaks {file.name}: {sentence}; keep the field, or publish a new major beside this one"
            for (_, file), old in zip(versions, stored, strict=True)
            for sentence in breaks(old, schema)
        ]
        if not stored or stored[-1] != schema:
            problems.append(f"{event_type}: the model differs from its newest schema file; run make schemas")
    if folder == SCHEMAS and (not ASYNCAPI.exists() or ASYNCAPI.read_text() != _asyncapi_text()):
        problems.append("asyncapi.yaml is not the one the catalog gives; run make schemas")
    return problems


def write(folder: Path = SCHEMAS) -> list[Path]:
    """Add the next minor version of every changed model and write asyncapi.yaml; returns what was written.

    Raises ValueError with the breaking changes, and then writes nothing.
    """
    pending: list[tuple[Path, dict[str, Any]]] = []
    broken: list[str] = []
    for event_type, model in sorted(MODELS.items()):
        schema, versions = schema_of(model), versions_of(event_type, folder)
        stored = [json.loads(file.read_text()) for _, file in versions]
        broken += [f"{event_type}: {sentence}" for old in stored for sentence in breaks(old, schema)]
        if not stored or stored[-1] != schema:
            major = event_type.rpartition(".v")[2]
            minor = versions[-1][0] + 1 if versions else 0
            pending.append((folder / event_type / f"v{major}.{minor}.json", schema))
    if broken:
        raise ValueError("these changes break stored events or readers:\n  " + "\n  ".join(broken))
    for file, schema in pending:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(schema, indent=2) + "\n")
    if folder == SCHEMAS:
        ASYNCAPI.write_text(_asyncapi_text())
    return [file for file, _ in pending]


def _asyncapi_text() -> str:
    text: str = yaml.safe_dump(document(version=DOCUMENT_VERSION), sort_keys=False, width=120)
    return text


def main(arguments: list[str]) -> int:
    """`check` or `write`; 0 done, 2 wrong use, 3 refused by the gate."""
    if arguments == ["write"]:
        try:
            for file in write():
                print(f"added {file.relative_to(ROOT)}")
        except ValueError as refusal:
            print(refusal, file=sys.stderr)
            return 3
        return 0
    if arguments == ["check"]:
        problems = check()
        print("\n".join(problems) or "schemas and asyncapi.yaml agree with the models", file=sys.stderr)
        return 3 if problems else 0
    print("use: python -m deploy.cli.schemas check|write", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
