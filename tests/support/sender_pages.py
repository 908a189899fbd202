"""Writes and checks `docs/senders/`, a page for each sender (`make docs`; `python -m tests.support.sender_pages`).

A page says only what the adapter says: its texts, tables and reasons. So a page is never edited by hand, and a test
compares. Exit codes of the command: 0 done, 2 wrong use, 3 a page is stale.
"""

import re
import sys
from pathlib import Path
from typing import Final, NamedTuple, cast

from services.ingest import adapters
from services.ingest.adapters import ADAPTERS, Adapter, CollectionAdapter
from services.ingest.collector.wire import BATCH_BYTES_MAX, WEBHOOK_BYTES_MAX
from services.ingest.domain import body as bodies
from services.ingest.domain.activity import BROWSER_KINDS, CHANNELS, DEFAULT_NAMES
from tests.architecture.layout import ROOT
from tests.support.sender_reasons import Reason, answers_at_the_door, reasons_of, shakes_hands
from tests.support.sender_words import GROUPS, INDEX_WORDS, KIND_WORDS, PROOF_WORDS, SECRET_WORDS, group_of

__all__ = ["FOLDER", "STALE", "check", "pages", "write"]

FOLDER: Final = ROOT / "docs" / "senders"
STALE: Final = "docs/senders is not what the adapters say ({}): run make docs, and commit what it writes"
_INDEX: Final = "README.md"
_SOURCE: Final = "Source: "
_BY_THE_DOOR: Final = "Never: "  # so begins what a `verify` says whose sender is proven elsewhere
_PLACEHOLDER: Final = re.compile(r"\{(url|key)\}(/[\w/]*)?")
_PLACEHOLDER_WORDS: Final = {"url": "ADDRESS", "key": "KEY"}
_DONE, _WRONG_USE, _STALE_EXIT = 0, 2, 3


class Told(NamedTuple):
    """What a module's docstring tells: one sentence, where the facts come from, and what is good to know."""

    summary: str
    source: str
    more: str


def pages() -> dict[str, str]:
    """File name to text of every page, the index among them."""
    return {_INDEX: _index(), **{f"{sender}.md": _page(adapter) for sender, adapter in ADAPTERS.items()}}


def write(folder: Path = FOLDER) -> list[str]:
    """Write what differs and remove what no adapter has; returns the names of the files that changed."""
    changed = check(folder)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name])
        else:
            (folder / name).unlink()
    return changed


def check(folder: Path = FOLDER) -> list[str]:
    """The names of the pages that are stale, missing or of no adapter, sorted."""
    wanted = pages()
    stored = {file.name: file.read_text() for file in folder.glob("*.md")}
    return sorted(name for name in wanted.keys() | stored.keys() if wanted.get(name) != stored.get(name))


def _page(adapter: Adapter) -> str:
    told = _told(adapter)
    parts = [
        f"# {adapter.TITLE}",
        told.summary,
        "## Connect it",
        _steps(adapter),
        "## How a delivery is proven",
        _proof(adapter),
        "## What is understood",
        *([told.more] if told.more else []),
        *_paths(adapter),
        _kinds(adapter),
        *_statuses(adapter),
        "## What is answered",
        _answers(adapter),
        "## What is refused, and why",
        _refused(adapter),
        "## Where this comes from",
        *([told.source] if told.source else []),
        f"This page is made from {_link(_file_of(adapter))} by `make docs`. [All senders](README.md)",
    ]
    return "\n\n".join(parts) + "\n"


def _told(adapter: Adapter) -> Told:
    """The docstring in three parts, each on one line."""
    first, _, rest = (adapter.__doc__ or "").strip().partition("\n\n")
    summary = _capital(" ".join(first.split()).removeprefix(f"{adapter.TITLE}: "))
    text = " ".join(rest.split())
    if not text.startswith(_SOURCE):
        return Told(summary, "", text)
    source, stop, more = text.removeprefix(_SOURCE).partition(". ")
    return Told(summary, _capital(source) + stop.strip(), more)


def _steps(adapter: Adapter) -> str:
    is_file = group_of(adapter) == "Files"
    first = (
        f"In Baton: Connections, then choose {adapter.TITLE}; or `baton source create NAME --sender {adapter.SENDER}`."
    )
    steps = [*([] if is_file else [first]), *(_filled(step) for step in adapter.SETUP)]
    listed = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
    text = " ".join(steps)
    named = [
        *(["`ADDRESS` is the address of the source, as the first step shows it."] if "ADDRESS" in text else []),
        *(["`KEY` is its write key, shown once when it is made."] if "KEY" in text else []),
        *([SECRET_WORDS[adapter.PROOF]] if adapter.PROOF != "key" else []),
    ]
    return f"{listed}\n\n{' '.join(named)}" if named else listed


def _filled(step: str) -> str:
    """A step with its placeholders as code, also where they stand inside code already."""
    parts = step.split("`")
    for place, part in enumerate(parts):
        mark = "`" if place % 2 == 0 else ""
        parts[place] = _PLACEHOLDER.sub(
            lambda found, mark=mark: f"{mark}{_PLACEHOLDER_WORDS[found[1]]}{found[2] or ''}{mark}",  # type: ignore[misc]
            part,
        )
    return "`".join(parts)


def _proof(adapter: Adapter) -> str:
    if group_of(adapter) == "Files":
        return "By the person who uploads the file: whoever may import is signed in."
    return f"{PROOF_WORDS[adapter.PROOF]}\n\nIn detail: {_capital(_doc(adapter.verify).removeprefix(_BY_THE_DOOR))}"


def _paths(adapter: Adapter) -> list[str]:
    if not hasattr(adapter, "PATHS"):
        return []
    collecting = cast("CollectionAdapter", adapter)
    rows = [f"`{method} {path}`" for path, method in collecting.PATHS.items()]
    cookies = " Browsers may send cookies along." if collecting.HAS_CREDENTIALS else ""
    return [f"Paths: {', '.join(rows)}.{cookies}"]


def _kinds(adapter: Adapter) -> str:
    rows = [_row(f"`{theirs}`", f"`{ours}`", KIND_WORDS[ours]) for theirs, ours in adapter.KINDS.items()]
    table = _table(("event of the sender", "kind", "the lead"), rows)
    names = (
        "Events with a name of your own go through the table of names of the source, and before it is filled through "
        "[the one that ships](README.md#names-of-tracked-events)."
    )
    others = "What stands in no table here is kept under its own name, as `custom` or as status, and can be seen."
    if group_of(adapter) == "Files":
        return (
            table
            if rows
            else "Each record is a lead: its identifiers, its profile, its consent. No activity is made of it."
        )
    is_named = hasattr(adapter, "PATHS") or not rows
    return "\n\n".join([*([table] if rows else []), *([names] if is_named else []), others])


def _statuses(adapter: Adapter) -> list[str]:
    if not adapter.STATUSES:
        return []
    listed = ", ".join(f"`{one}`" for one in adapter.STATUSES)
    return ["## What is kept as status", f"Kept with the delivery, and no activity of a lead: {listed}."]


def _answers(adapter: Adapter) -> str:
    reply = adapter.REPLY
    if group_of(adapter) == "Files":
        return f"{reply.status} when the file was taken. The same record again counts once."
    said = f"{reply.status} as soon as the delivery is kept safely"
    if reply.body and reply.content_type.startswith("image/"):
        said += f", with a picture of one pixel (`{reply.content_type}`)"
    elif reply.body:
        said += f", with `{reply.body.decode()}`" + (
            " and a report of what was refused" if hasattr(adapter, "PATHS") else ""
        )
    lines = [f"{said}. The same delivery again is answered the same and counts once."]
    if shakes_hands(_file(adapter.handshake.__module__)):
        lines.append(f"Handshake: {_doc(adapter.handshake)}")
    if hasattr(adapter, "API_URL"):
        lines.append(
            f"What a delivery only names is fetched from `{adapter.API_URL}` with the API token of the source; the "
            "option `api_url` of the source names another host, and no other is ever asked."
        )
    return "\n\n".join(lines)


