"""What handoff must know at start, beside what every service shares."""

from typing import ClassVar

from pydantic import Field

from shared.config import ServiceSettings

__all__ = ["Settings"]


class Settings(ServiceSettings):
    """Handoff's settings."""

    service: ClassVar[str] = "handoff"

    clocks_at_once: int = Field(500, ge=1, le=2000, description="due clocks fired in one transaction")
    public_url: str = Field("http://127.0.0.1:8500", description="address of the console, for links in messages")
