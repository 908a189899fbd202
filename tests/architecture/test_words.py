"""What may not stand in the repository: addresses in locks, paths of a machine, work left for later, other words."""

import re

from tests.architecture.layout import ROOT, code_files, documents, tracked

LOCKS = ("requirements*.txt", "*.lock", "package-lock.json")
# Words that the glossary refuses in every meaning; most others it refuses for one meaning only.
OTHER_WORDS = re.compile(r"prospects?(?![a-z])", re.IGNORECASE)
ABSOLUTE_HOME = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/[\w.-]+")


def test_lock_files_carry_no_addresses() -> None:
    found = [file.name for file in tracked(*LOCKS) if re.search(r"https?://", file.read_text())]
    assert found == []


def test_no_path_of_a_machine() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {match.group()}"
        for file in code_files()
        for match in ABSOLUTE_HOME.finditer(file.read_text())
    ]
    assert found == []


def test_no_work_left_for_later_hides_in_the_code() -> None:
    marks = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    assert [str(file) for file in code_files() if marks.search(file.read_text())] == []


def test_a_lead_is_called_a_lead() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {match.group()}"
        for file in (*code_files(), *documents())
        if file.name != "GLOSSARY.md"
        for match in OTHER_WORDS.finditer(f"{file.stem}\n{file.read_text()}")
    ]
    assert found == []
