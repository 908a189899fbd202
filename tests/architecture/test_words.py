"""What may not stand in the repository: addresses in locks, paths of a machine, work left for later."""

import re

from tests.architecture.layout import ROOT, code_files, tracked

LOCKS = ("requirements*.txt", "*.lock", "package-lock.json")
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
