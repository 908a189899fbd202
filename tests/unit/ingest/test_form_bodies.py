"""Forms as senders post them: repeated keys are lists, brackets are paths, and nothing of it can be made to hurt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.form_body import form_of, pairs_of
from shared.errors import Unreadable

MULTIPART = 'multipart/form-data; boundary="edge"'


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"a=1&b=%C3%A9+x", {"a": "1", "b": "é x"}),
        (b"a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
        (b"a[]=1", {"a": ["1"]}),
        (b"a[]=1&a[]=2", {"a": ["1", "2"]}),
        (b"data[merges][EMAIL]=x&data[id]=1", {"data": {"merges": {"EMAIL": "x"}, "id": "1"}}),
        (b"data%5Bmerges%5D%5BEMAIL%5D=x", {"data": {"merges": {"EMAIL": "x"}}}),
        (b"a=1&a[b]=2", {"a": {"b": "2"}}),
        (b"a[b]=2&a=1", {"a": "1"}),
        (b"a[b=1&c]=2", {"a[b": "1", "c]": "2"}),
        (b"a=&=b", {"a": "", "": "b"}),
        (b"a=x%00y", {"a": "xy"}),
        (b"__proto__[x]=1", {"__proto__": {"x": "1"}}),
        (b"a[b][]=1&a[b][]=2", {"a": {"b": ["1", "2"]}}),
    ],
)
def test_a_form_is_read_as_an_object(body: bytes, form: object) -> None:
    assert form_of(body) == form


@pytest.mark.parametrize(
    "body", [b"a=%ff", b"\xff=1", b"a" + b"[b]" * 40 + b"=1", b"&".join(b"a%d=1" % number for number in range(10_001))]
)
def test_a_form_beyond_the_bounds_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        form_of(body)


def test_a_multipart_form_gives_its_texts_and_leaves_files_out() -> None:
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="a[b]"\r\n\r\nx\r\ny\r\n'
        b'--edge\r\ncontent-disposition: form-data; name="f"; filename="f.txt"\r\n\r\nleft out\r\n'
        b"--edge\r\nContent-Type: text/plain\r\n\r\nno name\r\n--edge--\r\n"
    )
    assert pairs_of(body, MULTIPART) == [("a[b]", "x\r\ny")]
    assert form_of(body, MULTIPART) == {"a": {"b": "x\r\ny"}}
    for odd in ("multipart/form-data", "multipart/form-data; boundary="):
        with pytest.raises(Unreadable):
            form_of(body, odd)
    with pytest.raises(Unreadable):
        form_of(body.replace(b"x\r\ny", b"\xff"), MULTIPART)


@given(st.lists(st.tuples(st.text(), st.text()), max_size=8))
def test_any_fields_at_all_are_read_or_refused(fields: list[tuple[str, str]]) -> None:
    body = "&".join(f"{name}={value}" for name, value in fields).encode(errors="replace")
    for content_type in ("", MULTIPART):
        try:
            form = form_of(body, content_type)
        except Unreadable:
            continue
        assert all("\x00" not in str(value) for value in form.values())
