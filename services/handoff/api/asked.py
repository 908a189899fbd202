"""What a command on a handoff is asked with: its fields, each with its bound."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from services.handoff.domain.lifecycle import inputs
from services.handoff.usecases.commanding import TypedNote
from shared.web.app_factory import Asked
from shared.web.times import Moment

__all__ = [
    "DisposeAsked",
    "Empty",
    "EnrolAsked",
    "OpenAsked",
    "PauseAsked",
    "ReassignAsked",
    "RejectAsked",
    "RevokeAsked",
    "TouchAsked",
    "typed",
]

_TEXT_MAX = 2000


def typed(about: str, text: str | None) -> TypedNote | None:
    """What somebody typed with a command, to be kept beside it."""
    return TypedNote(about, text) if text else None


class Empty(Asked):
    """A command without fields; rep_id only for keys that act for a rep."""

    rep_id: UUID | None = Field(None, strict=False, description="the rep a key acts for; default: the owner")


class ReasonAsked(Empty):
    """A reason with the fields it may need."""

    reason_code: str | None = Field(None, max_length=100, description="one of the agreed reasons")
    sub_reason: str | None = Field(None, max_length=200, description="its detail, where the reason needs it")
    until_on: date | None = Field(None, strict=False, description="when to come back, where the reason needs it")
    text: str | None = Field(None, max_length=_TEXT_MAX, description="in your words; stays with this handoff")

    def reason(self) -> inputs.Reason | None:
        """The reason as the machine reads it: it only learns that there is a text."""
        if not self.reason_code:
            return None
        has_text = bool(self.text and self.text.strip())
        return inputs.Reason(
            code=self.reason_code, sub_reason=self.sub_reason, until_on=self.until_on, has_text=has_text
        )

    def note(self, about: str) -> TypedNote | None:
        """What was typed, to be kept beside it."""
        return typed(about, self.text)


class RejectAsked(ReasonAsked):
    """A reason, and when it was pressed: a page holds a reject for a moment in which it can be taken back."""

    pressed_at: Moment | None = Field(None, strict=False, description="when; now when absent, five minutes ago at most")


class TouchAsked(Empty):
    """A human try to reach the lead."""

    kind: str = Field("call", max_length=50, description="call, mail, meeting or visit")
    touched_at: Moment | None = Field(None, strict=False, description="when; now when absent")
    text: str | None = Field(None, max_length=_TEXT_MAX, description="a note for whoever reads it next")


class DisposeAsked(ReasonAsked):
    """The end of working it."""

    disposition: Literal["opportunity", "recycle", "disqualify", "return"] = Field(description="what became of it")


class PauseAsked(Empty):
    """Stop the clocks for a while."""

    reason_code: str = Field(max_length=100, description="one of the agreed reasons")
    until_at: Moment = Field(strict=False, description="when they go on")


class ReassignAsked(Asked):
    """Another rep."""

    rep_id: UUID = Field(strict=False, description="who gets it")
    text: str | None = Field(None, max_length=_TEXT_MAX, description="why, for both reps")


class RevokeAsked(Asked):
    """Back to Marketing."""

    reason_code: str = Field("by_hand", max_length=100, description="why")


class EnrolAsked(Asked):
    """Into a nurture programme."""

    programme: str | None = Field(None, max_length=200, description="which one")


class OpenAsked(Asked):
    """A handoff by hand: policy `manual`."""

    lead_id: UUID = Field(strict=False, description="who")
    product: str = Field("default", max_length=100, description="for which product")
    is_hand_raiser: bool = Field(False, description="the person asked for us")
    rep_id: UUID | None = Field(None, strict=False, description="for this rep; else routed")
    text: str | None = Field(None, max_length=_TEXT_MAX, description="why")
