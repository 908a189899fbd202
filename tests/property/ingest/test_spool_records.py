"""Whatever happens to the bytes of a spool, what is read back is a prefix of the records that were written."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.collector.spool_records import Spooled, first_length, packed, unpacked

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
RECORDS = st.builds(
    Spooled,
    delivery_id=TEXTS,
    key=TEXTS,
    headers=st.lists(st.tuples(TEXTS, st.binary(max_size=20)), max_size=4),
    body=st.binary(max_size=60),
)
ROWS = st.lists(RECORDS, max_size=5)


def ends_of(records: list[Spooled]) -> list[int]:
    """Where each record of a row begins, and where the last one ends."""
    ends = [0]
    for record in records:
        ends.append(ends[-1] + len(packed(record)))
    return ends


@settings(max_examples=200)
@given(records=ROWS)
def test_what_was_written_is_read_back(records: list[Spooled]) -> None:
    data = b"".join(map(packed, records))
    assert unpacked(data) == (records, len(data))
    if records:
        assert first_length(data) == len(packed(records[0]))


@settings(max_examples=300)
@given(records=ROWS, data=st.data())
def test_any_cut_leaves_the_whole_records_before_it(records: list[Spooled], data: st.DataObject) -> None:
    written = b"".join(map(packed, records))
    cut = data.draw(st.integers(0, len(written)))
    ends = ends_of(records)
    whole = sum(end <= cut for end in ends) - 1
    assert unpacked(written[:cut]) == (records[:whole], ends[whole])


@settings(max_examples=300)
@given(records=ROWS.filter(bool), data=st.data())
def test_any_flipped_bit_is_found(records: list[Spooled], data: st.DataObject) -> None:
    written = bytearray(b"".join(map(packed, records)))
    bit = data.draw(st.integers(0, 8 * len(written) - 1))
    written[bit // 8] ^= 1 << bit % 8
    ends = ends_of(records)
    hit = sum(end <= bit // 8 for end in ends) - 1  # the record in which it lies
    assert unpacked(bytes(written)) == (records[:hit], ends[hit])


@given(zeros=st.integers(0, 400), records=ROWS)
def test_zeros_that_a_crash_left_are_no_record(zeros: int, records: list[Spooled]) -> None:
    data = b"".join(map(packed, records))
    assert unpacked(data + bytes(zeros)) == (records, len(data))
