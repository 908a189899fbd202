"""The demo's story: the same seed tells the same, and everything the main job asks for happens in it."""

from collections import Counter
from datetime import timedelta

from deploy.demo import cast
from deploy.demo.story import Story, tell

_STORY = tell(7)


def _whats(story: Story) -> Counter[str]:
    return Counter(happening.what for act in story.acts for happening in act.happenings)


def test_the_same_seed_tells_the_same_story_and_another_seed_another() -> None:
    assert tell(7) == _STORY
    assert tell(8).acts != _STORY.acts


def test_a_quarter_with_several_hundred_leads_and_ten_reps_in_two_time_zones() -> None:
    assert len(_STORY.people) == 420
    assert len(cast.REPS) == 10
    assert len({team.zone for team in cast.TEAMS}) == 2
    assert _STORY.ends_at - cast.START == timedelta(days=91)


def test_acts_come_in_the_order_of_sending_and_nothing_is_sent_before_it_happened() -> None:
    assert [act.at for act in _STORY.acts] == sorted(act.at for act in _STORY.acts)
    for act in _STORY.acts:
        assert act.at < _STORY.ends_at
        assert all(happening.happened_at <= act.at for happening in act.happenings)


def test_every_door_is_used() -> None:
    assert {act.door for act in _STORY.acts} == {"segment", "sendgrid", "cloudevents", "badges", "command"}


def test_machine_opens_duplicates_and_late_events_are_in_it() -> None:
    machine = [one for act in _STORY.acts for one in act.happenings if one.details.get("machine")]
    assert len(machine) > 100
    assert sum("again" in act.note for act in _STORY.acts) > 10
    late = [one for act in _STORY.acts for one in act.happenings if act.at - one.happened_at > timedelta(hours=24)]
    assert len(late) > 50


def test_a_merge_and_withdrawals_of_consent_are_in_it() -> None:
    notes = Counter(act.note for act in _STORY.acts if act.door == "command")
    assert notes == {"merge": 1, "withdraw": 2}
    assert _whats(_STORY)["unsubscribe"] > 0


def test_who_asks_for_a_demo_is_told_at_once() -> None:
    for act in _STORY.acts:
        for happening in act.happenings:
            if happening.name == "Demo Requested" and not act.note:
                assert act.at - happening.happened_at < timedelta(minutes=1)


def test_the_criteria_do_not_see_everything_that_makes_people_buy() -> None:
    buyers = [one.will_buy for one in _STORY.people.values()]
    assert 0.25 < sum(buyers) / len(buyers) < 0.6
    from_partners = [one.will_buy for one in _STORY.people.values() if one.source == "partner"]
    from_feeds = [one.will_buy for one in _STORY.people.values() if one.source == "linkedin"]
    assert sum(from_partners) / len(from_partners) > sum(from_feeds) / len(from_feeds) + 0.1