def _refused(adapter: Adapter) -> str:
    files = {_file_of(adapter), _file(adapter.parse.__module__), _file(adapter.outline.__module__)}
    reasons = reasons_of(*sorted(files))
    bound = BATCH_BYTES_MAX if hasattr(adapter, "PATHS") else getattr(adapter, "BODY_BYTES_MAX", WEBHOOK_BYTES_MAX)
    own = _reasons(reasons) if reasons else "Nothing that is special to this sender."
    is_bounded = group_of(adapter) == "Files" or any(one.slug == "too_large" for one in reasons)
    limit = "" if is_bounded else f"A body may have at most {bound // 1024**2} MiB. "
    return f"{own}\n\n{limit}The rest is [what is refused of every sender](README.md#what-is-refused-of-every-sender)."


def _index() -> str:
    by_browser = [
        _row(f"`{kind}`", KIND_WORDS[kind], channel, "yes" if kind in BROWSER_KINDS else "")
        for kind, channel in CHANNELS.items()
    ]
    names = [_row(f"`{name}`", f"`{kind}`") for name, kind in DEFAULT_NAMES.items()]
    unreadable = [
        _row("`not_json`", bodies.not_json(b"?")),
        *(_row(f"`{one.slug}`", one.detail) for one in reasons_of(_file(bodies.__name__))),
    ]
    at_the_door = [_row(str(one.status), f"`{one.slug}`", one.detail) for one in answers_at_the_door()]
    parts = [
        "# Senders: what you can connect",
        INDEX_WORDS["start"],
        *(_group(group) for group in GROUPS),
        "## Kinds of activities",
        INDEX_WORDS["kinds"],
        _table(("kind", "the lead", "channel", "by browser key"), by_browser),
        "## Names of tracked events",
        INDEX_WORDS["names"],
        _table(("name", "kind"), names),
        "## What is refused of every sender",
        INDEX_WORDS["refused"],
        _table(("reason", "in words"), unreadable),
        INDEX_WORDS["door"],
        _table(("answer", "reason", "in words"), at_the_door),
    ]
    return "\n\n".join(parts) + "\n"


def _group(group: str) -> str:
    members = sorted((one for one in ADAPTERS.values() if group_of(one) == group), key=lambda one: one.TITLE.lower())
    rows = [_row(f"[{one.TITLE}]({one.SENDER}.md)", _told(one).summary) for one in members]
    return f"## {group}\n\n" + _table(("sender", "what it is"), rows)


def _reasons(reasons: list[Reason]) -> str:
    rows = [_row(f"`{one.slug}`", "the event" if one.is_of_one_event else "the body", one.detail) for one in reasons]
    return _table(("reason", "refused", "in words"), rows)


def _table(head: tuple[str, ...], rows: list[str]) -> str:
    return "\n".join([_row(*head), _row(*("---" for _ in head)), *rows])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _doc(function: object) -> str:
    return " ".join((function.__doc__ or "").split())


def _file(module: str) -> Path:
    return Path(sys.modules[module].__file__ or "")


def _file_of(adapter: Adapter) -> Path:
    """Its own module: what discovery found under its name."""
    return _file(f"{adapters.__name__}.{adapter.SENDER}")


def _link(file: Path) -> str:
    path = file.relative_to(ROOT)
    return f"[`{path}`](../../{path})"


def main(arguments: list[str]) -> int:
    """`check` or `write`."""
    if arguments == ["write"]:
        for name in write():
            sys.stdout.write(f"wrote docs/senders/{name}\n")
        return _DONE
    if arguments == ["check"]:
        stale = check()
        sys.stderr.write((STALE.format(", ".join(stale)) if stale else "docs/senders agrees with the adapters") + "\n")
        return _STALE_EXIT if stale else _DONE
    sys.stderr.write("use: python -m tests.support.sender_pages check|write\n")
    return _WRONG_USE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
