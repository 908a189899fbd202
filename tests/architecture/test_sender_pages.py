"""The pages of `docs/senders/` are what the adapters say, and every sender has one."""

from pathlib import Path

import pytest

from services.ingest.adapters import ADAPTERS
from services.ingest.domain.activity import CHANNELS
from tests.support.sender_pages import FOLDER, STALE, check, pages, write
from tests.support.sender_words import KIND_WORDS


def test_every_page_is_the_one_its_adapter_gives() -> None:
    stale = check(FOLDER)
    if stale:
        pytest.fail(STALE.format(", ".join(stale)), pytrace=False)


def test_every_sender_has_a_page_and_stands_in_the_index() -> None:
    written = pages()
    assert written.keys() == {"README.md", *(f"{sender}.md" for sender in ADAPTERS)}
    assert [sender for sender in ADAPTERS if f"]({sender}.md)" not in written["README.md"]] == []


def test_a_stale_a_missing_and_a_left_over_page_are_found_and_mended(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "zoom.md").write_text("old")
    (tmp_path / "segment.md").unlink()
    (tmp_path / "gone.md").write_text("of no adapter")
    assert check(tmp_path) == ["gone.md", "segment.md", "zoom.md"]
    assert write(tmp_path) == ["gone.md", "segment.md", "zoom.md"]
    assert check(tmp_path) == []


def test_every_kind_has_its_words() -> None:
    assert set(CHANNELS) <= set(KIND_WORDS)


@pytest.mark.parametrize("name", sorted(pages()))
def test_no_page_shows_a_placeholder_of_the_code(name: str) -> None:
    text = pages()[name]
    assert "{url}" not in text
    assert "{key}" not in text
