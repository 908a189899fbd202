"""The driver steps.

Nothing before its moment, no due moment stepped over, the world standing still while things are handled.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from deploy.demo.driver import Driver, Planned
from deploy.demo.standing import Standing
from deploy.demo.story import Act

_T0 = datetime(2026, 6, 1, 8, tzinfo=UTC)


@dataclass
class _World:
    """A hand on a clock, and doors that note what came when."""

    at: datetime = _T0
    due: list[datetime] = field(default_factory=list)
    seen: list[tuple[datetime, str]] = field(default_factory=list)
    work: dict[str, list[Planned]] = field(default_factory=dict)
    speeds: list[float | None] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    async def set(self, *, at: datetime | None = None, speed: float | None = None) -> datetime:
        assert at is not None
        assert at >= self.at, "world time never goes back"
        self.at = at
        self.speeds.append(speed)
        return at

    async def deliver(self, act: Act) -> None:
        self.seen.append((self.at, act.note))

    async def new_work(self) -> Sequence[Planned]:
        return self.work.pop(self.seen[-1][1], []) if self.seen else []

    async def quiet(self) -> Standing:
        for moment in [one for one in self.due if one <= self.at]:
            self.due.remove(moment)
            self.seen.append((self.at, "clock"))
        return Standing(len(self.seen), 0, 0, 0, min(self.due, default=None))


def _act(minute: int, note: str) -> Act:
    return Act(_T0 + timedelta(minutes=minute), "segment", (), note=note)


def _driver(world: _World, acts: Sequence[Act], *, minutes: int = 60) -> Driver:
    ends = _T0 + timedelta(minutes=minutes)
    return Driver(world, world, acts, ends, tell=lambda *_: None)


async def test_acts_and_due_moments_are_met_in_their_order_at_their_moment() -> None:
    world = _World(due=[_T0 + timedelta(minutes=7)])
    await _driver(world, [_act(5, "a"), _act(9, "b")]).play()
    assert world.seen == [
        (_T0 + timedelta(minutes=5), "a"),
        (_T0 + timedelta(minutes=7), "clock"),
        (_T0 + timedelta(minutes=9), "b"),
    ]


async def test_what_people_plan_because_of_an_act_is_done_when_its_moment_comes() -> None:
    world = _World()

    async def do() -> bool:
        world.seen.append((world.at, "reaction"))
        return False

    world.work["a"] = [Planned(_T0 + timedelta(minutes=8), "anna", do)]
    driver = _driver(world, [_act(5, "a"), _act(9, "b")])
    await driver.play()
    assert [note for _, note in world.seen] == ["a", "reaction", "b"]
    assert world.seen[1][0] == _T0 + timedelta(minutes=8)
    assert driver.late_for == 1


async def test_the_world_stands_still_between_steps_and_the_end_is_not_stepped_over() -> None:
    world = _World(due=[_T0 + timedelta(minutes=90)])
    await _driver(world, [_act(5, "a")], minutes=60).play()
    assert set(world.speeds) == {0}
    assert world.at == _T0 + timedelta(minutes=5)


async def test_a_moment_that_is_already_past_is_met_now_and_time_does_not_go_back() -> None:
    world = _World(at=_T0 + timedelta(minutes=6))
    await _driver(world, [_act(5, "a")]).play()
    assert world.seen == [(_T0 + timedelta(minutes=6), "a")]


async def test_of_one_moment_work_that_moves_comes_first_then_people_then_systems() -> None:
    at = _T0 + timedelta(minutes=5)
    world = _World()

    def does(note: str) -> Callable[[], Awaitable[bool]]:
        async def do() -> bool:
            world.seen.append((world.at, note))
            return True

        return do

    driver = _driver(world, [_act(5, "delivery")])
    driver.add(Planned(at, "anna", does("accepts")))
    driver.add(Planned(at, "owen", does("rejects"), is_moving=True))
    await driver.play()
    assert [note for _, note in world.seen] == ["rejects", "accepts", "delivery"]
