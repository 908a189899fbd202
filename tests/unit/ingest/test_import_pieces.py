"""How an import is cut: by records and by length, under ids that never mean two contents."""

import io
from datetime import UTC, datetime

import pytest

from services.ingest.domain.csv_columns import Plan
from services.ingest.domain.csv_file import checked, cut, records, row_id
from services.ingest.usecases.imports import How, pieces
from shared.errors import Unreadable
from shared.ids import derived_id

NOW = datetime(2026, 11, 25, tzinfo=UTC)
SOURCE = derived_id("source", "csv")


@pytest.mark.parametrize("characters_max", [1, 60, 130, 10_000])
def test_a_piece_ends_before_it_is_too_long_and_no_record_is_lost_or_named_otherwise(characters_max: int) -> None:
    text = "email,note\r\n" + "".join(f"p{n}@x.example,{'n' * (n * 7 % 50)}\r\n" for n in range(11))
    whole = list(cut(io.StringIO(text, newline=""), Plan("leads"), rows_max=4))
    pieces = list(cut(io.StringIO(text, newline=""), Plan("leads"), rows_max=4, characters_max=characters_max))
    assert all(len(piece.rows) == 1 or len(piece.text) <= characters_max + 20 for piece in pieces)
    assert [piece.first for piece in pieces] == [
        1 + sum(len(one.rows) for one in pieces[:at]) for at in range(len(pieces))
    ]
    read, wanted = (
        [(one.number, row_id(one.cells)) for piece in some for one in records(piece.text, first=piece.first)]
        for some in (pieces, whole)
    )
    assert read == wanted
    assert [(piece.block, piece.is_part) for piece in whole] == [(0, False), (1, False), (2, False)]
    assert {piece.block: piece.is_part for piece in pieces} == {
        block: sum(one.block == block for one in pieces) > 1 for block in range(3)
    }


def test_large_rows_make_deliveries_that_fit_a_record_and_ids_of_small_files_stay() -> None:
    large = "email,note\r\n" + "".join(f"p{n}@x.example,{'ß' * 60_000}\r\n" for n in range(500))
    made, again = (
        list(
            pieces(
                io.StringIO(large, newline=""),
                how=How(Plan("leads")),
                import_id=SOURCE,
                source_id=SOURCE,
                by="user:1",
                received_at=NOW,
            )
        )
        for _ in range(2)
    )
    assert sum(one.records for one in made) == 500
    assert max(len(one.body) for one in made) < 4 * 1024 * 1024 + 64 * 1024
    assert len({one.delivery_id for one in made}) == len(made)
    assert [one.delivery_id for one in made] == [one.delivery_id for one in again]
    (small,) = pieces(
        io.StringIO("email\r\nkim@x.example\r\n", newline=""),
        how=How(Plan("leads")),
        import_id=SOURCE,
        source_id=SOURCE,
        by="user:1",
        received_at=NOW,
    )
    assert small.delivery_id == derived_id("import", SOURCE, 0)


def test_a_record_of_over_a_million_characters_is_refused_before_anything_is_sent() -> None:
    text = "email,note\r\nkim@x.example\r\nlee@x.example" + f",{'x' * 60_000}" * 18 + "\r\n"
    with pytest.raises(Unreadable, match="Record 2"):
        checked(io.StringIO(text, newline=""), Plan("leads"))
