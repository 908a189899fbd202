"""Reads a form as senders post it: repeated keys become lists, brackets become paths (SENDERS section 2).

Pure and bounded like `body`: what is no UTF-8, or nests or repeats beyond the bounds, is Unreadable as a whole.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Final, cast
from urllib.parse import parse_qsl

from services.ingest.domain.body import DEPTH_MAX, KEYS_MAX, utf8
from services.ingest.domain.multipart import text_fields
from shared.errors import Unreadable

__all__ = ["form_of", "pairs_of", "parts_of"]

_KEY_PARTS: Final = re.compile(r"\[([^\[\]]*)\]")


def pairs_of(body: bytes, content_type: str = "") -> list[tuple[str, str]]:
    """The fields in their order, decoded: urlencoded, or the texts of `multipart/form-data`. Raises Unreadable."""
    if content_type.lower().startswith("multipart/form-data"):
        return parts_of(body, content_type)
    text = utf8(body).decode()
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=KEYS_MAX, errors="strict")
    except ValueError as error:
        raise Unreadable("The form has too many fields or is not UTF-8.", slug="not_a_form") from error


def parts_of(body: bytes, content_type: str) -> list[tuple[str, str]]:
    """The text fields of a multipart form, files left out. Raises Unreadable."""
    return [(name, _text(content)) for name, content in text_fields(body, content_type)]


def form_of(body: bytes, content_type: str = "") -> Mapping[str, object]:
    """The fields as an object: `data[merges][EMAIL]=x` is {"data": {"merges": {"EMAIL": "x"}}}.

    A key given twice, or with `[]`, is a list. Of a field that is both text and object the later one wins. Raises
    Unreadable.
    """
    form: dict[str, object] = {}
    for name, value in pairs_of(body, content_type):
        name = name.replace("\x00", "")  # noqa: PLW2901 - the same name, sound
        head, _, rest = name.partition("[")
        path = [head, *_KEY_PARTS.findall(f"[{rest}")] if rest.endswith("]") else [name]
        if len(path) > DEPTH_MAX:
            raise Unreadable("The form is nested deeper than 32 levels.", slug="too_deep")
        _put(form, path, value.replace("\x00", ""))
    return form


def _put(form: MutableMapping[str, object], path: list[str], value: str) -> None:
    is_list = len(path) > 1 and path[-1] == ""
    *above, last = path[:-1] if is_list else path
    for name in above:
        inner = form.get(name)
        if not isinstance(inner, dict):
            inner = form[name] = {}
        form = cast("dict[str, object]", inner)
    before = form.get(last)
    if isinstance(before, list):
        before.append(value)
    elif isinstance(before, str):
        form[last] = [before, value]
    else:
        form[last] = [value] if is_list else value


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("The form is not UTF-8.", slug="not_utf8") from error
