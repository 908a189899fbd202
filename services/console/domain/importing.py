"""What a form of a file says about how it is read, and how far an import is, from ingest's answers. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["KEEP", "KINDS", "ImportRow", "columns_shown", "import_row", "mapping_of", "options_of"]

KINDS = ("leads", "activities", "spend")
KEEP = "="
"""The choice of a column that is left as the file and Baton's guess have it."""
_COLUMNS_MAX = 200


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One import: how many of its records were handled, and what became of them."""

    import_id: str
    kind: str
    name: str
    state: str
    note: str
    created_at: datetime
    records: int
    handled: int
    outcome: Mapping[str, int]

    @property
    def share(self) -> int:
        """Per cent handled."""
        return 100 if self.state == "handled" else round(100 * self.handled / self.records) if self.records else 0

    @property
    def is_running(self) -> bool:
        """Whether it is worth to look again."""
        return self.state in {"cutting", "sent"}


def import_row(one: Mapping[str, Any]) -> ImportRow:
    """Read one import as ingest shows it."""
    counts = ("leads_new", "activities", "operations", "repeats", "refused", "suppressed", "counted", "conflicts")
    return ImportRow(
        import_id=str(one["id"]),
        kind=str(one["kind"]),
        name=str(one["name"]),
        state=str(one["state"]),
        note=str(one.get("note", "")),
        created_at=datetime.fromisoformat(str(one["created_at"])),
        records=int(one["records"]),
        handled=int(one.get("records_handled", 0)),
        outcome={name: int(one[name]) for name in counts if one.get(name)},
    )


def mapping_of(form: Mapping[str, str]) -> list[str]:
    """The columns a person chose, as `Heading=field`; those left alone are not among them."""
    found = []
    for number in range(_COLUMNS_MAX):
        heading, field = form.get(f"heading_{number}"), form.get(f"field_{number}", KEEP)
        if heading is None:
            break
        if field != KEEP:
            found.append(f"{heading}={field}")
    return found


def options_of(form: Mapping[str, str]) -> dict[str, Any]:
    """How a file of leads or activities is read, as the query of ingest's routes."""
    fixed = [f"{name}={form[name]}" for name in ("kind_of_all", "campaign", "direction", "consent") if form.get(name)]
    said: dict[str, Any] = {
        "map": mapping_of(form),
        "set": [one.replace("kind_of_all=", "kind=", 1) for one in fixed if _fits(one, form)],
    }
    if form.get("time_zone"):
        said["time_zone"] = form["time_zone"]
    if form.get("dates"):
        said["dates"] = form["dates"]
    return said


def _fits(fixed: str, form: Mapping[str, str]) -> bool:
    """Of leads a file says no kind, campaign or direction."""
    return form.get("kind") == "activities" or not fixed.startswith(("kind_of_all=", "campaign=", "direction="))


def columns_shown(columns: Sequence[Mapping[str, Any]], form: Mapping[str, str]) -> list[dict[str, Any]]:
    """The columns of a preview with what is chosen for each."""
    chosen = {form.get(f"heading_{n}"): form.get(f"field_{n}", KEEP) for n in range(_COLUMNS_MAX)}
    return [{**one, "chosen": chosen.get(one["heading"], KEEP)} for one in columns]
