"""Consent, profiles, machine verdicts, bodies: what is decided depends on the set of inputs, not on their order."""

import json
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.activity import DEFAULT_PAGES, FUTURE_MAX, SKEW_MAX, content_of, occurred
from services.ingest.domain.body import read_event, read_json, split_batch
from services.ingest.domain.consent import Standing, Statement, folded, stated
from services.ingest.domain.machine import MailActivity, Verdict, judged
from services.ingest.domain.profile import Stated, newest
from shared.contracts.kinds import Consent
from shared.errors import AppError, Unreadable
from shared.ids import derived_id

AT = datetime(2026, 6, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 5).map(lambda day: AT + timedelta(days=day))
STATEMENTS = st.builds(Statement, st.sampled_from(list(Consent)), MOMENTS, st.sampled_from(["own", "other", "source"]))


def stand(statements: list[Statement]) -> Standing:
    return reduce(lambda standing, statement: stated(standing, statement)[0], statements, Standing())


@settings(max_examples=60)
@given(statements=st.lists(STATEMENTS, max_size=8), data=st.data())
def test_statements_commute_and_repeat_without_effect(statements: list[Statement], data: st.DataObject) -> None:
    again = data.draw(st.permutations(statements + statements[:3]))
    assert stand(again) == stand(statements)


@settings(max_examples=60)
@given(statements=st.lists(STATEMENTS, max_size=8))
def test_a_persons_withdrawal_is_lifted_by_the_person_alone(statements: list[Statement]) -> None:
    own = [one for one in statements if one.voice == "own"]
    if own:
        last = max(own, key=lambda one: (one.at, one.consent is Consent.WITHDRAWN))
        if last.consent is Consent.WITHDRAWN:
            assert stand(statements).consent is Consent.WITHDRAWN


@given(consents=st.lists(st.sampled_from(list(Consent)), max_size=6), data=st.data())
def test_a_trees_consent_is_the_strictest_word_any_member_gave(consents: list[Consent], data: st.DataObject) -> None:
    assert folded(data.draw(st.permutations(consents))) is folded(consents)
    assert (folded(consents) is Consent.WITHDRAWN) == (Consent.WITHDRAWN in consents)


TRAITS = st.dictionaries(st.sampled_from(["name", "title", "email"]), st.text(max_size=4), max_size=3)


@settings(max_examples=60)
@given(said=st.lists(st.tuples(TRAITS, MOMENTS), max_size=6), data=st.data())
def test_a_profile_is_the_newest_of_each_field_in_any_order(
    said: list[tuple[dict[str, str], datetime]], data: st.DataObject
) -> None:
    def profile(order: list[tuple[dict[str, str], datetime]]) -> dict[str, Stated]:
        known: dict[str, Stated] = {}
        for traits, at in order:
            known.update(newest(known, traits, at))
        return known

    assert profile(data.draw(st.permutations(said + said[:2]))) == profile(said)


MAILS = st.builds(
    MailActivity,
    activity_id=st.integers(0, 40).map(lambda number: derived_id("mail", number)),
    lead_id=st.just(derived_id("lead")),
    message_key=st.just("m"),
    kind=st.sampled_from(["email_delivered", "email_open", "email_click"]),
    occurred_at=st.integers(0, 15).map(lambda second: AT + timedelta(seconds=second)),
    link=st.sampled_from("abcd"),
    verdict=st.sampled_from([Verdict(), Verdict(0.0, "sender:flag"), Verdict(0.6, "mail_proxy")]),
)


@settings(max_examples=60)
@given(mails=st.lists(MAILS, max_size=9, unique_by=lambda one: one.activity_id), data=st.data())
def test_verdicts_depend_on_the_set_of_mail_activities(mails: list[MailActivity], data: st.DataObject) -> None:
    verdicts = judged(mails)
    assert judged(data.draw(st.permutations(mails))) == verdicts
    assert set(verdicts) == {one.activity_id for one in mails}
    assert all(verdicts[one.activity_id].human <= one.verdict.human for one in mails)


@settings(max_examples=60)
@given(
    timestamp=st.none() | st.datetimes(timezones=st.just(UTC)),
    sent_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    received_at=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_nothing_happens_in_the_future_and_a_clock_is_corrected_by_a_bounded_amount(
    timestamp: datetime | None, sent_at: datetime | None, received_at: datetime
) -> None:
    timed = occurred(timestamp, sent_at=sent_at, received_at=received_at)
    assert timed.occurred_at <= received_at + FUTURE_MAX
    if timestamp is not None and timed.flag in {"", "corrected"}:
        assert abs(timed.occurred_at - timestamp) <= SKEW_MAX


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(exclude_categories=()), max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=60)
@given(value=JSON)
def test_what_is_read_is_sound_whatever_was_sent(value: Any) -> None:  # noqa: ANN401 - any JSON value
    body = json.dumps(value).encode()
    if any(not -(2**63) <= number < 2**63 for number in _integers(value)):
        with pytest.raises(Unreadable):
            read_json(body)
        return
    read = read_json(body)
    text = json.dumps(read, allow_nan=False, ensure_ascii=False)
    assert "\x00" not in text
    assert text.encode().decode() == text


@settings(max_examples=100)
@given(events=st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=3), max_size=5))
def test_a_batch_is_split_the_same_by_the_fast_and_the_slow_reader(events: list[dict[str, Any]]) -> None:
    text = json.dumps({"batch": events, "sentAt": "2026-06-01T00:00:00Z"}).encode()
    split = split_batch(text)
    assert len(split.events) == len(events)
    for raw, event in zip(split.events, events, strict=True):
        try:
            read = read_event(raw)
        except AppError:
            continue
        assert set(read) == {key.replace("\x00", "") for key in event}


@given(path=st.text(max_size=30), pattern=st.text("a/*", max_size=12))
def test_any_path_under_any_pattern_is_worth_what_a_table_says_or_nothing(path: str, pattern: str) -> None:
    assert content_of(path, ((pattern, "found"),)) in {"found", None, *dict(DEFAULT_PAGES).values()}


def _integers(value: Any) -> list[int]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [number for one in inner for number in _integers(one)]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []
