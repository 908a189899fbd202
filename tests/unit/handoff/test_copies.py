"""A changed copy is what dataclasses.replace makes; what it was made of stays."""

import dataclasses
from datetime import UTC, datetime

import pytest

from services.handoff.domain.copies import replace
from services.handoff.domain.lifecycle import Clock, ClockKind
from services.handoff.domain.record import Times
from shared.ids import derived_id

_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
_CLOCK = Clock(1, ClockKind.ACCEPT, 2, level=1, level_at_arm=0, carries=None)
_TIMES = Times(
    agreement_id="default",
    agreement_version=1,
    qualified_at=_AT,
    opened_at=_AT,
    state_at=_AT,
    waiting_since=None,
    correlation_id=derived_id("correlation"),
)


def test_a_copy_differs_in_what_was_changed_alone() -> None:
    assert replace(_CLOCK, level=2, carries=7) == dataclasses.replace(_CLOCK, level=2, carries=7)
    assert replace(_TIMES, accepted_at=_AT) == dataclasses.replace(_TIMES, accepted_at=_AT)
    assert replace(_CLOCK) == _CLOCK
    assert _CLOCK.level == 1


def test_a_copy_is_as_frozen_as_its_origin() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        replace(_CLOCK, level=2).level = 3  # type: ignore[misc]  # that is what is tested


def test_a_field_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="levle"):
        replace(_CLOCK, levle=2)
