"""What a command prints: for programs one JSON document on stdout, for people tables; progress always goes to stderr.

Colour obeys NO_COLOR and is left out when the output is no terminal.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

__all__ = ["AsJson", "say", "show_document", "show_pairs", "show_table"]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on stdout.")]


def say(line: str) -> None:
    """One line of progress or advice, to stderr."""
    print(line, file=sys.stderr, flush=True)


def show_document(document: object) -> None:
    """The one JSON document of a run with --json."""
    print(json.dumps(document, indent=2, default=str))


def show_pairs(pairs: Iterable[tuple[str, Any]]) -> None:
    """Names and values, aligned."""
    listed = [(name, str(value)) for name, value in pairs]
    width = max((len(name) for name, _ in listed), default=0)
    for name, value in listed:
        print(f"  {name:<{width}}  {value}")


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; figures are set to the right."""
    texts = [[("" if cell is None else str(cell)) for cell in row] for row in rows]
    widths = [max([len(name), *(len(row[at]) for row in texts)]) for at, name in enumerate(columns)]
    right = [bool(texts) and all(_is_figure(row[at]) for row in texts) for at in range(len(columns))]
    if title:
        print(f"\n{title}")
    for row in [list(columns), ["─" * width for width in widths], *texts]:
        cells = [
            cell.rjust(w) if at_right else cell.ljust(w) for cell, w, at_right in zip(row, widths, right, strict=True)
        ]
        print(("  " + "  ".join(cells)).rstrip())


def _is_figure(text: str) -> bool:
    return not text.strip("0123456789.,:%+- hmsd") or not text
