"""The errors that carry meaning to the edges: HTTP renders them as problem+json, the stream reads `retryable`.

    AppError
    ├── Unreadable            400  the bytes or fields cannot be read
    ├── Unauthorised          401  who you are is not proven
    ├── Forbidden             403  your role may not
    ├── NotFound              404  there is none, or none in your view
    ├── Stale                 409  it changed since you looked; carries the current state
    ├── StillRunning          409  the first request with this key has not ended
    ├── PreconditionFailed    412  If-Match names an old version
    ├── TooLarge              413  body or batch above its bound
    ├── UnsupportedMedia      415  an encoding we do not take
    ├── Refused               422  understood, and not allowed by a rule
    ├── PreconditionRequired  428  If-Match is missing
    ├── RateLimited           429  too fast; wait retry_after seconds
    └── Busy                  503  our own state; the same request later is right (retryable)

The detail tells the reader what to do next; it never holds personal data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = [
    "AppError",
    "Busy",
    "Fatal",
    "FieldError",
    "Forbidden",
    "NotFound",
    "PreconditionFailed",
    "PreconditionRequired",
    "RateLimited",
    "Refused",
    "Stale",
    "StillRunning",
    "TooLarge",
    "Unauthorised",
    "Unreadable",
    "UnsupportedMedia",
]


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is wrong: where (JSON pointer), a stable code, and a sentence for people."""

    pointer: str
    code: str
    message: str


class AppError(Exception):
    """An expected error with its HTTP status and slug; `retryable` says whether the same event may succeed later."""

    slug: ClassVar[str] = "error"
    title: ClassVar[str] = "The request could not be carried out"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, errors: Sequence[FieldError] = (), slug: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.problem = slug or self.slug


class Unreadable(AppError):
    """The bytes or fields cannot be read."""

    slug, title, status = "unreadable", "The request cannot be read", 400


class Unauthorised(AppError):
    """Who the caller is has not been proven."""

    slug, title, status = "unauthorised", "Sign in or send a valid key", 401


class Forbidden(AppError):
    """The caller is known and may not do this."""

    slug, title, status = "forbidden", "Your role may not do this", 403


class NotFound(AppError):
    """There is no such thing, or none in the caller's view (the two are not told apart)."""

    slug, title, status = "not_found", "Not found", 404


class Stale(AppError):
    """The state changed since the caller looked; `current` is the state now (JSON values)."""

    slug, title, status = "stale", "It changed since you looked", 409

    def __init__(self, detail: str, *, current: dict[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.current = current or {}


class StillRunning(AppError):
    """The first request with this idempotency key has not ended; ask again after retry_after seconds."""

    slug, title, status = "still_running", "The first request is still running", 409

    retry_after: ClassVar[int] = 1


class PreconditionFailed(AppError):
    """If-Match names a version that is not the current one."""

    slug, title, status = "precondition_failed", "It changed since you looked", 412


class TooLarge(AppError):
    """A body, batch or field is above its named bound."""

    slug, title, status = "too_large", "Too large", 413


class UnsupportedMedia(AppError):
    """An encoding or media type we do not take."""

    slug, title, status = "unsupported_media", "This encoding is not taken", 415


class Refused(AppError):
    """Understood, and refused by a rule or a field's constraint."""

    slug, title, status = "refused", "Refused by a rule", 422


class PreconditionRequired(AppError):
    """The command needs If-Match with the version seen."""

    slug, title, status = "precondition_required", "Send If-Match with the version you saw", 428


class RateLimited(AppError):
    """Too many requests; the same one is right after retry_after seconds."""

    slug, title, status, retryable = "rate_limited", "Too many requests", 429, True

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Busy(AppError):
    """Our own state forbids it for now; the same request is right after retry_after seconds."""

    slug, title, status, retryable = "busy", "Not now", 503, True

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Fatal(Exception):
    """This process cannot go on: it ends with exit code 70 and the reason in its log."""
