"""What feedback reads from the environment beside what every service does."""

from typing import ClassVar

from pydantic import Field

from shared.config import ServiceSettings


class Settings(ServiceSettings):
    """Settings of feedback: BATON_FEEDBACK_<NAME>."""

    service: ClassVar[str] = "feedback"

    declared_win_rate: float = Field(
        0.05, gt=0, lt=1, description="chance of a win both teams assume until a model is promoted"
    )
    retune_days: float = Field(7, gt=0, description="days of the world between two runs of the tuner")
    retune_outcomes: int = Field(250, ge=1, description="matured outcomes after which the tuner runs sooner")
