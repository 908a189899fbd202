"""What another service answers becomes the same error here."""

import httpx2
import orjson
import pytest

from shared.errors import AppError, Busy, FieldError, NotFound, PreconditionFailed, Refused, Stale, StillRunning
from shared.web.problems import problem_of
from shared.web.service_client import error_of


@pytest.mark.parametrize(
    "error",
    [
        NotFound("There is none."),
        Refused("Not allowed.", errors=[FieldError("/amount", "range", "1 to 100")]),
        PreconditionFailed("Read again."),
        Stale("Somebody was faster.", current={"state": "accepted"}),
        StillRunning("Wait."),
        Busy("Not now."),
    ],
    ids=lambda error: error.slug,
)
def test_an_error_survives_the_way_between_services(error: AppError) -> None:
    body, headers = problem_of(error)
    answer = httpx2.Response(error.status, content=orjson.dumps(body), headers=headers)
    got = error_of(answer)
    assert (type(got), got.detail, got.errors) == (type(error), error.detail, error.errors)
    assert getattr(got, "current", None) == getattr(error, "current", None)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"detail": 5}'])
@pytest.mark.parametrize("status", [500, 502, 504, 302])
def test_what_nobody_can_read_means_try_again(status: int, content: bytes) -> None:
    assert isinstance(error_of(httpx2.Response(status, content=content)), Busy)
