"""What an operator sets for scoring; everything two teams may want to change stands in the agreement instead."""

from typing import ClassVar

from pydantic import Field

from shared.config import ServiceSettings

__all__ = ["Settings"]


class Settings(ServiceSettings):
    """Settings of scoring: BATON_SCORING_<NAME>, else BATON_<NAME>."""

    service: ClassVar[str] = "scoring"

    exploration_salt: str = Field(
        "baton", min_length=1, description="salt of the exploration draw; changing it draws every lead anew"
    )
