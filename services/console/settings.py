"""What a console process must know beside the common settings."""

from typing import ClassVar

from pydantic import Field

from shared.config import Environment, ServiceSettings

__all__ = ["Settings"]


class Settings(ServiceSettings):
    """Settings of the console, BATON_CONSOLE_<NAME>."""

    service: ClassVar[str] = "console"

    is_local_login_on: bool = Field(True, description="whether people may sign in with a password kept here")
    session_idle_hours: int = Field(12, ge=1, description="hours without a request after which a session ends")
    session_days_max: int = Field(7, ge=1, description="days after which a session ends in any case")
    session_proven_every_seconds: float = Field(
        10.0, gt=0, le=10, description="how long an open stream outlives its session, or a change of role, at most"
    )
    streams_per_session: int = Field(
        4, ge=1, description="open streams of one session; a browser holds six connections"
    )

    @property
    def is_cookie_secure(self) -> bool:
        """Whether the session cookie needs https; on a laptop's loopback it cannot have it."""
        return self.environment is Environment.PRODUCTION

    @property
    def session_cookie(self) -> str:
        """The name of the session cookie; `__Host-` binds it to this host and https."""
        return "__Host-baton" if self.is_cookie_secure else "baton_session"
