"""Tables for people: aligned, figures to the right."""

import pytest

from deploy.cli.output import show_pairs, show_table


def test_figures_stand_to_the_right_and_texts_to_the_left(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("Title", ["name", "number"], [["a", 5], ["long name", 1200], ["none", None]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Title"
    assert lines[4] == "  a               5"
    assert lines[5] == "  long name    1200"
    assert lines[6] == "  none"


def test_a_table_without_rows_still_shows_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("", ["name", "number"], [])
    assert capsys.readouterr().out.splitlines()[0] == "  name  number"


def test_pairs_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    show_pairs([("a", 1), ("long", 2)])
    assert capsys.readouterr().out == "  a     1\n  long  2\n"
